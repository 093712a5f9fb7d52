"""A table of images and labels beside the files it names."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from medloop.core.errors import FOREIGN_ERRORS, InputError
from medloop.learning.data.description import (
    CaseSource,
    Dataset,
    Grades,
    Label,
    Mask,
    Task,
)
from medloop.learning.data.guess import (
    MOST_CLASSES,
    Classes,
    channels_in,
    channels_of,
    kind_of,
    segmentation,
    unique,
)
from medloop.learning.data.listing import inside, is_there, stem_of

SPLITS: Final = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip

Row = Mapping[str, str]


def read_table(table: Path) -> Dataset:
    """Read a CSV with columns image, label and, if there, patient, site and split.

    Several channels stand in columns ``image_0``, ``image_1``; several grades or findings in
    columns ``label_NAME``. A label is a class (number or word) or the file of a mask. Paths
    start at the table's folder. A case with an empty label is not labelled.

    Raises
    ------
    InputError
        If columns are missing, a line is short, or numbers, words and files are mixed.
    """
    root = table.parent
    header, rows = rows_of(table)
    images = _columns(header, "image")
    labels = _columns(header, "label")
    if not images or not labels:
        raise InputError(f"{table.name} needs columns image and label; it has {header}")
    stated = [row[column] for row in rows for column in labels if row[column]]
    if stated and all(is_there(root / value) for value in stated):
        masks: dict[int, Label] = {
            n: Mask(inside(root, row[labels[0]], table.name))
            for n, row in enumerate(rows)
            if row[labels[0]]
        }
        cases = _cases(rows, images, masks, table)
        return segmentation(root, "folder with a table of images and masks", cases)
    classes, number_of = _words_or_numbers(stated, table)
    grades: dict[int, Label] = {
        n: Grades(tuple(number_of[row[column]] for column in labels))
        for n, row in enumerate(rows)
        if all(row[column] for column in labels)
    }
    cases = _cases(rows, images, grades, table)
    return Dataset(
        name=root.name,
        layout="folder with a table of images and classes",
        root=root,
        task=Task.CLASSIFICATION,
        channels=channels_of(cases),
        classes=classes,
        cases=cases,
        findings=tuple(c.removeprefix("label_") for c in labels) if len(labels) > 1 else (),
    )


def _columns(header: Sequence[str], name: str) -> list[str]:
    if name in header:
        return [name]
    return [column for column in header if column.startswith(f"{name}_")]


def _cases(
    rows: Sequence[Row], images: Sequence[str], labels: Mapping[int, Label], table: Path
) -> tuple[CaseSource, ...]:
    cases = []
    for n, row in enumerate(rows):
        paths = [inside(table.parent, row[column], table.name) for column in images]
        name = row.get("name") or _without_ending(row[images[0]])
        part = row.get("split", "").lower()
        cases.append(
            CaseSource(
                name,
                row.get("patient") or name,
                kind_of(paths[0]),
                tuple(channel for path in paths for channel in channels_in(path)),
                labels.get(n),
                row.get("site", ""),
                SPLITS.get(part, part),
            )
        )
    return unique(cases)


def _words_or_numbers(stated: Sequence[str], table: Path) -> tuple[Classes, Mapping[str, int]]:
    numbers = [value.lstrip("-").isdigit() for value in stated]
    if any(numbers) and not all(numbers):
        odd = next(
            value for value, is_number in zip(stated, numbers, strict=True) if not is_number
        )
        raise InputError(
            f"{table.name} mixes numbers with {odd!r}: no class, and no file there"
        )
    words = sorted(set(stated), key=int) if any(numbers) else sorted(set(stated))
    if len(words) > MOST_CLASSES:
        raise InputError(f"{table.name} has {len(words)} classes; the limit is {MOST_CLASSES}")
    if any(numbers):
        return {w: (int(w),) for w in words}, {w: int(w) for w in words}
    return {w: (n,) for n, w in enumerate(words)}, {w: n for n, w in enumerate(words)}


def _without_ending(name: str) -> str:
    path = Path(name)
    return str(path.with_name(stem_of(path)))


def rows_of(table: Path) -> tuple[list[str], list[Row]]:
    """Read a CSV with a heading: the columns in small letters, and the lines.

    Raises
    ------
    InputError
        If it is damaged, empty, or a line has too many or too few columns.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            rows: list[Row] = []
            for number, row in enumerate(reader, start=2):
                if None in row or None in row.values():
                    raise InputError(f"{table.name} line {number} has too many or few columns")
                rows.append({key.strip().lower(): value.strip() for key, value in row.items()})
            header = [name.strip().lower() for name in reader.fieldnames or ()]
    except (csv.Error, *FOREIGN_ERRORS) as error:
        raise InputError(f"{table.name} is no readable table: {error}") from error
    if not rows:
        raise InputError(f"{table.name} has no lines")
    return header, rows
