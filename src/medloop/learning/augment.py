"""Random changes of a photograph: draw the parameters, then apply them in one resampling."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray


@dataclass(frozen=True, slots=True)
class Ranges:
    """How far a draw may go; each is a half-width around "unchanged"."""

    rotation_deg: float = 20.0
    scale: float = 0.1
    shift: float = 0.03  # of the side
    brightness: float = 0.15  # of full scale
    contrast: float = 0.2
    gamma: float = 0.25
    tint: float = 0.08  # of each channel's gain
    saturation: float = 0.25
    noise: float = 4.0  # gray levels, maximal standard deviation
    blur: float = 0.8  # pixels, maximal sigma
    flips: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """One draw: an affine map (output pixel from input pixel) and a change of colors."""

    affine: tuple[tuple[float, float, float], tuple[float, float, float]]
    brightness: float
    contrast: float
    gamma: float
    saturation: float
    tint: tuple[float, float, float]
    noise: float
    noise_seed: int
    blur: float


def draw(
    rng: np.random.Generator,
    ranges: Ranges,
    *,
    source: tuple[float, float],
    size: tuple[int, int],
) -> Change:
    """Draw a change that brings the input point `source` (x, y) near the middle of `size`."""

    def spread(width: float) -> float:
        return float(rng.uniform(-width, width))

    angle = np.deg2rad(spread(ranges.rotation_deg))
    factor = float(np.exp(spread(ranges.scale)))
    turn = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if ranges.flips:
        turn = turn * np.where(rng.random(2) < 0.5, -1.0, 1.0)[None]
    rows, columns = size
    middle = np.array([(columns - 1) / 2, (rows - 1) / 2])
    middle = middle + np.array([spread(ranges.shift) * columns, spread(ranges.shift) * rows])
    offset = middle - turn @ np.array(source)
    first, second = np.c_[turn, offset].tolist()
    return Change(
        affine=(tuple(first), tuple(second)),
        brightness=spread(ranges.brightness),
        contrast=1 + spread(ranges.contrast),
        gamma=float(np.exp(spread(ranges.gamma))),
        saturation=1 + spread(ranges.saturation),
        tint=(1 + spread(ranges.tint), 1 + spread(ranges.tint), 1 + spread(ranges.tint)),
        noise=float(rng.uniform(0, ranges.noise)),
        noise_seed=int(rng.integers(2**31)),
        blur=float(rng.uniform(0, ranges.blur)),
    )


def warp(
    image: Shaped[ndarray, "y x *c"], change: Change, *, size: tuple[int, int], smooth: bool
) -> Shaped[ndarray, "v u *c"]:
    """Apply the spatial part; outside the input is 0. Masks are not smoothed."""
    return cv2.warpAffine(
        image,
        np.array(change.affine),
        (size[1], size[0]),
        flags=cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST,
    )


def recolor(rgb: UInt8[ndarray, "y x 3"], change: Change) -> UInt8[ndarray, "y x 3"]:
    """Apply the color part; black stays black, so the dark frame is kept."""
    lut_in = np.arange(256, dtype=np.float32) / 255
    curve = np.clip(lut_in, 0, 1) ** change.gamma * change.contrast
    curve = curve + change.brightness * lut_in
    tables = [np.clip(255 * curve * t, 0, 255).astype(np.uint8) for t in change.tint]
    out = np.stack(
        [cv2.LUT(np.ascontiguousarray(rgb[..., c]), tables[c]) for c in range(3)], -1
    )
    gray = cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)[..., None]
    out = cv2.addWeighted(
        out, change.saturation, np.repeat(gray, 3, -1), 1 - change.saturation, 0
    )
    if change.blur > 0.3:
        out = cv2.GaussianBlur(out, (0, 0), change.blur)
    if change.noise > 0.5:
        grain = np.random.default_rng(change.noise_seed).standard_normal(
            rgb.shape, dtype=np.float32
        )
        lit = out.max(axis=-1, keepdims=True) > 8
        out = np.clip(out + change.noise * grain * lit, 0, 255).astype(np.uint8)
    return np.asarray(out)


def to_input(
    rgb: UInt8[ndarray, "y x 3"], *, mean: float, scale: float
) -> Float[ndarray, "3 y x"]:
    """8-bit picture to network input, channels first."""
    return ((rgb.astype(np.float32) - mean) / scale).transpose(2, 0, 1)
