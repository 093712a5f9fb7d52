"""Learning to outline lesions on photographs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor, nn

from medloop.learning.augment import Ranges, draw, recolor, to_input, warp
from medloop.learning.datasets import Example
from medloop.learning.loop import mixed_precision
from medloop.learning.losses import rare_regions
from medloop.learning.placed import placed, placed_bits
from medloop.models.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class OutlinedPictures:
    """Photographs on the plan's canvas with outlines as bits: bit c is class c of the plan."""

    canvases: tuple[UInt8[ndarray, "v u 3"], ...]
    bits: tuple[UInt8[ndarray, "v u"], ...]

    def take(self, which: Sequence[int]) -> "OutlinedPictures":
        """Return a part, in the order given."""
        return OutlinedPictures(
            tuple(self.canvases[n] for n in which), tuple(self.bits[n] for n in which)
        )


def load(examples: Sequence[Example], plan: Plan) -> OutlinedPictures:
    """Read and place every photograph and its masks."""
    canvases, bits = [], []
    for example in examples:
        canvas, placement = placed(example, plan)
        canvases.append(canvas)
        bits.append(placed_bits(example, plan, placement, canvas.shape[:2]))
    return OutlinedPictures(tuple(canvases), tuple(bits))


def with_healthy(
    sick: OutlinedPictures, healthy: Sequence[Example], plan: Plan, network: nn.Module
) -> OutlinedPictures:
    """Add photographs without lesions, and copies of the sick ones at their resolution.

    Without the copies, a network could tell the healthy ones by their blur. The disc of a
    healthy eye is where `network` sees it; its outline is not known otherwise.
    """
    canvases, bits = list(sick.canvases), list(sick.bits)
    disc = plan.classes.index("OD")
    factors = []
    for example in healthy:
        canvas, placement = placed(example, plan)
        factors.append((placement.box[2] - placement.box[0]) / placement.size[1])
        with mixed_precision(torch.device("cpu")):
            seen = probabilities(network, canvas, plan)[disc] > 0.5
        canvases.append(canvas)
        bits.append(seen.astype(np.uint8) << disc)
    factor = min(1.0, float(np.median(factors)))
    for canvas, outlined in zip(sick.canvases, sick.bits, strict=True):
        small = cv2.resize(canvas, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        size = (canvas.shape[1], canvas.shape[0])
        canvases.append(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC))
        bits.append(outlined)
    return OutlinedPictures(tuple(canvases), tuple(bits))


@dataclass(frozen=True, slots=True, eq=False)
class LesionBatches:
    """One epoch of augmented crops, most of them around a lesion of a class drawn evenly."""

    pictures: OutlinedPictures
    plan: Plan
    ranges: Ranges
    size: tuple[int, int]
    batch: int
    steps: int
    focus: float = 0.7  # share of crops around an outlined pixel

    def __call__(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Draw one epoch."""
        where = self._lesion_pixels()
        n = 0
        order = rng.permutation(len(self.pictures.canvases))
        for _ in range(self.steps):
            crops = []
            for _ in range(self.batch):
                crops.append(self._one(int(order[n % len(order)]), where, rng))
                n += 1
            x, y = (np.stack(part) for part in zip(*crops, strict=True))
            pixels = torch.from_numpy(x).contiguous(memory_format=torch.channels_last)
            yield pixels, torch.from_numpy(y)

    def _lesion_pixels(self) -> list[dict[int, ndarray]]:
        where = []
        for bits in self.pictures.bits:
            found: dict[int, ndarray] = {}
            for c in range(len(self.plan.classes)):
                y, x = np.nonzero(bits & (1 << c))
                if len(y):
                    found[c] = np.stack([x, y], axis=1)
            where.append(found)
        return where

    def _one(
        self, n: int, where: list[dict[int, ndarray]], rng: np.random.Generator
    ) -> tuple[Float[ndarray, "3 y x"], Float[ndarray, "c y x"]]:
        rgb, bits = self.pictures.canvases[n], self.pictures.bits[n]
        rows, columns = bits.shape
        if where[n] and rng.random() < self.focus:
            pixels = where[n][int(rng.choice(sorted(where[n])))]
            center = pixels[rng.integers(len(pixels))] + rng.uniform(-0.35, 0.35, 2) * self.size
        else:
            center = rng.uniform(0.2, 0.8, 2) * (columns, rows)
        source = (float(center[0]), float(center[1]))
        change = draw(rng, self.ranges, source=source, size=self.size)
        moved = recolor(warp(rgb, change, size=self.size, smooth=True), change)
        packed = warp(bits, change, size=self.size, smooth=False)
        channels = np.arange(len(self.plan.classes), dtype=np.uint8)[:, None, None]
        target = ((packed[None] >> channels) & 1).astype(np.float32)
        return to_input(moved, mean=self.plan.mean, scale=self.plan.scale), target


def lesion_loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Loss of one batch of crops."""
    x, y = batch
    return rare_regions(model(x).float(), y)


@torch.no_grad()
def probabilities(
    model: nn.Module, rgb: UInt8[ndarray, "v u 3"], plan: Plan
) -> Float[ndarray, "c v u"]:
    """Probability of each class and pixel of one canvas."""
    model.eval()
    x = torch.from_numpy(to_input(rgb, mean=plan.mean, scale=plan.scale).copy())[None]
    x = x.to(memory_format=torch.channels_last)
    return torch.sigmoid(model(x).float())[0].cpu().numpy()
