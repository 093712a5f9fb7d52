"""Tell a color photograph of a retina from everything else.

A retina lit by white light is orange: blood and pigment take blue, then green. It is lit
smoothly, with fine dark vessels, inside a round field on a dark frame. Each rule below states
one of these, its limit outside what 449 fundus photographs measured (their extremes stand
beside it).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Shaped, UInt8
from numpy import ndarray

from medloop.core.errors import UnsuitableError
from medloop.imaging.fundus import Field, flatten
from medloop.imaging.vessels import View

MIN_FIELD_PX = 100.0  # diameter below which microaneurysms cannot be pixels of their own
MIN_SEEN = 0.1
MIN_COLOR = 12.0
MIN_CHROMA = 20.0  # extremes: 48 to 222
MIN_DOMINANCE = 0.9  # 0.98 to 1
MAX_HUE_SPREAD = 0.35  # 0.02 to 0.17
MIN_RED_TO_GREEN = 1.2  # 1.49 to 3.7
MIN_RED_TO_GREEN_FRAMELESS = 1.4
MAX_TEXTURE = 0.26  # 0.04 to 0.22
MAX_TEXTURE_FRAMELESS = 0.24
MIN_STRUCTURE = 0.004  # 0.03 to 0.17; 0.005 after a blur that leaves no vessel
MIN_VESSEL_LENGTH_FRAMELESS = 0.25  # 0 to 6.5
FRAMED = 0.5


@dataclass(frozen=True, slots=True)
class Traits:
    """What the rules look at, over the inner nine tenths of the field.

    `chroma` is the median difference of strongest and weakest color, 0..255. `dominance` is the
    share of pixels with red > green >= blue; `hue_spread` the circular deviation of hue,
    radians; `texture` the deviation of the flattened green channel; `structure` its 98th
    percentile of darkness at vessel width; `grain` the ratio of detail below vessel width to
    detail at it; `vessel_length` the extent of long vessels in field radii.
    """

    framed: bool
    chroma: float
    dominance: float
    hue_spread: float
    red_to_green: float
    texture: float
    structure: float
    grain: float
    vessel_length: float


def require_color(array: Shaped[ndarray, "y x *c"]) -> None:
    """Refuse pictures without color: one channel, or three that are the same.

    Raises
    ------
    UnsuitableError
        If there is one channel, or colors differ by less than `MIN_COLOR` in 99 % of it.
    """
    if array.ndim != 3:
        raise UnsuitableError("not a color fundus photograph: the picture is gray")
    step = max(1, max(array.shape[:2]) // 256)
    sample = array[::step, ::step].astype(np.float32)
    spread = (sample.max(axis=2) - sample.min(axis=2)) * (255 / max(float(sample.max()), 1.0))
    color = float(np.percentile(spread, 99))
    if sample.max() > 0 and color < MIN_COLOR:
        raise UnsuitableError(
            "not a color fundus photograph: the picture is gray, "
            f"color difference {color:.0f} is under {MIN_COLOR:.0f}"
        )


def require_field(field: Field | None) -> Field:
    """Refuse pictures that are dark, or whose lit part is too small to hold a retina.

    Raises
    ------
    UnsuitableError
        If there is no field, or less than `MIN_FIELD_PX` of it in any direction.
    """
    if field is None:
        raise UnsuitableError("not a color fundus photograph: nothing is lit")
    x0, y0, x1, y1 = field.box
    least = min(2 * field.radius_px, x1 - x0, y1 - y0)
    if least < MIN_FIELD_PX:
        raise UnsuitableError(
            f"not a color fundus photograph: field of {least:.0f} px is under "
            f"{MIN_FIELD_PX:.0f} px"
        )
    return field


def require_retina(traits: Traits) -> None:
    """Refuse pictures that are no color photograph of a retina.

    Raises
    ------
    UnsuitableError
        Naming the trait that decided, its value and the limit.
    """
    reason = _objection(traits)
    if reason:
        raise UnsuitableError(f"not a color fundus photograph: {reason}")


def measure_traits(view: View) -> Traits:
    """Measure what tells a retina from other pictures.

    Raises
    ------
    UnsuitableError
        If hardly anything of the field's inner part is in the picture.
    """
    mask = view.field.mask(view.light.shape, shrink=0.9)
    share = mask.sum() / (np.pi * (0.9 * view.field.radius_px) ** 2)
    if share < MIN_SEEN:
        raise UnsuitableError(
            "not a color fundus photograph: "
            f"{share:.0%} of a field is seen, under {MIN_SEEN:.0%}"
        )
    colors = view.rgb[mask].astype(np.float32)
    red, green, blue = colors.T
    spread = colors.max(axis=1) - colors.min(axis=1)
    flat = flatten(np.ascontiguousarray(view.rgb[..., 1]), view.field, sigma=0.15)
    radius = view.field.radius_px
    fine, vessel, wide = (
        cv2.GaussianBlur(flat, (0, 0), s * radius) for s in (0.006, 0.012, 0.04)
    )
    return Traits(
        framed=view.field.roundness >= FRAMED,
        chroma=float(np.median(spread)),
        dominance=float(np.mean((red > green) & (green >= blue - 12))),
        hue_spread=_hue_spread(colors),
        red_to_green=float(np.median(red / (green + 1))),
        texture=float(flat[mask].std()),
        structure=float(np.percentile((wide - vessel)[mask], 98)),
        grain=float((fine - vessel)[mask].std() / max((vessel - wide)[mask].std(), 1e-6)),
        vessel_length=_vessel_length(view),
    )


def _objection(t: Traits) -> str:
    """Why not, or nothing."""
    frame = "" if t.framed else " without a dark frame"
    red = MIN_RED_TO_GREEN if t.framed else MIN_RED_TO_GREEN_FRAMELESS
    texture = MAX_TEXTURE if t.framed else MAX_TEXTURE_FRAMELESS
    length = 0.0 if t.framed else MIN_VESSEL_LENGTH_FRAMELESS
    rules = (
        (
            t.chroma < MIN_CHROMA,
            f"gray, color difference {t.chroma:.0f} under {MIN_CHROMA:.0f}",
        ),
        (
            t.dominance < MIN_DOMINANCE,
            f"red > green > blue in {t.dominance:.0%} of it, under {MIN_DOMINANCE:.0%}",
        ),
        (
            t.hue_spread > MAX_HUE_SPREAD,
            f"hue spread {t.hue_spread:.2f} exceeds {MAX_HUE_SPREAD}",
        ),
        (
            t.red_to_green < red,
            f"red to green {t.red_to_green:.2f}{frame} is under {red}",
        ),
        (t.texture > texture, f"texture {t.texture:.2f}{frame} exceeds {texture}"),
        (
            t.structure < MIN_STRUCTURE,
            f"no structure: {t.structure:.4f} is under {MIN_STRUCTURE}",
        ),
        (t.grain > 0.85 and t.structure < 0.02, f"noise without structure: {t.structure:.3f}"),
        (
            t.vessel_length < length,
            f"vessels {t.vessel_length:.2f} radii long{frame} are under {length}",
        ),
    )
    return next((reason for broken, reason in rules if broken), "")


def _hue_spread(colors: ndarray) -> float:
    """Circular standard deviation of hue, weighted by chroma, radians."""
    red, green, blue = colors.T
    angle = np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)
    weight = colors.max(axis=1) - colors.min(axis=1) + 1e-6
    resultant = np.abs(np.average(np.exp(1j * angle), weights=weight))
    return float(np.sqrt(-2 * np.log(np.clip(resultant, 1e-9, 1))))


def _vessel_length(view: View) -> float:
    """Sum the extents of long, thin vessel parts, in field radii."""
    mask = view.field.mask(view.light.shape, shrink=0.9)
    lines: UInt8[ndarray, "y x"] = ((view.vessels > 0.35) & mask).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    extent = np.maximum(stats[1:, cv2.CC_STAT_WIDTH], stats[1:, cv2.CC_STAT_HEIGHT])
    area = stats[1:, cv2.CC_STAT_AREA]
    radius = view.field.radius_px
    long = (extent > 0.25 * radius) & (area < 0.09 * radius * extent)
    return float(extent[long].sum() / radius)
