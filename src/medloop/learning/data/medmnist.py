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
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            members = set(archive.files)
    except (*FOREIGN_ERRORS, BadZipFile) as error:
        raise InputError(f"{path.name} is no readable .npz") from error
    parts = [part for part in PARTS if {f"{part}_images", f"{part}_labels"} <= members]
    try:
        cases = [case for part in parts for case in _cases(path, part)]
        shapes = {npz_array(path, f"{part}_images").shape[1:] for part in parts}
    except InputError as error:
        raise InputError(f"{path.name} {error}") from error
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


def _cases(path: Path, part: str) -> list[CaseSource]:
    member = f"{part}_images"
    images, labels = npz_array(path, member), npz_array(path, f"{part}_labels")
    counts = [len(np.atleast_1d(array)) for array in (images, labels)]
    if labels.dtype.kind not in "iu" or counts[0] != counts[1]:
        raise InputError(
            f"holds {counts[0]} {part} images and {counts[1]} labels of {labels.dtype}"
        )
    is_solid = images.ndim == 4 and images.shape[-1] != 3
    kind = Kind.SOLID if is_solid else Kind.FLAT
    return [
        CaseSource(
            name := f"{part}/{row}",
            name,
            kind,
            (Channel(path, member, row),),
            Grades(tuple(np.atleast_1d(labels[row]).tolist())),
            split=part,
        )
        for row in range(counts[0])
    ]
