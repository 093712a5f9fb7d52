"""MedMNIST (Yang 2023): pictures and volumes of 28 to 224 pixels in one ``.npz``."""

from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np

from medloop.core.errors import FOREIGN_ERRORS, InputError
from medloop.learning.data.description import (
    CaseSource,
    Channel,
    Dataset,
    Grades,
    Kind,
    Task,
)
from medloop.learning.data.pixels import npz_array

PARTS: Final = ("train", "val", "test")


def read_medmnist(path: Path) -> Dataset:
    """Read ``train``, ``val`` and ``test`` images and labels, as far as they are there.

    Raises
    ------
    InputError
        If an array is missing, or images and labels do not fit.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            members = set(archive.files)
    except (*FOREIGN_ERRORS, BadZipFile) as error:
        raise InputError(f"{path.name} is no readable .npz") from error
    cases: list[CaseSource] = []
    shapes = set()
    for part in PARTS:
        if f"{part}_images" in members:
            images = npz_array(path, f"{part}_images")
            shapes.add(images.shape[1:])
            cases += _cases(path, part, images.shape[0], images.ndim)
    if not cases or len(shapes) > 1:
        raise InputError(f"{path.name} holds images of {len(shapes)} shapes; one is needed")
    shape = shapes.pop()
    grades = {case.label for case in cases if isinstance(case.label, Grades)}
    width = {len(grade.values) for grade in grades}
    if len(width) > 1 or not 2 <= len(shape) <= 3:
        raise InputError(f"{path.name} holds images {shape} and labels of {width} columns")
    columns = width.pop() if width else 1
    values = sorted({value for grade in grades for value in grade.values})
    return Dataset(
        name=path.stem,
        layout="MedMNIST .npz",
        root=path.parent,
        task=Task.CLASSIFICATION,
        channels=("red", "green", "blue") if shape[-1] == 3 else ("image",),
        classes={str(value): (value,) for value in values},
        cases=tuple(cases),
        findings=tuple(str(n) for n in range(columns)) if columns > 1 else (),
    )


def _cases(path: Path, part: str, count: int, axes: int) -> list[CaseSource]:
    labels = npz_array(path, f"{part}_labels")
    if labels.dtype.kind not in "iu" or len(labels) != count:
        raise InputError(
            f"{path.name}: {part} has {count} images and {len(labels)} {labels.dtype} labels"
        )
    member = f"{part}_images"
    is_color = axes == 4 and npz_array(path, member).shape[-1] == 3
    kind = Kind.SOLID if axes == 4 and not is_color else Kind.FLAT
    return [
        CaseSource(
            name := f"{part}/{row}",
            name,
            kind,
            (Channel(path, member, row),),
            Grades(tuple(np.atleast_1d(labels[row]).tolist())),
            split=part,
        )
        for row in range(count)
    ]
