"""Prepared cases with their boxes, and augmented patches drawn from them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from numpy import ndarray
from torch import Tensor

from medloop.learning.data.description import CaseSource, Dataset
from medloop.learning.data.labels import read_boxes
from medloop.learning.data.pixels import read_image
from medloop.learning.detection.fingerprint import numbers_of
from medloop.learning.detection.targets import Targets, moved_boxes, targets_of
from medloop.learning.opening import Count
from medloop.learning.sampling import draw_patch, in_turn
from medloop.learning.transforms import Ranges, Sample, apply, draw
from medloop.learning.whole import save_array
from medloop.models.detect import prepare
from medloop.models.detection_plan import DetectionPlan

_ASIDE = 0.35  # of a patch's side: how far from its middle an object that is aimed at may lie


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCase:
    """A case at the plan's spacing: image (c, *s), and its objects on the image's voxels."""

    image: Float32[ndarray, " c *s"]
    edges: Float[ndarray, "n 2 d"]
    classes: Int[ndarray, " n"]


def prepare_case(dataset: Dataset, case: CaseSource, plan: DetectionPlan) -> PreparedCase:
    """Read a case and bring it to the plan's spacing.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    image = read_image(case)
    prepared = prepare(image.array, image.grid, plan)
    boxes = read_boxes(case, image)
    return PreparedCase(
        prepared.array, prepared.from_image(boxes.edges), numbers_of(dataset, boxes)
    )


def load_cases(
    dataset: Dataset,
    cases: Sequence[CaseSource],
    plan: DetectionPlan,
    kept: Path,
    report: Count = lambda _done, _all: None,
) -> tuple[PreparedCase, ...]:
    """Prepare every case once; what lies in `kept` is mapped into memory, not read again."""
    kept.mkdir(parents=True, exist_ok=True)
    out = []
    for n, case in enumerate(cases):
        image, boxes = kept / f"{n:05d}.image.npy", kept / f"{n:05d}.boxes.npy"
        if not (image.is_file() and boxes.is_file()):
            made = prepare_case(dataset, case, plan)
            table = made.edges.reshape(-1, 2 * len(plan.patch))
            save_array(made.image, image)
            save_array(np.c_[table, made.classes], boxes)
        rows = np.load(boxes)
        edges = rows[:, :-1].reshape(-1, 2, len(plan.patch))
        mapped = np.load(image, mmap_mode="r")
        out.append(PreparedCase(mapped, edges, rows[:, -1].astype(int)))
        report(n + 1, len(cases))
    return tuple(out)


@dataclass(frozen=True, slots=True, eq=False)
class BoxBatches:
    """One epoch of augmented patches with what the network should answer."""

    cases: tuple[PreparedCase, ...]
    plan: DetectionPlan
    ranges: Ranges
    batch: int
    steps: int
    foreground: float

    def __call__(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Draw one epoch: images, and `targets_of` each; cases come up evenly."""
        turn = in_turn(len(self.cases), rng)
        for _ in range(self.steps):
            patches = [self._one(self.cases[next(turn)], rng) for _ in range(self.batch)]
            yield tuple(torch.from_numpy(np.stack(part)) for part in zip(*patches, strict=True))

    def _one(
        self, case: PreparedCase, rng: np.random.Generator
    ) -> tuple[Float32[ndarray, " c *p"], *Targets]:
        patch, shape = self.plan.patch, case.image.shape[1:]
        start = draw_patch(
            shape, patch, self._places(case, rng), foreground=self.foreground, rng=rng
        )
        center = tuple(s + (p - 1) / 2 for s, p in zip(start, patch, strict=True))
        change = draw(
            rng,
            self.ranges,
            image=case.image,
            spacing_mm=self.plan.spacing,
            patch=patch,
            center=center,
        )
        image = apply(Sample(case.image), change).image
        edges = moved_boxes(case.edges, change.warp)
        targets = targets_of(edges, case.classes, self.plan)
        return np.ascontiguousarray(image, np.float32), *targets

    def _places(
        self, case: PreparedCase, rng: np.random.Generator
    ) -> dict[int, Int[ndarray, "n d"]]:
        """Where a patch may have its middle so that it shows an object, by class."""
        middle = case.edges.mean(axis=1)
        aside = rng.uniform(-_ASIDE, _ASIDE, middle.shape) * np.array(self.plan.patch)
        there = np.rint(middle + aside).astype(np.int32)
        return {int(c): there[case.classes == c] for c in np.unique(case.classes)}
