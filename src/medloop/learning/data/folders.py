"""Folders whose names say it all: images beside labels, and a folder a class."""

from dataclasses import replace
from pathlib import Path

from medloop.core.errors import InputError
from medloop.learning.data.description import (
    CaseSource,
    Dataset,
    Grades,
    Mask,
    Task,
)
from medloop.learning.data.guess import channels_in, channels_of, kind_of, segmentation, unique
from medloop.learning.data.listing import images_in, masks_alone, stem_of
from medloop.learning.data.table import SPLITS


def read_pairs(root: Path) -> Dataset:
    """Read ``images`` beside ``labels`` or ``masks``, whose files have the same names.

    Classes are those of a `dataset.json` in the folder, otherwise the values found.

    Raises
    ------
    InputError
        If there are no images, or the masks hold too many values.
    """
    folder = root / "labels" if (root / "labels").is_dir() else root / "masks"
    masks = {stem_of(path): path for path in images_in(folder)}
    cases = []
    for path in images_in(root / "images"):
        name = stem_of(path)
        mask = masks.get(name) or masks.get(f"{name}_mask")
        label = Mask(mask) if mask else None
        cases.append(CaseSource(name, name, kind_of(path), channels_in(path), label))
    if not cases:
        raise InputError("images holds no picture and no volume")
    layout = f"folders images and {folder.name} with the same names"
    found = segmentation(root, layout, tuple(cases))
    used = {case.label.path for case in cases if isinstance(case.label, Mask)}
    return replace(found, remarks=found.remarks + masks_alone(folder, used))


def read_class_folders(root: Path) -> Dataset:
    """Read a folder a class, or ``train``, ``val`` and ``test`` with a folder a class each.

    Classes are numbered from 0 in the order of their names.

    Raises
    ------
    InputError
        If fewer than two folders hold images.
    """
    parts = [(SPLITS[f.name.lower()], f) for f in _folders(root) if f.name.lower() in SPLITS]
    found = [
        (split, folder.name, path)
        for split, part in parts or [("", root)]
        for folder in _folders(part)
        for path in images_in(folder)
    ]
    names = sorted({name for _, name, _ in found})
    if len(names) < 2:
        raise InputError(f"{len(names)} folders hold images; a class each needs two")
    cases = tuple(
        CaseSource(
            name=(identity := "/".join(filter(None, (split, name, stem_of(path))))),
            patient=identity,
            kind=kind_of(path),
            channels=channels_in(path),
            label=Grades((names.index(name),)),
            split=split,
        )
        for split, name, path in found
    )
    return Dataset(
        name=root.name,
        layout="a folder a class",
        root=root,
        task=Task.CLASSIFICATION,
        channels=channels_of(cases),
        classes={name: (n,) for n, name in enumerate(names)},
        cases=unique(cases),
    )


def _folders(root: Path) -> list[Path]:
    return sorted(f for f in root.iterdir() if f.is_dir() and not f.name.startswith("."))
