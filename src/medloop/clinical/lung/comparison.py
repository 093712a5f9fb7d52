"""What became of nodules since an earlier study: matched, measured against, and named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from medloop.clinical.lung import codes
from medloop.clinical.lung.growth import (
    SLOWEST_DAYS,
    doubling_time_days,
    is_measurable,
    match,
)
from medloop.clinical.lung.landmarks import Landmarks, brought, remembered
from medloop.clinical.lung.lung_rads import GROWTH_MM, has_grown
from medloop.clinical.lung.nodule import Course, Nodule, Texture
from medloop.clinical.lung.sizes import size_of
from medloop.core.code import Code
from medloop.core.finding import Assessment, Finding, Measurement, Tracking
from medloop.core.prior import Prior
from medloop.core.study import Notice

DAYS_PER_MONTH: Final = 365.25 / 12
_CHANGES: Final = (codes.MEAN_CHANGE, codes.VOLUME_CHANGE, codes.DOUBLING_TIME)
# A nodule of category 3 is looked at again after 6 months, one of 4A after 3 (Lung-RADS v2022):
# only such a time without growth, with some weeks' grace, speaks for a lower category.
_WATCHED_DAYS: Final[Mapping[str, int]] = {"3": 150, "4A": 75}


class Change(StrEnum):
    """What became of a nodule, for readers; `Course` is what the rules call it."""

    GROWN = "grown"
    GROWN_SLOWLY = "grown slowly"
    STABLE = "stable"
    SHRUNK = "shrunk"
    NEW = "new"
    BASELINE = "baseline"  # no earlier study
    UNKNOWN = "not covered"  # the earlier scan did not show the place, or listed not all


@dataclass(frozen=True, slots=True)
class Sized:
    """A nodule as the present study measures it."""

    mean_mm: float
    volume_mm3: float
    nodule: Nodule


@dataclass(frozen=True, slots=True)
class Follow:
    """One nodule of the present study, and the earlier one that it was, if any.

    `was_number` counts the earlier study's nodules from 1.
    """

    change: Change
    nodule: Nodule
    was: Finding | None = None
    was_number: int = 0
    was_texture: str = ""
    measurements: tuple[Measurement, ...] = ()

    @property
    def tracking(self) -> Tracking | None:
        """What the lesion was called before."""
        return self.was.tracking if self.was else None

    def told(self) -> dict[str, str]:
        """Return what stands among a nodule's assessments."""
        if self.change is Change.BASELINE:
            return {}
        out = {"change": str(self.change)}
        if self.was is not None:
            out["prior_nodule"] = str(self.was_number)
            out |= {"prior_texture": self.was_texture} if self.was_texture else {}
            counted = self.nodule.prior_category
            out |= {"prior_category": counted} if counted else {}
            shift = next(m.value for m in self.measurements if m.concept == codes.VOLUME_CHANGE)
            out["volume_change"] = "measurable" if is_measurable(100, 100 + shift) else "none"
        return out


@dataclass(frozen=True, slots=True)
class Comparison:
    """All nodules of the present study in order, and those of the earlier one that are gone."""

    follows: tuple[Follow, ...]
    gone: tuple[int, ...] = ()
    prior: Prior | None = field(default=None, compare=False)

    def assessments(self) -> dict[str, Assessment]:
        """Return what a result says of the earlier study and of nodules that are gone."""
        if self.prior is None:
            return {}
        made = self.prior.result.provenance
        out: dict[str, Assessment] = {
            "prior": {
                "study": str(self.prior.study),
                "date": self.prior.date,
                "days": str(self.prior.days),
                "nodules": str(len(self.prior.result.findings)),
                "version": made.version,
            }
        }
        for count, number in enumerate(self.gone, start=1):
            out[f"gone_{count}"] = _described(self.prior.result.findings[number - 1], number)
        return out


def baseline(nodules: Sequence[Nodule]) -> Comparison:
    """Return nodules that nothing is known of from before."""
    return Comparison(tuple(Follow(Change.BASELINE, nodule) for nodule in nodules))


