"""Can this fundus photograph be graded? Focus, contrast, light and field, each a number.

The limits leave nearly every photograph of a clinical set gradable (448 of IDRiD: the extremes
stand beside each limit) and refuse the same photographs blurred by 2 % of the field's radius,
darkened to a fifth, burnt out, veiled or half covered.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from medloop.core.study import Notice
from medloop.imaging.fundus import Field, blur, flatten
from medloop.imaging.landmarks import Landmarks
from medloop.imaging.vessels import crop_to

MIN_FOCUS = 0.22  # extremes 0.25 to 0.67; 0.12 to 0.19 after a blur of 2 % of the radius
MIN_CONTRAST = 0.03  # 0.031 to 0.17
MIN_BRIGHTNESS = 25.0  # 33 to 142
MAX_DARK_SHARE = 0.3  # 0 to 0.13
MAX_BURNT_SHARE = 0.25  # 0 to 0.04
MIN_UNIFORMITY = 0.25  # 0.17 to 0.82: said, but not refused
MIN_VISIBLE_SHARE = 0.6  # 0.86 to 1
_RADIUS_PX = 240.0


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured over the field, and what follows.

    `focus` is detail below vessel width relative to detail at it; `contrast` the darkness of
    vessels against their surroundings; `brightness` the median luminance, 0..255;
    `uniformity` the 5th over the 95th percentile of the slow light; the shares are of the
    visible field (dark, burnt) and of the full circle (visible). `notices` say what is wrong.
    """

    focus: float
    contrast: float
    brightness: float
    uniformity: float
    dark_share: float
    burnt_share: float
    visible_share: float
    gradable: bool
    notices: tuple[Notice, ...]


def judge_quality(
    rgb: UInt8[ndarray, "y x 3"], field: Field, *, landmarks: Landmarks | None = None
) -> Quality:
    """Measure quality and decide; `landmarks` add whether the macula is in the field."""
    small, inner, _ = crop_to(rgb, field, radius_px=_RADIUS_PX)
    mask = inner.mask(small.shape[:2], shrink=0.92)
    focus, contrast = _focus(small, inner, mask)
    weights = np.array((0.299, 0.587, 0.114), np.float32)
    light = small.astype(np.float32) @ weights
    lit = light[mask]
    visible = inner.mask(small.shape[:2]).sum() / (np.pi * inner.radius_px**2)
    burnt = np.mean((small[..., 0][mask] > 250) & (small[..., 1][mask] > 235))
    values = {
        "focus": focus,
        "contrast": contrast,
        "brightness": float(np.median(lit)),
        "uniformity": _uniformity(light, inner, mask),
        "dark_share": float(np.mean(lit < 25)),
        "burnt_share": float(burnt),
        "visible_share": float(min(visible, 1.0)),
    }
    faults = _faults(values, framed=field.roundness > 0, landmarks=landmarks)
    notices = tuple(notice for _, notice in faults)
    return Quality(**values, gradable=not any(bars for bars, _ in faults), notices=notices)


def _focus(
    small: UInt8[ndarray, "y x 3"], field: Field, mask: Bool[ndarray, "y x"]
) -> tuple[float, float]:
    """Detail below vessel width over detail at it, and how dark vessels are."""
    flat = flatten(np.ascontiguousarray(small[..., 1]), field, sigma=0.15)
    fine, vessel, wide = (
        cv2.GaussianBlur(flat, (0, 0), s * field.radius_px) for s in (0.006, 0.012, 0.04)
    )
    at_width = float((vessel - wide)[mask].std())
    below = float((fine - vessel)[mask].std())
    return below / max(at_width, 1e-6), float(np.percentile((wide - vessel)[mask], 98))


def _uniformity(
    light: Float[ndarray, "y x"], field: Field, mask: Bool[ndarray, "y x"]
) -> float:
    """5th over 95th percentile of the light averaged over a tenth of the radius."""
    inside = field.mask(light.shape[:2]).astype(np.float32)
    sigma = 0.1 * field.radius_px
    slow = blur(light * inside, sigma_px=sigma)
    slow /= np.maximum(blur(inside, sigma_px=sigma), 0.05)
    low, high = np.percentile(slow[mask], (5, 95))
    return float(low / max(high, 1e-6))


def _faults(
    values: dict[str, float], *, framed: bool, landmarks: Landmarks | None
) -> list[tuple[bool, Notice]]:
    """List what is wrong, each with whether it bars grading."""
    rules = (
        ("quality.focus", "out of focus", "focus", MIN_FOCUS, True),
        ("quality.contrast", "vessels hardly stand out", "contrast", MIN_CONTRAST, True),
        ("quality.dark", "underexposed", "brightness", MIN_BRIGHTNESS, True),
        ("quality.uneven", "unevenly lit", "uniformity", MIN_UNIFORMITY, False),
    )
    faults = [
        (bars, _low(code, what, name, values[name], limit))
        for code, what, name, limit, bars in rules
        if values[name] < limit
    ]
    if values["dark_share"] > MAX_DARK_SHARE:
        share = values["dark_share"]
        faults.append((True, _high("quality.shadow", "covered by dark", share, MAX_DARK_SHARE)))
    if values["burnt_share"] > MAX_BURNT_SHARE:
        share = values["burnt_share"]
        faults.append((True, _high("quality.burnt", "overexposed", share, MAX_BURNT_SHARE)))
    if framed and values["visible_share"] < MIN_VISIBLE_SHARE:
        share = values["visible_share"]
        text = "too little of the field is visible: share"
        faults.append((True, _low("quality.field", text, "", share, MIN_VISIBLE_SHARE)))
    if not framed:
        text = "no edge of the field is seen: the picture may be a cut-out of a photograph"
        faults.append((False, Notice("quality.frameless", text)))
    if landmarks is not None and landmarks.fovea is None:
        faults.append((True, Notice("quality.macula", "the macula is outside the field")))
    return faults


def _low(code: str, what: str, name: str, value: float, limit: float) -> Notice:
    text = (
        f"{what}: {name} {value:.3g} is under {limit:g}"
        if name
        else (f"{what} {value:.2f} is under {limit:g}")
    )
    return Notice(code, text, (("value", round(value, 4)), ("limit", limit)))


def _high(code: str, what: str, value: float, limit: float) -> Notice:
    text = f"{what}: {value:.0%} of the field exceeds {limit:.0%}"
    return Notice(code, text, (("value", round(value, 4)), ("limit", limit)))
