"""Whether a CT is in HU, how far off its scale is, and how to match another scanner's."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray
from scipy import ndimage

from medloop.core.image import Volume
from medloop.core.study import Notice

AIR_HU: Final = -1000.0
FAT_HU: Final = -100.0
SOFT_HU: Final = 45.0  # muscle, liver and unenhanced blood together
TOLERANCE_HU: Final = 35.0
_WINDOWS: Final = {"air": (-1075, -925), "fat": (-160, -60), "soft": (-10, 120)}
_LOW, _HIGH = -1200, 3100
_LEAST_SHARE: Final = 0.02  # of the values, within 20 HU of a peak
_PADDING_BELOW: Final = -1100
_APART: Final = 20  # of padding above that from all other values
_MOST_VALUES: Final = 2_000_000


class Scale(StrEnum):
    """What the values of a volume are."""

    HU = "hu"
    OFFSET_MISSING = "offset-missing"  # 1024 too high: the rescale intercept was not applied
    INVERTED = "inverted"  # air brighter than tissue
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Hounsfield:
    """Peaks of air, fat and soft tissue in HU, None where a volume has no such peak.

    HU corrected = `factor` * value + `shift_hu`, a hint from air and soft tissue: 1 and 0 where
    both are in tolerance or either is not seen. `padding` is what fills the surround.
    """

    scale: Scale
    air_hu: float | None
    fat_hu: float | None
    soft_hu: float | None
    factor: float
    shift_hu: float
    padding: float | None
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Values below which given shares (0..1, rising) of a training set's values lie."""

    shares: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """A rising line from value to value, with slope 1 beyond its ends."""

    given: tuple[float, ...]
    wanted: tuple[float, ...]

    def apply(self, values: Shaped[ndarray, "*s"]) -> Float[ndarray, "*s"]:
        """Map values, as float32."""
        given, wanted = np.array(self.given), np.array(self.wanted)
        mapped = np.interp(values, given, wanted)
        mapped += np.minimum(values - given[0], 0) + np.maximum(values - given[-1], 0)
        return mapped.astype(np.float32)


def check_hu(volume: Volume) -> Hounsfield:
    """Look for the peaks of air, fat and soft tissue in every few voxels.

    Values that are 1024 too high or upside down are named, not repaired.
    """
    values, padding = _sample(volume.array)
    outer = _sample(_rim(volume.array))[0]
    counts = _histogram(values)
    peaks = {name: _peak(counts, low, high) for name, (low, high) in _WINDOWS.items()}
    air, fat, soft = peaks["air"], peaks["fat"], peaks["soft"]
    scale = _scale(values, outer, counts, air, soft)
    factor, shift = _calibration(air, soft) if scale is Scale.HU else (1.0, 0.0)
    notices = _notices(scale, padding, air, soft)
    return Hounsfield(scale, air, fat, soft, factor, shift, padding, notices)


def quantiles(values: Shaped[ndarray, " n"], *, count: int = 33) -> Quantiles:
    """Describe values by evenly spaced shares, to be kept as a reference."""
    shares = np.linspace(0.005, 0.995, count)
    at = np.quantile(np.asarray(values, np.float64), shares)
    return Quantiles(tuple(map(float, shares)), tuple(map(float, at)))


def match_histogram(
    values: Shaped[ndarray, " n"], reference: Quantiles, *, most_hu: float = 100.0
) -> Curve:
    """Find the curve that gives values the reference's distribution (Nyul 2000).

    Piecewise linear between the reference's quantiles and rising. No value moves by more than
    `most_hu`: what differs more is disease or anatomy, not the scanner.

    Raises
    ------
    ValueError
        If there are no values, or the reference does not rise.
    """
    if values.size == 0:
        raise ValueError("no values to match")
    shares, wanted = np.array(reference.shares), np.array(reference.values)
    if len(shares) < 2 or (np.diff(shares) <= 0).any() or (np.diff(wanted) < 0).any():
        raise ValueError("the reference needs two or more shares, and must rise")
    given = np.quantile(np.asarray(values, np.float64), shares)
    wanted = np.clip(wanted, given - most_hu, given + most_hu)
    kept = np.concatenate([[True], np.diff(given) > 1e-6])
    rising = np.maximum.accumulate(wanted[kept])
    return Curve(tuple(map(float, given[kept])), tuple(map(float, rising)))


