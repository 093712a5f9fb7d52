"""Pictures of single cases: true outline beside the one found, where they disagree most."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Int, Shaped, UInt8
from numpy import ndarray

from medloop.imaging.orientation import turn_of, upright_grid
from medloop.learning.data.pixels import Image
from medloop.learning.evaluating.blocks import Pictures
from medloop.learning.evaluating.cases import Chosen
from medloop.learning.evaluating.segmentation import Segmented, labelled, worst_first
from medloop.models.predict import Predictor
from medloop.models.segmentation_plan import SegmentationPlan

_SHOWN = 3
_SIDE = 420  # pixels of the longer side
_MARGIN = 0.15  # of the side, around what is outlined
_TRUE, _FOUND = (90, 200, 90), (40, 120, 245)  # BGR


def worst_pictures(
    plan: SegmentationPlan,
    predictor: Predictor,
    found: Segmented,
    chosen: Chosen,
    numbers: Sequence[int],
) -> Pictures:
    """Draw the slice with the most disagreement of the worst cases; each is labelled anew."""
    drawn = []
    dice = found.of("dice")[:, -1]
    for n in worst_first(found)[:_SHOWN]:
        truth, answer, image = labelled(
            plan, predictor, chosen.dataset, chosen.cases[n], numbers
        )
        value = f" · Dice {dice[n]:.3f}" if np.isfinite(dice[n]) else ""
        drawn.append((f"{chosen.names[n]}{value}", outlined(image, truth, answer)))
    return Pictures("worst_pictures", drawn, "contours_note")


def outlined(image: Image, truth: Int[ndarray, "*s"], found: Int[ndarray, "*s"]) -> bytes:
    """Return a PNG of one slice, seen from the feet, or of the picture, around the outlines."""
    gray, ours, theirs, aspect = _slice(image, truth, found)
    box = _box((ours > 0) | (theirs > 0))
    gray, ours, theirs = gray[box], ours[box], theirs[box]
    height, width = gray.shape[0] * aspect, gray.shape[1]
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = cv2.cvtColor(
        cv2.resize(gray, size, interpolation=cv2.INTER_LINEAR), cv2.COLOR_GRAY2BGR
    )
    for labels, color in ((ours, _TRUE), (theirs, _FOUND)):
        for value in np.unique(labels[labels > 0]):
            mask = cv2.resize(
                (labels == value).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST
            )
            lines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(canvas, lines, -1, color, 2, cv2.LINE_AA)
    return bytes(cv2.imencode(".png", canvas)[1])


def _slice(
    image: Image, truth: Int[ndarray, "*s"], found: Int[ndarray, "*s"]
) -> tuple[UInt8[ndarray, "y x"], Int[ndarray, "y x"], Int[ndarray, "y x"], float]:
    """Gray values, both labels, and how much taller than wide a pixel is."""
    if image.grid is None:
        channel = image.array.mean(axis=0) if len(image.array) == 3 else image.array[0]
        return _gray(channel), truth, found, 1.0
    turn = turn_of(image.grid)
    upright = [turn.upright(part) for part in (image.array[0], truth, found)]
    apart = (upright[1] != upright[2]).sum(axis=(1, 2))
    k = int(apart.argmax()) if apart.any() else len(apart) // 2
    spacing = upright_grid(image.grid, turn).spacing_mm
    return _gray(upright[0][k]), upright[1][k], upright[2][k], spacing[1] / spacing[2]


def _gray(channel: Shaped[ndarray, "y x"]) -> UInt8[ndarray, "y x"]:
    low, high = np.percentile(channel, (1, 99.5))
    share = (channel.astype(np.float32) - low) / max(float(high - low), 1e-6)
    return np.asarray(255 * np.clip(share, 0, 1), np.uint8)


def _box(mask: Shaped[ndarray, "y x"]) -> tuple[slice, slice]:
    """Square window around a mask, with some room; everything where there is no mask."""
    if not mask.any():
        return slice(None), slice(None)
    spans = []
    for axis, size in enumerate(mask.shape):
        used = np.flatnonzero(mask.any(axis=1 - axis))
        spans.append((int(used[0]), int(used[-1]) + 1, size))
    side = max(high - low for low, high, _ in spans)
    room = max(4, round(side * _MARGIN))
    window = []
    for low, high, size in spans:
        aside = (side - (high - low)) // 2 + room
        window.append(slice(max(0, low - aside), min(size, high + aside)))
    return window[0], window[1]
