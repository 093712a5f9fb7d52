"""What training images have in common, as far as a plan depends on it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from medloop.imaging.orientation import turn_of, upright_grid
from medloop.learning.data.description import CaseSource, Dataset, Grades, Kind
from medloop.learning.data.pixels import Image, read_image

_SAMPLED = 2000  # voxels of an image that stand for it
_BYTE = 255

Count = Callable[[int, int], None]  # cases done, of all


@dataclass(frozen=True, slots=True)
class Values:
    """Values of one channel over all images; `low` and `high` are percentiles 0.5 and 99.5."""

    low: float
    high: float
    mean: float
    deviation: float
    darkest: float


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Sizes and values of a data set.

    `shapes` are those of the upright images, (k, j, i) or (j, i), each with how many images
    have it; `cases` counts the images of each class; `bytes` says whether all values are whole
    numbers of 8 bits.
    """

    kind: str
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    cases: tuple[int, ...]
    shapes: tuple[tuple[tuple[int, ...], int], ...]
    values: tuple[Values, ...]
    bytes: bool

    @property
    def typical_shape(self) -> tuple[int, ...]:
        """Median of each side."""
        sides = np.repeat([s for s, _ in self.shapes], [n for _, n in self.shapes], axis=0)
        return tuple(max(1, round(float(side))) for side in np.median(sides, axis=0))

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=1) + "\n"


def class_of(dataset: Dataset, case: CaseSource) -> int:
    """Return the number of a case's class, 0 for the first.

    Raises
    ------
    ValueError
        If the case has no class, or several.
    """
    if not isinstance(case.label, Grades) or len(case.label.values) != 1:
        raise ValueError(f"{case.name} has not one class")
    value = case.label.values[0]
    for number, values in enumerate(dataset.classes.values()):
        if value in values:
            return number
    raise ValueError(f"{case.name} has class {value}, which is none")


def fingerprint(
    dataset: Dataset,
    cases: Sequence[CaseSource],
    *,
    report: Count = lambda _done, _all: None,
) -> Fingerprint:
    """Read every case once; the same cases give the same fingerprint.

    Raises
    ------
    InputError
        If a case cannot be read.
    """
    shapes: dict[tuple[int, ...], int] = {}
    samples, darkest, is_byte = [], [], True
    for n, case in enumerate(cases):
        image = read_image(case)
        shape = _upright(image)
        shapes[shape] = shapes.get(shape, 0) + 1
        flat = image.array.reshape(len(image.array), -1)
        samples.append(flat[:, :: max(1, flat.shape[1] // _SAMPLED)].astype(np.float32))
        darkest.append(flat.min(axis=1))
        is_byte = is_byte and _is_byte(flat)
        report(n + 1, len(cases))
    lowest = np.min(darkest, axis=0)
    values = np.concatenate(samples, axis=1)
    numbers = [class_of(dataset, case) for case in cases]
    return Fingerprint(
        Kind.SOLID if dataset.kind is Kind.SOLID else Kind.FLAT,
        dataset.channels,
        tuple(dataset.classes),
        tuple(np.bincount(numbers, minlength=len(dataset.classes)).tolist()),
        tuple(sorted(shapes.items())),
        tuple(_values(v, float(d)) for v, d in zip(values, lowest, strict=True)),
        is_byte,
    )


def _is_byte(flat: Shaped[ndarray, "c n"]) -> bool:
    return flat.dtype.kind in "ui" and int(flat.min()) >= 0 and int(flat.max()) <= _BYTE


def _upright(image: Image) -> tuple[int, ...]:
    if image.grid is None:
        return image.array.shape[1:]
    return upright_grid(image.grid, turn_of(image.grid)).shape


def _values(values: Float[ndarray, " n"], darkest: float) -> Values:
    low, high = np.percentile(values, (0.5, 99.5))
    deviation = max(float(values.std(dtype=np.float64)), 1e-6)
    mean = float(values.mean(dtype=np.float64))
    return Values(float(low), float(high), mean, deviation, darkest)
