"""COCO (Lin 2014): boxes, polygons and run-length masks of objects in pictures."""

import json
from collections.abc import Mapping
from pathlib import Path

from medloop.core.errors import InputError
from medloop.learning.data.description import (
    CaseSource,
    Channel,
    Dataset,
    Kind,
    Shape,
    Shapes,
    Task,
)
from medloop.learning.data.guess import channels_of, unique
from medloop.learning.data.listing import Json, inside, is_there, items_of, read_json, stem_of
from medloop.learning.data.table import SPLITS


def read_coco(tables: tuple[Path, ...], root: Path) -> Dataset:
    """Read one table, or several such as ``instances_train.json`` that name their part.

    Categories become classes 1, 2, ... in the order of their ids. Where every object has an
    outline the task is segmentation, otherwise detection; boxes can be read in both. Regions
    marked as crowds are left out.

    Raises
    ------
    InputError
        If a table is damaged, or tables differ in their categories.
    """
    cases: list[CaseSource] = []
    values: Mapping[int, int] = {}
    names: Mapping[str, tuple[int, ...]] = {}
    crowds = 0
    for table in tables:
        data = read_json(table)
        found, classes = _categories(data, table)
        if names and classes != names:
            raise InputError(f"{table.name} has other categories than {tables[0].name}")
        values, names = found, classes
        part = next((SPLITS[w] for w in _words(table) if w in SPLITS), "")
        part = part if len(tables) > 1 else ""
        objects = _objects(data, values, table)
        crowds += sum(1 for item in items_of(data, "annotations", table.name) if _crowd(item))
        cases += [
            _case(item, objects, table, root, part)
            for item in items_of(data, "images", table.name)
        ]
    if not cases:
        raise InputError(f"{tables[0].name} lists no images")
    return Dataset(
        name=root.name,
        layout="COCO objects",
        root=root,
        task=Task.SEGMENTATION if _all_outlined(cases) else Task.DETECTION,
        channels=channels_of(cases),
        classes=names,
        cases=unique(cases),
        remarks=(f"{crowds} regions marked as crowds were left out",) if crowds else (),
        numbers=tuple(values),
    )


def _categories(
    data: Json, table: Path
) -> tuple[Mapping[int, int], Mapping[str, tuple[int, ...]]]:
    """Return our value of each category id, and the classes."""
    try:
        pairs = sorted(
            (int(str(item["id"])), str(item["name"]))
            for item in items_of(data, "categories", table.name)
        )
    except (KeyError, ValueError) as error:
        raise InputError(f"{table.name}: a category lacks its id or name") from error
    if not pairs:
        raise InputError(f"{table.name} lists no categories")
    values = {number: n for n, (number, _) in enumerate(pairs, start=1)}
    return values, {name: (values[number],) for number, name in pairs}


def _objects(data: Json, values: Mapping[int, int], table: Path) -> Mapping[str, list[Shape]]:
    found: dict[str, list[Shape]] = {}
    for n, item in enumerate(items_of(data, "annotations", table.name), start=1):
        if _crowd(item):
            continue
        try:
            shape = _shape(item, values)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{table.name}: annotation {n} is damaged: {type(error).__name__} {error}"
            ) from error
        found.setdefault(str(item["image_id"]), []).append(shape)
    return found


def _shape(item: Json, values: Mapping[int, int]) -> Shape:
    box = item["bbox"]
    if not isinstance(box, list):
        raise TypeError("bbox is no list")
    x, y, width, height = (float(v) for v in box)
    outline = item.get("segmentation")
    is_runs = isinstance(outline, dict)
    polygons = outline if isinstance(outline, list) else []
    return Shape(
        values[int(str(item["category_id"]))],
        (x, y),
        (x + width, y + height),
        tuple(tuple(float(v) for v in polygon) for polygon in polygons),
        json.dumps(outline) if is_runs else "",
    )


def _case(
    item: Json, objects: Mapping[str, list[Shape]], table: Path, root: Path, part: str
) -> CaseSource:
    file = str(item.get("file_name", ""))
    path = _picture(file, table, root)
    name = stem_of(path)
    return CaseSource(
        name=f"{part}/{name}" if part else name,
        patient=str(item.get("patient_id", f"{part}/{name}" if part else name)),
        kind=Kind.FLAT,
        channels=(Channel(path),),
        label=Shapes(table, tuple(objects.get(str(item.get("id")), ()))),
        site=str(item.get("site", "")),
        split=part,
    )


def _picture(file: str, table: Path, root: Path) -> Path:
    """Find a picture beside its table, in the usual folders, or where the table's name says."""
    folders = [table.parent, root, table.parent / "images", root / "images"]
    folders += [root / word for word in _words(table)]
    folders += [root / "images" / word for word in _words(table)]
    places = [inside(folder, file, table.name) for folder in folders]
    return next((place for place in places if is_there(place)), places[0])


def _words(table: Path) -> list[str]:
    words = table.stem.lower().replace("-", "_").split("_")
    return [*words, *(word.rstrip("0123456789") for word in words), table.stem]


def _crowd(item: Json) -> bool:
    return item.get("iscrowd", 0) == 1


def _all_outlined(cases: list[CaseSource]) -> bool:
    shapes = [
        shape for case in cases if isinstance(case.label, Shapes) for shape in case.label.shapes
    ]
    return bool(shapes) and all(shape.polygons or shape.runs for shape in shapes)
