"""Public retina sets as examples: IDRiD gradings and lesion outlines (Porwal 2018)."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from medloop.core.errors import InputError

LESIONS = ("MA", "HE", "EX", "SE")
REGIONS = (*LESIONS, "OD")
_DUPLICATE_RMS = 2.5  # gray levels between two thumbnails; other eyes differ by 6 and more


@dataclass(frozen=True, slots=True)
class Example:
    """One photograph with what is known of it; `masks` maps a class to its outline picture."""

    name: str
    path: Path
    grades: tuple[int, ...] = ()
    masks: Mapping[str, Path] = field(default_factory=dict)


def gradings(root: Path) -> tuple[Example, ...]:
    """Read ``grading/labels.csv`` (file, dr_grade, dme_grade) of an IDRiD folder.

    Raises
    ------
    InputError
        If the table or a picture it names is missing, or a grade is no grade.
    """
    folder = root / "grading" if (root / "grading").is_dir() else root
    table = folder / "labels.csv"
    if not table.is_file():
        raise InputError(f"{table} is missing: columns file, dr_grade, dme_grade")
    examples: list[Example] = []
    with table.open(newline="", encoding="utf-8") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            try:
                grades = (int(row["dr_grade"]), int(row["dme_grade"]))
                path = folder / "images" / row["file"]
            except (KeyError, TypeError, ValueError) as why:
                raise InputError(f"{table} line {number}: {why!r}") from why
            if grades[0] not in range(5) or grades[1] not in range(3):
                raise InputError(f"{table} line {number}: grades {grades} outside 0-4, 0-2")
            if not path.is_file():
                raise InputError(f"{table} line {number}: {path} is missing")
            examples.append(Example(path.stem, path, grades))
    return tuple(examples)


def outlines(root: Path) -> tuple[Example, ...]:
    """Read ``lesions/images`` and ``lesions/masks/<class>`` of an IDRiD folder.

    A mask that is missing means that the class is absent from the picture.
    """
    folder = root / "lesions" if (root / "lesions").is_dir() else root
    paths = sorted((folder / "images").glob("*.jpg"))
    if not paths:
        raise InputError(f"{folder / 'images'} holds no .jpg")
    examples: list[Example] = []
    for path in paths:
        masks = {c: folder / "masks" / c / f"{path.stem}.png" for c in REGIONS}
        present = {c: m for c, m in masks.items() if m.is_file()}
        if not present:
            raise InputError(f"{path.name} has no mask of {', '.join(REGIONS)}")
        examples.append(Example(path.stem, path, masks=present))
    return tuple(examples)


def read_rgb(path: Path) -> ndarray:
    """Read an 8-bit picture as (y, x, 3) red, green, blue."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise InputError(f"{path.name} is no readable picture")
    return np.asarray(bgr[..., ::-1])


def read_mask(example: Example, name: str, size: tuple[int, int]) -> Bool[ndarray, "y x"]:
    """Read one class's outline; all False where the class is absent."""
    if name not in example.masks:
        return np.zeros(size, bool)
    mask = cv2.imread(str(example.masks[name]), cv2.IMREAD_GRAYSCALE)
    if mask is None or mask.shape != size:
        raise InputError(f"{example.masks[name].name} is no mask of {size} pixels")
    return np.asarray(mask > 0)


def thumbnail(path: Path) -> Float[ndarray, " n"]:
    """Shrink to 64 x 48: what two copies of one photograph share at any resolution."""
    small = cv2.resize(read_rgb(path), (64, 48), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32).reshape(-1)


def groups_of(examples: Sequence[Example]) -> Int[ndarray, " n"]:
    """Return a number for each photograph; copies of one photograph share it."""
    thumbs = np.stack([thumbnail(e.path) for e in examples])
    group = np.arange(len(examples))
    for n in range(1, len(examples)):
        rms = np.sqrt(((thumbs[:n] - thumbs[n]) ** 2).mean(axis=1))
        nearest = int(rms.argmin())
        if rms[nearest] < _DUPLICATE_RMS:
            group[n] = group[nearest]
    return group