def compare(
    sized: Sequence[Sized],
    centers_mm: Float[ndarray, "n 3"],
    here: Landmarks,
    prior: Prior,
) -> Comparison | None:
    """Match nodules with those of an earlier study, and say what became of each.

    `centers_mm` are their places in the present scan (LPS). A nodule that matches none is new
    if the earlier scan covered its place and its list was complete. None where the scans cannot
    be brought into one frame.
    """
    there = remembered(prior.result.assessments)
    if there is None:
        return None
    then = brought(centers_mm, here, there)
    earlier = _measured(prior)
    was_mm = np.array([f.center_lps_mm for _, f in earlier], float).reshape(-1, 3)
    now = brought(was_mm, there, here)
    if then is None or now is None:
        return None
    pairs = {n: earlier[m] for n, m in match(then, was_mm)}
    is_known = there.covers(then) & (not _is_cut_short(prior))
    follows = []
    for n, each in enumerate(sized):
        if n in pairs:
            number, was = pairs[n]
            follows.append(_follow(each, was, number, prior))
        else:
            change = Change.NEW if is_known[n] else Change.UNKNOWN
            course = Course.NEW if is_known[n] else Course.BASELINE
            follows.append(Follow(change, replace(each.nodule, course=course)))
    matched = {number for number, _ in pairs.values()}
    is_shown = here.covers(now)
    gone = [
        number
        for (number, _), shown in zip(earlier, is_shown, strict=True)
        if shown and number not in matched
    ]
    return Comparison(tuple(follows), tuple(gone), prior)


def expected_mm(prior: Prior, here: Landmarks) -> Float[ndarray, "m 3"]:
    """Say where the present scan shows what the earlier study found (LPS)."""
    there = remembered(prior.result.assessments)
    was_mm = [finding.center_lps_mm for _, finding in _measured(prior)]
    places = np.array(was_mm, float).reshape(-1, 3)
    now = None if there is None else brought(places, there, here)
    return np.zeros((0, 3)) if now is None else now


def volume_growth(comparison: Comparison) -> tuple[Notice, ...]:
    """Name nodules whose volume doubles as fast as cancers do, while their diameter is stable.

    Mean diameters miss growth that volumes of small nodules show (Larici 2017).
    """
    notices = []
    for number, each in enumerate(comparison.follows, start=1):
        days = _value(each.measurements, codes.DOUBLING_TIME)
        if days is None or each.change is not Change.STABLE or days > SLOWEST_DAYS:
            continue
        text = (
            f"Nodule {number}: by its diameters not growing, but its volume doubles in"
            f" {days:.0f} days: check both outlines."
        )
        values = (("nodule", number), ("days", round(days)))
        notices.append(Notice("lung-volume-growth", text, values))
    return tuple(notices)


def followed(finding: Finding, told: Mapping[str, str]) -> tuple[Finding, dict[str, str]]:
    """Compare a nodule that was measured anew with what the result says it was before.

    Returns it with its changes, and what is said of it; both as they are where nothing was.
    """
    size, before_mm = size_of(finding), finding.measured(codes.PRIOR_MEAN)
    days = finding.measured(codes.PRIOR_DAYS)
    if size is None or before_mm is None or not days:
        return finding, dict(told)
    first_mm = finding.measured(codes.FIRST_MEAN) or before_mm
    course = _course(size.mean_mm, before_mm, days, first_mm=first_mm)
    now_mm3, before_mm3 = (
        finding.measured(concept) or 0.0 for concept in (codes.VOLUME, codes.PRIOR_VOLUME)
    )
    volumes = (now_mm3, before_mm3) if now_mm3 and before_mm3 else (0.0, 0.0)
    values = [Measurement(codes.MEAN_CHANGE, round(size.mean_mm - before_mm, 1), "mm")]
    said = {**told, "change": str(_change(course, size.mean_mm, before_mm, volumes))}
    if any(volumes):
        values += _volume_changes(now_mm3, before_mm3, days)
        is_sure = is_measurable(before_mm3, now_mm3)
        said["volume_change"] = "measurable" if is_sure else "none"
    left = (each for each in finding.measurements if each.concept not in _CHANGES)
    return replace(finding, measurements=(*left, *values)), said


def _is_cut_short(prior: Prior) -> bool:
    """Whether the earlier result lists only the likeliest nodules."""
    return any(notice.code == "lung-many" for notice in prior.result.warnings)


def _measured(prior: Prior) -> list[tuple[int, Finding]]:
    """Return the earlier nodules that can be compared, with their numbers."""
    needed = (codes.LONG_AXIS, codes.SHORT_AXIS, codes.MEAN_DIAMETER, codes.VOLUME)
    return [
        (number, finding)
        for number, finding in enumerate(prior.result.findings, start=1)
        if finding.center_lps_mm is not None
        and all((finding.measured(concept) or 0.0) > 0 for concept in needed)
    ]


