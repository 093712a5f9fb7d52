"""Augmented patches drawn from prepared cases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int16
from numpy import ndarray
from torch import Tensor

from medloop.learning.sampling import draw_patch, in_turn
from medloop.learning.segmentation.prepared import BLANK, UNKNOWN, PreparedCase
from medloop.learning.segmentation.surroundings import (
    NO_CHANGE,
    Patch,
    Surroundings,
    changed,
    wholest,
)
from medloop.learning.transforms import Ranges, Sample, Sampling, apply, draw
from medloop.models.segmentation_plan import SegmentationPlan, order_mirrored


@dataclass(frozen=True, slots=True, eq=False)
class PatchBatches:
    """One epoch of augmented patches; a share of them is centered on a labelled voxel.

    Attributes
    ----------
    surroundings
        How what was left out is filled, and what is hidden.
    is_partial
        Whether a class that a case lacks was not drawn; batches then say which are known.
    outside
        Scaled value beyond the border of an image.
    """

    cases: tuple[PreparedCase, ...]
    plan: SegmentationPlan
    ranges: Ranges
    batch: int
    steps: int
    foreground: float
    surroundings: Surroundings = NO_CHANGE
    is_partial: bool = False
    outside: float = 0.0

    def __call__(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Draw one epoch: images, labels, and (B, C) known classes; cases come up evenly."""
        turn = in_turn(len(self.cases), rng)
        whole = wholest(self.cases) if self.surroundings.filled else []
        for _ in range(self.steps):
            chosen = [next(turn) for _ in range(self.batch)]
            patches = [self._one(self.cases[n], whole, rng) for n in chosen]
            parts = [np.stack(part) for part in zip(*patches, strict=True)]
            yield tuple(torch.from_numpy(part) for part in parts[: 2 + self.is_partial])

    def _known(self, case: PreparedCase) -> Bool[ndarray, " n"]:
        drawn = [n == 0 or n in case.places for n in range(len(self.plan.classes) + 1)]
        return np.array(drawn)

    def _one(
        self, case: PreparedCase, whole: Sequence[PreparedCase], rng: np.random.Generator
    ) -> tuple[Float32[ndarray, " c *p"], Int16[ndarray, "*p"], Bool[ndarray, " n"]]:
        patch, shape = self.plan.patch, case.labels.shape
        start = draw_patch(shape, patch, case.places, foreground=self.foreground, rng=rng)
        center = tuple(s + (p - 1) / 2 for s, p in zip(start, patch, strict=True))
        spacing = self.plan.spacing_mm or (1.0,) * len(patch)
        change = draw(
            rng, self.ranges, image=case.image, spacing_mm=spacing, patch=patch, center=center
        )
        sampling = Sampling(fill=self.outside, label=0)

        def show(of: PreparedCase, shift: Float[ndarray, " d"]) -> Patch:
            there = replace(change.warp, center=change.warp.center + shift)
            sample = Sample(of.image, of.labels)
            moved = apply(sample, replace(change, warp=there), sampling=sampling)
            if moved.labels is None:  # they were given
                raise ValueError("labels were lost")
            return Patch(moved.image, moved.labels)

        shown = show(case, np.zeros(len(patch)))
        made = changed(case, shown, whole, show, self.surroundings, rng)
        labels, known = made.labels.astype(np.int16), self._known(case)
        if self.plan.exchanged and np.linalg.det(change.warp.matrix) < 0:
            mirrored = list(order_mirrored(self.plan))
            order = np.array([*mirrored, BLANK, UNKNOWN], np.int16)
            labels, known = order[labels], known[mirrored]  # -1 and -2 are the last two
        labels[labels == BLANK] = 0
        return np.ascontiguousarray(made.image, np.float32), labels, known
