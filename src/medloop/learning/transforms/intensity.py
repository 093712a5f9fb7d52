"""Changes of values: brightness, contrast, gamma, blur, low resolution, noise."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Shaped
from numpy import ndarray


@dataclass(frozen=True, slots=True)
class IntensityRanges:
    """How far a draw may go, in the channel's own terms: any scaling of values will do."""

    brightness: float = 0.3  # of the channel's standard deviation
    contrast: float = 0.25  # natural logarithm of the factor around the mean
    gamma: float = 0.3  # natural logarithm of the exponent
    noise: float = 0.15  # largest standard deviation, of the channel's
    blur: float = 1.0  # largest sigma, in steps of the finest spacing
    resolution: float = 0.5  # least share of the finest resolution
    chance: float = 0.2  # of each of the six
    together: bool = False  # all channels change alike, as a color picture's should

    def __post_init__(self) -> None:
        """Refuse what means nothing.

        Raises
        ------
        ValueError
            If a limit is out of its bounds.
        """
        if not 0 < self.resolution <= 1:
            raise ValueError(f"resolution is {self.resolution}, must lie in 0..1, above 0")
        if not 0 <= self.chance <= 1:
            raise ValueError(f"chance is {self.chance}, must lie in 0..1")
        for name in ("brightness", "contrast", "gamma", "noise", "blur"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must not be negative")


@dataclass(frozen=True, slots=True)
class IntensityChange:
    """One draw for one channel; the defaults change nothing."""

    brightness: float = 0.0
    contrast: float = 1.0
    gamma: float = 1.0
    blur: tuple[float, ...] = ()  # sigma in voxels, by axis
    shares: tuple[float, ...] = ()  # of the voxels, by axis
    noise: float = 0.0
    noise_seed: int = 0


def draw_change(
    rng: np.random.Generator, ranges: IntensityRanges, *, spacing_mm: tuple[float, ...]
) -> IntensityChange:
    """Draw a change; blur and resolution are alike in mm along all axes.

    An axis that is coarser than the drawn resolution keeps its own.
    """
    on = rng.random(6) < ranges.chance
    spread = rng.uniform(-1, 1, 3)
    amount = rng.uniform(0, 1, 3)
    seed = int(rng.integers(2**31))
    spacing = np.array(spacing_mm, float)
    coarser = spacing / spacing.min()
    sigma = ranges.blur * amount[0] / coarser
    share = 1 - (1 - ranges.resolution) * amount[1]
    shares = np.minimum(share * coarser, 1)
    return IntensityChange(
        brightness=float(ranges.brightness * spread[0]) if on[0] else 0.0,
        contrast=float(np.exp(ranges.contrast * spread[1])) if on[1] else 1.0,
        gamma=float(np.exp(ranges.gamma * spread[2])) if on[2] else 1.0,
        blur=tuple(sigma.tolist()) if on[3] else (),
        shares=tuple(shares.tolist()) if on[4] else (),
        noise=float(ranges.noise * amount[2]) if on[5] else 0.0,
        noise_seed=seed,
    )


def change_values(
    channel: Shaped[ndarray, "*s"], change: IntensityChange
) -> Shaped[ndarray, "*s"]:
    """Apply a change to one channel, 2-D or 3-D; whole numbers are rounded and clipped."""
    if change == IntensityChange(noise_seed=change.noise_seed):
        return channel
    out = np.ascontiguousarray(channel, np.float32)
    mean, deviation = cv2.meanStdDev(out.reshape(len(out), -1))
    middle, spread = float(mean[0, 0]), float(deviation[0, 0])
    if change.gamma != 1 and spread > 0:
        low, high = float(out.min()), float(out.max())
        share = (out.reshape(len(out), -1) - low) / (high - low)
        out = cv2.pow(share, change.gamma).reshape(out.shape) * (high - low) + low
    if change.contrast != 1 or change.brightness != 0:
        shift = (1 - change.contrast) * middle + change.brightness * spread
        out = out * np.float32(change.contrast) + np.float32(shift)
    if any(sigma > 0 for sigma in change.blur):
        out = _blurred(out, change.blur)
    if any(share < 1 for share in change.shares):
        out = _coarse(out, change.shares)
    if change.noise > 0:
        bits = np.random.Generator(np.random.SFC64(change.noise_seed))
        grain = bits.standard_normal(out.shape, np.float32)
        out = out + np.float32(change.noise * spread) * grain
    if channel.dtype.kind in "iu":
        limits = np.iinfo(channel.dtype)
        out = np.clip(np.rint(out), limits.min, limits.max)
    return out.astype(channel.dtype, copy=False)


def _blurred(
    values: Float32[ndarray, "*s"], sigmas: tuple[float, ...]
) -> Float32[ndarray, "*s"]:
    """Gaussian filter, mirrored at the border, cut off at 4 sigma."""
    kernels = [
        cv2.getGaussianKernel(2 * int(np.ceil(4 * sigma)) + 1, sigma, cv2.CV_32F)
        if sigma > 0
        else np.ones((1, 1), np.float32)
        for sigma in sigmas
    ]

    def filtered(plane: Float32[ndarray, "v u"], down: ndarray, right: ndarray) -> ndarray:
        border = cv2.BORDER_REFLECT
        return np.asarray(cv2.sepFilter2D(plane, cv2.CV_32F, right, down, borderType=border))

    if values.ndim == 2:
        return filtered(values, *kernels)
    one = np.ones((1, 1), np.float32)
    out = np.stack([filtered(plane, *kernels[1:]) for plane in values])
    return filtered(out.reshape(len(out), -1), kernels[0], one).reshape(out.shape)


def _coarse(
    values: Float32[ndarray, "*s"], shares: tuple[float, ...]
) -> Float32[ndarray, "*s"]:
    """Average to a share of the voxels and interpolate back."""

    def there_and_back(plane: Float32[ndarray, "v u"], down: float, right: float) -> ndarray:
        rows, columns = plane.shape
        size = max(round(columns * right), 1), max(round(rows * down), 1)
        small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
        back = cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR)
        return np.asarray(back)

    if values.ndim == 2:
        return there_and_back(values, *shares)
    out = np.stack([there_and_back(plane, *shares[1:]) for plane in values])
    if shares[0] == 1:
        return out
    return there_and_back(out.reshape(len(out), -1), shares[0], 1.0).reshape(out.shape)
