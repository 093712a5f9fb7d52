"""Learning to outline lesions on photographs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor, nn

from medloop.learning.augment import Change, Ranges, draw, recolor, to_input, warp
from medloop.learning.datasets import Example
from medloop.learning.losses import rare_regions
from medloop.learning.placed import placed, placed_bits
from medloop.models.plan import Plan
from medloop.models.predict import Predictor

_WHOLE = 0.95  # resolution that is not worth a resampling


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


@dataclass(frozen=True, slots=True, eq=False)
class LesionBatches:
    """One epoch of augmented crops, most of them around a lesion of a class drawn evenly.

    A share of the crops shows healthy photographs: no lesion there, and of the disc, whose
    outline nobody drew, nothing is asked (target -1).
    """

    pictures: OutlinedPictures
    healthy: tuple[UInt8[ndarray, "v u 3"], ...]
    plan: Plan
    ranges: Ranges
    size: tuple[int, int]
    batch: int
    steps: int
    share: float  # of crops that show a healthy photograph
    detail: float  # least share of the resolution that is shown
    focus: float = 0.7  # share of crops around an outlined pixel

    def __call__(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Draw one epoch."""
        where = self._lesion_pixels()
        n = 0
        order = rng.permutation(len(self.pictures.canvases))
        for _ in range(self.steps):
            crops = []
            for _ in range(self.batch):
                if self.healthy and rng.random() < self.share:
                    crops.append(self._healthy(rng))
                else:
                    crops.append(self._sick(int(order[n % len(order)]), where, rng))
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

    def _sick(
        self, n: int, where: list[dict[int, ndarray]], rng: np.random.Generator
    ) -> tuple[Float[ndarray, "3 y x"], Float[ndarray, "c y x"]]:
        bits = self.pictures.bits[n]
        center = self._anywhere(bits.shape, rng)
        if where[n] and rng.random() < self.focus:
            pixels = where[n][int(rng.choice(sorted(where[n])))]
            center = pixels[rng.integers(len(pixels))] + rng.uniform(-0.35, 0.35, 2) * self.size
        x, change = self._crop(self.pictures.canvases[n], center, rng)
        packed = warp(bits, change, size=self.size, smooth=False)
        channels = np.arange(len(self.plan.classes), dtype=np.uint8)[:, None, None]
        return x, ((packed[None] >> channels) & 1).astype(np.float32)

    def _healthy(
        self, rng: np.random.Generator
    ) -> tuple[Float[ndarray, "3 y x"], Float[ndarray, "c y x"]]:
        rgb = self.healthy[int(rng.integers(len(self.healthy)))]
        x, _ = self._crop(rgb, self._anywhere(rgb.shape[:2], rng), rng)
        target = np.zeros((len(self.plan.classes), *self.size), np.float32)
        target[self.plan.classes.index("OD")] = -1
        return x, target

    @staticmethod
    def _anywhere(size: tuple[int, ...], rng: np.random.Generator) -> ndarray:
        return rng.uniform(0.2, 0.8, 2) * (size[1], size[0])

    def _crop(
        self, rgb: UInt8[ndarray, "v u 3"], center: ndarray, rng: np.random.Generator
    ) -> tuple[Float[ndarray, "3 y x"], Change]:
        source = (float(center[0]), float(center[1]))
        change = draw(rng, self.ranges, source=source, size=self.size)
        moved = warp(rgb, change, size=self.size, smooth=True)
        moved = recolor(coarsen(moved, float(rng.uniform(self.detail, 1.0))), change)
        return to_input(moved, mean=self.plan.mean, scale=self.plan.scale), change


def coarsen(rgb: UInt8[ndarray, "y x 3"], share: float) -> UInt8[ndarray, "y x 3"]:
    """Show a picture at a share (0..1) of its resolution, on the same pixels."""
    if share > _WHOLE:
        return rgb
    size = (rgb.shape[1], rgb.shape[0])
    small = cv2.resize(rgb, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC))


def lesion_loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Loss of one batch of crops."""
    x, y = batch
    return rare_regions(model(x).float(), y)


def probabilities(
    network: Predictor, rgb: UInt8[ndarray, "v u 3"], plan: Plan
) -> Float[ndarray, "c v u"]:
    """Probability of each class and pixel of one canvas."""
    x = to_input(rgb, mean=plan.mean, scale=plan.scale)[None]
    return np.asarray(network.run(np.ascontiguousarray(x))["probability"][0])
