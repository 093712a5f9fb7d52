"""What a reader of a lung result must know."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from medloop.core.finding import Weights
from medloop.core.prior import Prior
from medloop.core.study import Notice, Series
from medloop.imaging.hounsfield import Curve

# Lung-RADS v2022 expects less than 1 % malignancy in category 2, 1-2 % in 3, 5-15 % in 4A, more
# than 15 % in 4B; readers' suspicion is another scale, so only clear contradictions are named.
_SURELY: Final = 0.5
_HARDLY: Final = 0.05
_LOW, _HIGH = ("1", "2"), ("4B", "4X")
_SAME_MM: Final = 0.25  # slices whose thickness differs by less count as equal
_MORE_LUNG: Final = 1.3  # times the volume: beyond what a breath does to sizes


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


def not_aligned() -> Notice:
    """Say that an earlier result tells not where its lungs lay."""
    text = "The earlier result does not tell where the lungs lay: nodules are not compared."
    return Notice("lung-prior-unaligned", text)


def scan_facts(series: Series) -> dict[str, str]:
    """Return what a later study must know of this one's scan to judge a change of size.

    What headers do not tell is left out.
    """
    thickness, gap = series.scan.thickness_mm, series.slice_mm
    known = {
        "thickness_mm": "" if thickness is None else f"{thickness:g}",
        "slices_apart_mm": "" if gap is None else f"{gap:.3g}",
        "kernel": series.scan.kernel,
    }
    return {key: text for key, text in known.items() if text}


def unlike(
    prior: Prior, scan: Mapping[str, str], identities: Sequence[Weights], lungs_ml: float
) -> tuple[Notice, ...]:
    """Say in what two studies differ that changes sizes by itself, or what is found at all."""
    return tuple(_unlike(prior, scan, identities, lungs_ml))


def _unlike(
    prior: Prior, scan: Mapping[str, str], identities: Sequence[Weights], lungs_ml: float
) -> Iterator[Notice]:
    held = prior.result.assessments
    then = held.get("scan")
    was = then if isinstance(then, Mapping) else {}
    before, now = (_slices_mm(each) for each in (was, scan))
    if before and now and abs(before - now) >= _SAME_MM:
        text = (
            f"Slices of {now:.2f} mm, then {before:.2f} mm: sizes differ by that alone, and"
            " small nodules may have been missed."
        )
        yield Notice("lung-prior-slices", text, (("now_mm", now), ("then_mm", before)))
    kernels = was.get("kernel", ""), scan.get("kernel", "")
    if all(kernels) and kernels[0] != kernels[1]:
        text = f"Kernel {kernels[1]}, then {kernels[0]}: sizes of small nodules differ by that."
        yield Notice("lung-prior-kernel", text, (("now", kernels[1]), ("then", kernels[0])))
    if tuple(prior.result.provenance.weights) != tuple(identities):
        text = "Other networks looked at the earlier study: it may have other nodules by that."
        yield Notice("lung-prior-networks", text)
    sides = [held.get(f"lung_{side}_ml") for side in ("right", "left")]
    before_ml = sum(ml for ml in sides if isinstance(ml, int | float))
    if before_ml and max(lungs_ml / before_ml, before_ml / max(lungs_ml, 1.0)) > _MORE_LUNG:
        text = (
            f"Lungs of {lungs_ml:.0f} ml, then {before_ml:.0f} ml: another breath, or another"
            " part of them was scanned, which changes places and sizes."
        )
        values = (("now_ml", round(lungs_ml)), ("then_ml", round(before_ml)))
        yield Notice("lung-prior-breath", text, values)


def _slices_mm(scan: Mapping[str, str]) -> float:
    """Return the larger of thickness and distance of slices, 0 where neither is known."""
    known = [scan.get(key, "") for key in ("thickness_mm", "slices_apart_mm")]
    return max((float(text) for text in known if text), default=0.0)
