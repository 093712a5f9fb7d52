"""Prepared images, and augmented batches of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float16, Float32, Int
from numpy import ndarray
from torch import Tensor

from medloop.learning.classification.fingerprint import Count
from medloop.learning.data.description import CaseSource
from medloop.learning.data.pixels import read_image
from medloop.learning.sampling import draw_balanced
from medloop.learning.transforms import Ranges, Sample, Sampling, apply, draw
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.classify import prepare

Images = Float16[ndarray, " n c *s"]


def load_images(
    cases: Sequence[CaseSource],
    plan: ClassificationPlan,
    kept: Path,
    report: Count = lambda _done, _all: None,
) -> Images:
    """Prepare every case once, in half precision; what lies in `kept` is mapped into memory.

    Raises
    ------
    InputError
        If a case cannot be read.
    """
    path = kept / "images.npy"
    shape = (len(cases), len(plan.channels), *plan.size)
    if not path.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".part")
        out = np.lib.format.open_memmap(beside, "w+", np.float16, shape)
        for n, case in enumerate(cases):
            image = read_image(case)
            out[n] = prepare(image.array, image.grid, plan)
            report(n + 1, len(cases))
        out.flush()
        del out
        beside.replace(path)
    return np.load(path, mmap_mode="r")


@dataclass(frozen=True, slots=True, eq=False)
class ImageBatches:
    """One epoch of augmented images and their soft targets; rare classes come up more often."""

    images: Images
    classes: Int[ndarray, " n"]
    chosen: Int[ndarray, " m"]
    plan: ClassificationPlan
    ranges: Ranges
    batch: int
    steps: int
    balance: float = 0.0
    mixing: float = 0.0

    def __call__(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Draw one epoch: (B, c, *s) images and (B, k) targets."""
        order = self._order(rng)
        for start in range(0, self.steps * self.batch, self.batch):
            which = order[start : start + self.batch]
            x = torch.from_numpy(np.stack([self._one(int(n), rng) for n in which]))
            y = torch.from_numpy(targets(self.classes[which], self.plan))
            if self.mixing > 0:
                share = float(rng.beta(self.mixing, self.mixing))
                other = torch.from_numpy(rng.permutation(len(which)))
                x = share * x + (1 - share) * x[other]
                y = share * y + (1 - share) * y[other]
            yield x, y

    def _order(self, rng: np.random.Generator) -> Int[ndarray, " k"]:
        """Draw with replacement by class, or else take every image as often as any other."""
        count = self.steps * self.batch
        if self.balance > 0:
            drawn = draw_balanced(
                self.classes[self.chosen], count, balance=self.balance, rng=rng
            )
            return self.chosen[drawn]
        rounds = -(-count // len(self.chosen))
        return np.concatenate([rng.permutation(self.chosen) for _ in range(rounds)])[:count]

    def _one(self, n: int, rng: np.random.Generator) -> Float32[ndarray, " c *s"]:
        image = self.images[n].astype(np.float32)
        center = tuple((side - 1) / 2 for side in self.plan.size)
        spacing = (1.0,) * len(self.plan.size)
        change = draw(rng, self.ranges, image=image, spacing_mm=spacing, center=center)
        moved = apply(Sample(image), change, sampling=Sampling(edge=True))
        return np.ascontiguousarray(moved.image, np.float32)


def targets(classes: Int[ndarray, " b"], plan: ClassificationPlan) -> Float[ndarray, "b k"]:
    """1 for the class, 0 for the others; of grades, 1 for each step that is passed."""
    steps = np.arange(plan.logits)
    hit = classes[:, None] > steps if plan.ordinal else classes[:, None] == steps
    return hit.astype(np.float32)
