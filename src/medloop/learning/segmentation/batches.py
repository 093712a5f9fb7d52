"""Prepared cases, and augmented patches drawn from them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int16
from numpy import ndarray
from torch import Tensor

from medloop.imaging.resample import resize
from medloop.learning.data.description import CaseSource, Dataset
from medloop.learning.data.labels import read_mask
from medloop.learning.data.pixels import read_image
from medloop.learning.sampling import Places, draw_patch, in_turn, places_of
from medloop.learning.segmentation.fingerprint import Count, class_labels
from medloop.learning.transforms import Ranges, Sample, Sampling, apply, draw
from medloop.learning.whole import save_array
from medloop.models.segment import prepare
from medloop.models.segmentation_plan import SegmentationPlan

_UNKNOWN = -1


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCase:
    """A case at the plan's spacing: image (c, *s) and labels (*s), -1 where unknown."""

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
    if prepared.turn is not None:
        labels = prepared.turn.upright(labels)
    labels = _resized(labels, prepared.array.shape[1:], len(plan.classes))
    return PreparedCase(prepared.array, labels, places_of(labels, rng=np.random.default_rng(0)))


def _resized(
    labels: Int16[ndarray, "*s"], size: tuple[int, ...], classes: int
) -> Int16[ndarray, "*t"]:
    if labels.shape == size:
        return np.ascontiguousarray(labels, np.int16)
    numbers = [n for n in range(_UNKNOWN, classes + 1) if (labels == n).any()]
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


@dataclass(frozen=True, slots=True, eq=False)
class PatchBatches:
    """One epoch of augmented patches; a share of them is centered on a labelled voxel."""

    cases: tuple[PreparedCase, ...]
    plan: SegmentationPlan
    ranges: Ranges
    batch: int
    steps: int
    foreground: float

    def __call__(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Draw one epoch; cases come up evenly."""
        turn = in_turn(len(self.cases), rng)
        for _ in range(self.steps):
            patches = [self._one(self.cases[next(turn)], rng) for _ in range(self.batch)]
            x, y = (np.stack(part) for part in zip(*patches, strict=True))
            yield torch.from_numpy(x), torch.from_numpy(y)

    def _one(
        self, case: PreparedCase, rng: np.random.Generator
    ) -> tuple[Float32[ndarray, " c *p"], Int16[ndarray, "*p"]]:
        patch, shape = self.plan.patch, case.labels.shape
        start = draw_patch(shape, patch, case.places, foreground=self.foreground, rng=rng)
        center = tuple(s + (p - 1) / 2 for s, p in zip(start, patch, strict=True))
        spacing = self.plan.spacing_mm or (1.0,) * len(patch)
        change = draw(
            rng, self.ranges, image=case.image, spacing_mm=spacing, patch=patch, center=center
        )
        sampling = Sampling(fill=0.0, label=0)
        moved = apply(Sample(case.image, case.labels), change, sampling=sampling)
        if moved.labels is None:  # they were given
            raise ValueError("labels were lost")
        return np.ascontiguousarray(moved.image, np.float32), moved.labels.astype(np.int16)