def _sample(array: Shaped[ndarray, "*s"]) -> tuple[Float[ndarray, " n"], float | None]:
    """Take every few values, padding apart; and the padding, if there is any."""
    step = max(1, round((array.size / _MOST_VALUES) ** (1 / 3)))
    values = array[::step, ::step, ::step].astype(np.float32).ravel()
    values = values[np.isfinite(values)]
    if not values.size:
        return values, None
    lowest = float(values.min())
    others = values[values > lowest]
    is_apart = lowest < _PADDING_BELOW or not (others < lowest + _APART).any()
    if not is_apart or others.size > 0.995 * values.size or not others.size:
        return values, None
    return others[others > max(lowest, _PADDING_BELOW)], lowest


def _rim(array: Shaped[ndarray, "k j i"]) -> Shaped[ndarray, "k n i"]:
    """Return the outermost rows in front, where air is seen around a patient on a table."""
    deep = max(1, array.shape[1] // 32)
    return array[:, :deep, :]


def _histogram(values: Float[ndarray, " n"]) -> Float[ndarray, " b"]:
    """Share of the values at each HU, smoothed over a few."""
    counts, _ = np.histogram(values, bins=_HIGH - _LOW, range=(_LOW, _HIGH))
    return ndimage.gaussian_filter1d(counts.astype(np.float64), 6) / max(values.size, 1)


def _peak(counts: Float[ndarray, " b"], low: int, high: int) -> float | None:
    """Find the highest place within a window that falls off to both sides."""
    part = counts[low - _LOW : high - _LOW]
    at = int(part.argmax())
    around = counts[max(0, at + low - _LOW - 20) : at + low - _LOW + 20]
    if at in (0, len(part) - 1) or around.sum() < _LEAST_SHARE:
        return None
    return float(at + low) + 0.5


def _scale(
    values: Float[ndarray, " n"],
    outer: Float[ndarray, " m"],
    counts: Float[ndarray, " b"],
    air: float | None,
    soft: float | None,
) -> Scale:
    if not values.size:
        return Scale.UNKNOWN
    if air is not None and soft is not None:
        return Scale.HU
    low, high = (float(q) for q in np.quantile(values, (0.001, 0.999)))
    shifted = np.roll(counts, -1024)
    is_offset = low >= -100 and _peak(shifted, *_WINDOWS["soft"]) is not None
    if is_offset and _peak(shifted, -1075, -900) is not None:
        return Scale.OFFSET_MISSING
    outside = float(np.median(outer)) if outer.size else low
    if outside > (low + high) / 2 and high - low > 800:
        return Scale.INVERTED
    has_tissue = soft is not None and low < -500
    return Scale.HU if has_tissue and high - low > 800 else Scale.UNKNOWN


def _calibration(air: float | None, soft: float | None) -> tuple[float, float]:
    """Line through the peaks of air and soft tissue; none where both are in tolerance."""
    if air is None or soft is None:
        return 1.0, 0.0
    if max(abs(air - AIR_HU), abs(soft - SOFT_HU)) <= TOLERANCE_HU:
        return 1.0, 0.0
    factor = (SOFT_HU - AIR_HU) / (soft - air)
    return round(factor, 4), round(AIR_HU - factor * air, 1)


def _notices(
    scale: Scale, padding: float | None, air: float | None, soft: float | None
) -> tuple[Notice, ...]:
    notices = []
    if padding is not None:
        text = f"Voxels of {padding:.0f} fill the surround; they were left out."
        notices.append(Notice("hu-padding", text, (("padding", padding),)))
    if scale is not Scale.HU:
        notices.append(Notice(f"hu-{scale}", _SAID[scale]))
    off = [
        (name, seen, meant)
        for name, seen, meant in (("air", air, AIR_HU), ("soft tissue", soft, SOFT_HU))
        if seen is not None and abs(seen - meant) > TOLERANCE_HU
    ]
    for name, seen, meant in off if scale is Scale.HU else ():
        text = f"The peak of {name} is at {seen:.0f} HU, usually at {meant:.0f} HU."
        values = (("tissue", name), ("seen_hu", round(seen, 1)), ("usual_hu", meant))
        notices.append(Notice("hu-calibration", text, values))
    return tuple(notices)


_SAID: Final = {
    Scale.OFFSET_MISSING: "Values are 1024 too high: the rescale intercept is missing.",
    Scale.INVERTED: "Values are inverted: air is brighter than tissue.",
    Scale.UNKNOWN: "Values are not in HU: no peaks of air and soft tissue.",
}
