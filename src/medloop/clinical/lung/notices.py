"""What a reader of a lung result must know."""

from typing import Final

from medloop.core.study import Notice
from medloop.imaging.hounsfield import Curve

# Lung-RADS v2022 expects less than 1 % malignancy in category 2, 1-2 % in 3, 5-15 % in 4A, more
# than 15 % in 4B; readers' suspicion is another scale, so only clear contradictions are named.
_SURELY: Final = 0.5
_HARDLY: Final = 0.05
_LOW, _HIGH = ("1", "2"), ("4B", "4X")


def disagreement(number: int, suspicion: float, category: str) -> tuple[Notice, ...]:
    """Name a nodule that is suspicious by one measure and not by the other."""
    values = (("nodule", number), ("suspicion", round(suspicion, 2)), ("category", category))
    is_low, is_high = category in _LOW, category in _HIGH
    if not ((is_low and suspicion >= _SURELY) or (is_high and suspicion <= _HARDLY)):
        return ()
    text = (
        f"Nodule {number}: Lung-RADS {category}, but suspicion {suspicion:.0%}: they disagree,"
        " decide by looking."
    )
    return (Notice("lung-disagreement", text, values),)


def matched(curve: Curve | None) -> tuple[Notice, ...]:
    """Say that the networks saw HU brought to those they learned from; sizes did not change."""
    if curve is None:
        return ()
    shifts = [wanted - given for given, wanted in zip(curve.given, curve.wanted, strict=True)]
    high, low = max(shifts), min(shifts)
    most = round(high if high > -low else low, 1)
    text = (
        "HU of the lungs differ from those the network learned from: matched for detection, by"
        f" up to {most:+.0f} HU. Measurements are of the values as they came."
    )
    return (Notice("lung-matched", text, (("most_hu", most),)),)


def unmeasured(count: int) -> tuple[Notice, ...]:
    """Say how many places could not be outlined, and are not reported."""
    if not count:
        return ()
    text = f"{count} places that may be nodules could not be outlined, and are not listed."
    return (Notice("lung-unmeasured", text, (("count", count),)),)


def too_many(count: int, most: int) -> tuple[Notice, ...]:
    """Say that only the likeliest are listed."""
    if count <= most:
        return ()
    text = f"More than {most} nodules found; the {most} likeliest are listed."
    return (Notice("lung-many", text, (("most", most),)),)
