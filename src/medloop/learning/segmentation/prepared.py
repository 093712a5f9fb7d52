"""Cases at a plan's spacing, read once and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32, Int16
from numpy import ndarray

from medloop.imaging.resample import resize
from medloop.learning.data.description import CaseSource, Dataset
from medloop.learning.data.labels import read_mask
from medloop.learning.data.pixels import read_image
from medloop.learning.sampling import Places, places_of
from medloop.learning.segmentation.fingerprint import Count, class_labels
from medloop.learning.whole import save_array
from medloop.models.segment import prepare
from medloop.models.segmentation_plan import SegmentationPlan

UNKNOWN: Final = -1  # label of a voxel that nobody labelled
BLANK: Final = -2  # of one that the publisher of the image left out


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCase:
    """A case at the plan's spacing: image (c, *s) and labels (*s).

    Labels are `UNKNOWN` where nobody labelled, and `BLANK` where the image's publisher left
    voxels out.
    """

    image: Float32[ndarray, " c *s"]
    labels: Int16[ndarray, "*s"]
    places: Places


def prepare_case(dataset: Dataset, case: CaseSource, plan: SegmentationPlan) -> PreparedCase:
    """Read a case and bring it to the plan's spacing; labels go where most of them lies.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    image = read_image(case)
    prepared = prepare(image.array, image.grid, plan)
    labels = class_labels(dataset, read_mask(case, image))
    if dataset.blank is not None:
        labels[(image.array == dataset.blank).all(axis=0) & (labels == 0)] = BLANK
    if prepared.turn is not None:
        labels = prepared.turn.upright(labels)
    labels = _resized(labels, prepared.array.shape[1:], len(plan.classes))
    return PreparedCase(prepared.array, labels, places_of(labels, rng=np.random.default_rng(0)))


def _resized(
    labels: Int16[ndarray, "*s"], size: tuple[int, ...], classes: int
) -> Int16[ndarray, "*t"]:
    if labels.shape == size:
        return np.ascontiguousarray(labels, np.int16)
    numbers = [n for n in range(BLANK, classes + 1) if (labels == n).any()]
    shares = [resize((labels == n).astype(np.float32), size) for n in numbers]
    return np.asarray(np.array(numbers, np.int16)[np.argmax(shares, axis=0)])


def load_cases(
    dataset: Dataset,
    cases: Sequence[CaseSource],
    plan: SegmentationPlan,
    kept: Path,
    report: Count = lambda _done, _all: None,
) -> tuple[PreparedCase, ...]:
    """Prepare every case once; what lies in `kept` is mapped into memory, not read again."""
    kept.mkdir(parents=True, exist_ok=True)
    out = []
    for n, case in enumerate(cases):
        image, labels = kept / f"{n:05d}.image.npy", kept / f"{n:05d}.labels.npy"
        if labels.is_file():
            places = places_of(np.load(labels, mmap_mode="r"), rng=np.random.default_rng(0))
        else:
            made = prepare_case(dataset, case, plan)
            places = made.places
            save_array(made.image, image)
            save_array(made.labels, labels)
        arrays = np.load(image, mmap_mode="r"), np.load(labels, mmap_mode="r")
        out.append(PreparedCase(*arrays, places))
        report(n + 1, len(cases))
    return tuple(out)
