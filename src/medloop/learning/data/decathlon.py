"""The Medical Segmentation Decathlon (Antonelli 2022): channels in a fourth axis."""

from pathlib import Path

from medloop.core.errors import InputError
from medloop.learning.data.description import (
    TEST,
    CaseSource,
    Channel,
    Dataset,
    Kind,
    Mask,
    Task,
)
from medloop.learning.data.listing import Json, inside, is_there, items_of, read_json, stem_of
from medloop.learning.data.nnunet import fewer_than_stated, label_classes, numbered


def read_decathlon(root: Path) -> Dataset:
    """Read a task as its `dataset.json` lists it; test images that are there are listed too.

    Raises
    ------
    InputError
        If `dataset.json` lists no training images, or lacks modalities or labels.
    """
    header = read_json(root / "dataset.json")
    channels = numbered(header, "modality" if "modality" in header else "channel_names")
    classes, ignored = label_classes(header)
    training = items_of(header, "training", "dataset.json")
    if not training:
        raise InputError("dataset.json lists no training images")
    cases = [_listed_case(item, root, len(channels)) for item in training]
    tests = header.get("test", [])
    names = [str(name) for name in tests] if isinstance(tests, list) else []
    cases += [
        _listed_case({"image": name}, root, len(channels))
        for name in names
        if is_there(inside(root, name, "dataset.json"))
    ]
    return Dataset(
        name=str(header.get("name", root.name)),
        layout="Medical Segmentation Decathlon",
        root=root,
        task=Task.SEGMENTATION,
        channels=channels,
        classes=classes,
        cases=tuple(cases),
        ignored=ignored,
        remarks=fewer_than_stated(header, cases),
    )


def _listed_case(item: Json, root: Path, channels: int) -> CaseSource:
    where = "dataset.json"
    image = inside(root, str(item.get("image", "")), where)
    name = stem_of(image)
    parts = [Channel(image, index=c if channels > 1 else None) for c in range(channels)]
    label = Mask(inside(root, str(item["label"]), where)) if "label" in item else None
    split = "" if label else TEST
    return CaseSource(name, name, Kind.SOLID, tuple(parts), label, split=split)
