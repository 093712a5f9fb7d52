"""Sizes of a nodule that a reader typed: which of them governs, and which cannot be.

A mean diameter that was typed governs by itself: axes that do not have this mean are left out.
Axes that were typed govern the mean, which is theirs to 0.1 mm (Lung-RADS v2022, note 3).
"""

from dataclasses import replace
from typing import Final

from medloop.clinical.lung.codes import LONG_AXIS, MEAN_DIAMETER, SHORT_AXIS, SOLID_MEAN
from medloop.clinical.lung.nodule import Axes
from medloop.clinical.report.language import Book, Language, say
from medloop.core.code import Code
from medloop.core.finding import Finding, Measurement

_AXES: Final = (LONG_AXIS, SHORT_AXIS)
_SAME_MM: Final = 0.1 + 1e-6  # what rounding to a tenth may make of it
_WORDS: Final[Book] = {
    "unit": (
        "diameters of nodules are in mm, not in {unit}",
        "结节径线的单位应为 mm，而非 {unit}",
    ),
    "zero": (
        "a diameter of 0 mm measures nothing: leave it empty",
        "径线不能为 0 mm：未测量时请留空",
    ),
    "crossed": (
        "the short axis, {short:.1f} mm, is longer than the long axis, {long:.1f} mm",
        "短径 {short:.1f} mm 大于长径 {long:.1f} mm",
    ),
    "mean": (
        "axes of {long:.1f} and {short:.1f} mm have a mean of {is_mean:.1f} mm, not of "
        "{mean:.1f} mm: type the axes or the mean",
        "长径 {long:.1f} mm、短径 {short:.1f} mm 的平均径为 {is_mean:.1f} mm，"
        "而非 {mean:.1f} mm：请只填写长短径或平均径",
    ),
    "above": (
        "the mean, {mean:.1f} mm, is longer than the long axis, {long:.1f} mm",
        "平均径 {mean:.1f} mm 大于长径 {long:.1f} mm",
    ),
}


def size_of(finding: Finding) -> Axes | None:
    """Return the axes that rules go by, the mean twice where it stands alone; None without.

    One axis alone counts as both.
    """
    long_mm, short_mm = (finding.measured(axis) for axis in _AXES)
    if long_mm is None or short_mm is None:
        alone = (finding.measured(MEAN_DIAMETER), long_mm, short_mm)
        long_mm = short_mm = next((each for each in alone if each is not None), None)
    if long_mm is None or short_mm is None:
        return None
    try:
        return Axes(max(long_mm, short_mm), min(long_mm, short_mm))
    except ValueError:
        return None


def settled(finding: Finding, before: Finding | None = None) -> Finding:
    """Let sizes that differ from those `before` govern the others."""
    are_typed, is_typed = _typed(finding, before)
    mean_mm, both = finding.measured(MEAN_DIAMETER), size_of(finding)
    has_both = both is not None and None not in _axes(finding)
    if not are_typed and mean_mm is not None:
        is_theirs = has_both and both is not None and both.mean_mm == round(mean_mm, 1)
        return _without(finding, *_AXES) if is_typed and not is_theirs else finding
    if (are_typed or is_typed) and has_both and both is not None:
        return _with_mean(finding, both.mean_mm)
    is_left_over = are_typed and not is_typed and any(_axes(finding))
    return _without(finding, MEAN_DIAMETER) if is_left_over else finding


def conflict(finding: Finding, before: Finding | None, language: Language) -> str | None:
    """Say why sizes that were typed cannot all be those of one nodule; None if they can."""
    are_typed, is_typed = _typed(finding, before)
    if not are_typed and not is_typed:
        return None
    told = [m for m in finding.measurements if m.concept in (*_AXES, MEAN_DIAMETER)]
    strange = next((each.unit for each in told if each.unit != "mm"), None)
    if strange is not None:
        return say(_WORDS, "unit", language, unit=strange)
    if any(each.value == 0 for each in told):
        return say(_WORDS, "zero", language)
    if not are_typed:
        return None
    mean_mm = finding.measured(MEAN_DIAMETER) if is_typed else None
    return _disagreement(_axes(finding), mean_mm, language)


def _disagreement(
    axes: tuple[float | None, float | None], mean_mm: float | None, language: Language
) -> str | None:
    """Say in what axes contradict each other, or the mean that was typed with them."""
    long_mm, short_mm = axes
    if long_mm is None:
        return None
    if short_mm is not None and short_mm > long_mm:
        return say(_WORDS, "crossed", language, long=long_mm, short=short_mm)
    if mean_mm is None:
        return None
    if short_mm is None:
        is_above = mean_mm > long_mm + _SAME_MM
        return say(_WORDS, "above", language, mean=mean_mm, long=long_mm) if is_above else None
    is_mean = Axes(long_mm, short_mm).mean_mm
    if abs(is_mean - mean_mm) <= _SAME_MM:
        return None
    values = {"long": long_mm, "short": short_mm, "mean": mean_mm, "is_mean": is_mean}
    return say(_WORDS, "mean", language, **values)


def is_resized(finding: Finding, before: Finding | None) -> bool:
    """Whether a diameter, or that of the solid part, is another one than before."""
    was_solid = None if before is None else before.measured(SOLID_MEAN)
    return any(_typed(finding, before)) or finding.measured(SOLID_MEAN) != was_solid


def _typed(finding: Finding, before: Finding | None) -> tuple[bool, bool]:
    """Whether an axis, and whether the mean, is another one than before."""
    were = (None, None) if before is None else _axes(before)
    was_mean = None if before is None else before.measured(MEAN_DIAMETER)
    return _axes(finding) != were, finding.measured(MEAN_DIAMETER) != was_mean


def _axes(finding: Finding) -> tuple[float | None, float | None]:
    return finding.measured(LONG_AXIS), finding.measured(SHORT_AXIS)


def _with_mean(finding: Finding, mean_mm: float) -> Finding:
    mean = Measurement(MEAN_DIAMETER, mean_mm, "mm")
    if finding.measured(MEAN_DIAMETER) is None:
        return replace(finding, measurements=(*finding.measurements, mean))
    told = (mean if m.concept == MEAN_DIAMETER else m for m in finding.measurements)
    return replace(finding, measurements=tuple(told))


def _without(finding: Finding, *concepts: Code) -> Finding:
    left = tuple(each for each in finding.measurements if each.concept not in concepts)
    return replace(finding, measurements=left)