def _follow(now: Sized, was: Finding, number: int, prior: Prior) -> Follow:
    before_mm = was.measured(codes.MEAN_DIAMETER) or 0.0
    before_mm3 = was.measured(codes.VOLUME) or 0.0
    first_mm, first_days = _first(was, before_mm, prior.days)
    held = prior.result.assessments.get(f"nodule_{number}")
    about = held if isinstance(held, Mapping) else {}
    course = _course(now.mean_mm, before_mm, prior.days, first_mm=first_mm)
    category = str(about.get("Lung-RADS", ""))
    nodule = replace(
        now.nodule,
        course=course,
        solid_course=_solid_course(now.nodule, was, about, prior.days),
        prior_category=category if prior.days >= _WATCHED_DAYS.get(category, 0) else "",
    )
    values = [
        (codes.PRIOR_LONG, was.measured(codes.LONG_AXIS) or 0.0, "mm"),
        (codes.PRIOR_SHORT, was.measured(codes.SHORT_AXIS) or 0.0, "mm"),
        (codes.PRIOR_MEAN, before_mm, "mm"),
        (codes.PRIOR_VOLUME, before_mm3, "mm3"),
        (codes.PRIOR_DAYS, prior.days, "d"),
        (codes.MEAN_CHANGE, round(now.mean_mm - before_mm, 1), "mm"),
        (codes.FIRST_MEAN, first_mm, "mm"),
        (codes.FIRST_DAYS, first_days, "d"),
    ]
    return Follow(
        _change(course, now.mean_mm, before_mm, (now.volume_mm3, before_mm3)),
        nodule,
        was,
        number,
        str(about.get("texture", "")),
        (
            *(Measurement(concept, float(value), unit) for concept, value, unit in values),
            *_volume_changes(now.volume_mm3, before_mm3, prior.days),
        ),
    )


def _volume_changes(now_mm3: float, before_mm3: float, days: float) -> list[Measurement]:
    """Return by how much a volume changed, and where it grew the time in which it doubles."""
    share = 100 * (now_mm3 / before_mm3 - 1)
    values = [Measurement(codes.VOLUME_CHANGE, round(share, 1), "%")]
    if share > 0 and is_measurable(before_mm3, now_mm3):
        doubled = doubling_time_days(before_mm3, now_mm3, days)
        values.append(Measurement(codes.DOUBLING_TIME, round(doubled, 1), "d"))
    return values


def _first(was: Finding, before_mm: float, days: int) -> tuple[float, float]:
    """Return the mean diameter when the nodule was first seen, and how many days ago."""
    first_mm, first_days = was.measured(codes.FIRST_MEAN), was.measured(codes.FIRST_DAYS)
    if first_mm is None or first_days is None:
        return before_mm, days
    return first_mm, first_days + days


def _course(now_mm: float, before_mm: float, days: float, *, first_mm: float) -> Course:
    """Name growth: fast enough within 12 months, or in sum since the nodule was first seen."""
    if has_grown(now_mm, before_mm, days / DAYS_PER_MONTH):
        return Course.GROWING
    total_mm = round(now_mm - min(first_mm, before_mm), 6)
    is_larger = now_mm > before_mm
    return Course.SLOWLY_GROWING if is_larger and total_mm > GROWTH_MM else Course.STABLE


def _solid_course(
    now: Nodule, was: Finding, about: Mapping[str, str], days: int
) -> Course | None:
    """Say what became of the solid part of a part-solid nodule; None where it has none."""
    if now.texture is not Texture.PART_SOLID or now.solid is None:
        return None
    if about.get("texture") == Texture.NON_SOLID:
        return Course.NEW
    before_mm = was.measured(codes.SOLID_MEAN) or was.measured(codes.MEAN_DIAMETER) or 0.0
    is_more = has_grown(now.solid.mean_mm, before_mm, days / DAYS_PER_MONTH)
    return Course.GROWING if is_more else Course.STABLE


def _change(
    course: Course, now_mm: float, before_mm: float, volumes_mm3: tuple[float, float]
) -> Change:
    """Tell shrinking from staying: by more than 1.5 mm, or by a volume beyond repeatability.

    `volumes_mm3` are those of now and before, zeros where they are not known.
    """
    if course is Course.GROWING:
        return Change.GROWN
    if course is Course.SLOWLY_GROWING:
        return Change.GROWN_SLOWLY
    now_mm3, before_mm3 = volumes_mm3
    is_less = now_mm3 < before_mm3 and is_measurable(before_mm3, now_mm3)
    is_thinner = round(before_mm - now_mm, 6) > GROWTH_MM
    is_smaller = now_mm <= before_mm and (is_less or is_thinner)
    return Change.SHRUNK if is_smaller else Change.STABLE


def _described(finding: Finding, number: int) -> dict[str, str]:
    """Return what is said of a nodule that is gone."""
    long_mm, short_mm = (finding.measured(axis) for axis in (codes.LONG_AXIS, codes.SHORT_AXIS))
    out = {
        "prior_nodule": str(number),
        "long_mm": f"{long_mm or 0.0:.1f}",
        "short_mm": f"{short_mm or 0.0:.1f}",
    }
    return out | ({"site": finding.site.value} if finding.site else {})


def _value(measurements: Sequence[Measurement], concept: Code) -> float | None:
    return next((each.value for each in measurements if each.concept == concept), None)
