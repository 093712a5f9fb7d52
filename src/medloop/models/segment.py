"""From an image to the labels of a network that segments, on the image's own grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Shaped, UInt8
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.imaging.orientation import Turn, turn_of, upright_grid
from medloop.imaging.resample import resize
from medloop.models.predict import Predictor
from medloop.models.segmentation_plan import (
    PICTURES,
    Intensity,
    SegmentationPlan,
    order_mirrored,
)
from medloop.models.window import slide

_SLAB = 16  # slices whose probabilities are on the image's grid at one time


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An image as the network wants it, and the way back.

    `array` is (c, z, y, x) at the plan's spacing; upright it had `size` voxels before.
    """

    array: Float32[ndarray, " c *s"]
    size: tuple[int, ...]
    turn: Turn | None


def prepare(
    image: Shaped[ndarray, " c *s"], grid: Grid | None, plan: SegmentationPlan
) -> Prepared:
    """Turn upright, bring to the plan's spacing, and scale each channel.

    Raises
    ------
    InputError
        If the image has other channels or axes than the plan.
    """
    require_suits(image, grid, channels=plan.channels, frame=plan.frame)
    turn, upright, size = None, image, image.shape[1:]
    if grid is not None:
        turn = turn_of(grid)
        upright, there = turn.upright(image), upright_grid(grid, turn)
        steps = zip(there.shape, there.spacing_mm, plan.spacing_mm, strict=True)
        size = tuple(max(1, round(n * have / wanted)) for n, have, wanted in steps)
    return Prepared(scaled(upright, plan.intensities, size), upright.shape[1:], turn)


def require_suits(
    image: Shaped[ndarray, " c *s"],
    grid: Grid | None,
    *,
    channels: Sequence[str],
    frame: str,
) -> None:
    """Refuse an image with other channels, or of another kind, than a network reads.

    Raises
    ------
    InputError
        If it is.
    """
    if len(image) != len(channels):
        wanted = f"{len(channels)} ({', '.join(channels)})"
        raise InputError(f"{len(image)} channels, the network reads {wanted}")
    if (grid is None) != (frame == PICTURES):
        raise InputError(f"the network reads {frame}, this is another kind of image")


def scaled(
    image: Shaped[ndarray, " c *s"],
    intensities: Sequence[Intensity],
    size: tuple[int, ...],
    *,
    cubic: bool = False,
) -> Float32[ndarray, " c *t"]:
    """Scale each channel and bring it to `size`; `cubic` enlarges by cubic convolution."""
    parts = [
        resize(scale(channel.astype(np.float32), how), size, cubic=cubic)
        for channel, how in zip(image, intensities, strict=True)
    ]
    return np.stack(parts)


def scale(channel: Float32[ndarray, "*s"], how: Intensity) -> Float32[ndarray, "*s"]:
    """Scale one channel as the plan says."""
    clipped = np.clip(channel, how.low, how.high)
    if not how.own:
        return np.asarray((clipped - how.mean) / how.deviation, np.float32)
    filled = clipped[channel != 0]
    counted = filled if 0 < filled.size < 0.75 * clipped.size else clipped
    deviation = max(float(counted.std(dtype=np.float64)), 1e-6)
    return np.asarray((clipped - counted.mean(dtype=np.float64)) / deviation, np.float32)


def probabilities(
    predictor: Predictor, prepared: Prepared, plan: SegmentationPlan
) -> Float32[ndarray, " n *s"]:
    """Probability of background and each class, on the prepared grid."""
    return slide(
        predictor,
        prepared.array,
        patch=plan.patch,
        overlap=plan.overlap,
        flips=plan.flips,
        order=order_mirrored(plan) if plan.exchanged else None,
    )


def labels_of(
    probability: Float32[ndarray, " n *s"], prepared: Prepared
) -> UInt8[ndarray, "*s"]:
    """Most probable class of each voxel of the image as it was stored.

    Probabilities are carried to the image's grid a slab at a time, so the memory this takes
    does not grow with classes times voxels.
    """
    size = prepared.size
    out = np.empty(size, np.uint8)
    if probability.shape[1:] == size:
        out[...] = probability.argmax(axis=0)
    else:
        for start in range(0, size[0], _SLAB):
            stop = min(start + _SLAB, size[0])
            slab = [resize(each, size, rows=(start, stop)) for each in probability]
            out[start:stop] = np.argmax(slab, axis=0)
    return out if prepared.turn is None else np.ascontiguousarray(prepared.turn.back(out))


def on_image(
    probability: Float32[ndarray, " *s"], prepared: Prepared
) -> Float32[ndarray, " *s"]:
    """Carry one class's probability to the voxels of the image as it was stored."""
    out = resize(probability, prepared.size)
    return out if prepared.turn is None else np.ascontiguousarray(prepared.turn.back(out))


def segment(
    predictor: Predictor,
    image: Shaped[ndarray, " c *s"],
    grid: Grid | None,
    plan: SegmentationPlan,
) -> UInt8[ndarray, "*s"]:
    """Label each voxel, background 0; `image` is (c, k, j, i), or (c, y, x) without a grid."""
    prepared = prepare(image, grid, plan)
    return labels_of(probabilities(predictor, prepared, plan), prepared)
