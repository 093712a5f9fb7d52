"""Learning to grade photographs on ordinal scales."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor, nn

from medloop.learning.augment import Ranges, draw, recolor, to_input, warp
from medloop.learning.datasets import Example
from medloop.learning.losses import cumulative_targets, ordinal
from medloop.learning.placed import placed
from medloop.models.plan import Plan
from medloop.models.predict import Predictor


@dataclass(frozen=True, slots=True, eq=False)
class GradedPictures:
    """Photographs on the plan's canvas, in memory, with their grades."""

    canvases: tuple[UInt8[ndarray, "v u 3"], ...]
    grades: tuple[tuple[int, ...], ...]

    def take(self, which: Sequence[int]) -> "GradedPictures":
        """Return a part, in the order given."""
        return GradedPictures(
            tuple(self.canvases[n] for n in which), tuple(self.grades[n] for n in which)
        )


def load(examples: Sequence[Example], plan: Plan) -> GradedPictures:
    """Read and place every photograph; `InputError` names one without a field of view."""
    canvases = tuple(placed(example, plan)[0] for example in examples)
    return GradedPictures(canvases, tuple(e.grades for e in examples))


@dataclass(frozen=True, slots=True, eq=False)
class GradingBatches:
    """One epoch of augmented photographs; rare grades are seen more often.

    `balance` 0 takes each photograph once, 1 takes each grade of the first scale equally often.
    """

    pictures: GradedPictures
    plan: Plan
    ranges: Ranges
    size: tuple[int, int]
    batch: int
    balance: float
    mixing: float
    steps: int = 0  # at most this many batches; 0 for all

    def __call__(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Draw one epoch."""
        order = self._order(rng)
        starts = range(0, len(order) - self.batch + 1, self.batch)
        for start in starts[: self.steps or None]:
            chosen = order[start : start + self.batch]
            x = np.stack([self._one(int(n), rng) for n in chosen])
            grades = torch.tensor([self.pictures.grades[int(n)] for n in chosen])
            y = cumulative_targets(grades, [s.grades - 1 for s in self.plan.scales])
            pixels = torch.from_numpy(x)
            if self.mixing > 0:
                share = float(rng.beta(self.mixing, self.mixing))
                other = torch.from_numpy(rng.permutation(len(chosen)))
                pixels = share * pixels + (1 - share) * pixels[other]
                y = share * y + (1 - share) * y[other]
            yield pixels.contiguous(memory_format=torch.channels_last), y

    def _order(self, rng: np.random.Generator) -> ndarray:
        first = np.array([g[0] for g in self.pictures.grades])
        counts = np.bincount(first)
        weight = (1.0 / counts[first]) ** self.balance
        expected = weight / weight.sum() * len(first)
        taken = np.floor(expected).astype(int)
        taken += rng.random(len(first)) < expected - taken
        order = np.repeat(np.arange(len(first)), taken)
        rng.shuffle(order)
        missing = -len(order) % self.batch
        return np.concatenate([order, rng.integers(0, len(first), missing)])

    def _one(self, n: int, rng: np.random.Generator) -> Float[ndarray, "3 y x"]:
        rgb = self.pictures.canvases[n]
        middle = ((rgb.shape[1] - 1) / 2, (rgb.shape[0] - 1) / 2)
        change = draw(rng, self.ranges, source=middle, size=self.size)
        moved = warp(rgb, change, size=self.size, smooth=True)
        return to_input(recolor(moved, change), mean=self.plan.mean, scale=self.plan.scale)


def grading_loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Ordinal loss of one batch."""
    x, y = batch
    return ordinal(model(x).float(), y)


def cumulative_logits(
    network: Predictor, pictures: GradedPictures, plan: Plan
) -> Float[ndarray, "n k"]:
    """Logits of P(grade > k), averaged over the photograph and its mirror image."""
    rows = []
    for rgb in pictures.canvases:
        x = to_input(rgb, mean=plan.mean, scale=plan.scale)[None]
        both = [np.ascontiguousarray(each) for each in (x, x[..., ::-1])]
        rows.append(np.mean([network.run(each)["logits"][0] for each in both], axis=0))
    return np.stack(rows)
