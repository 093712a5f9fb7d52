"""What became of a nodule: grown, stable, smaller, new, gone; in numbers, and by Lung-RADS."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from medloop.clinical.lung import codes
from medloop.clinical.lung.comparison import (
    Change,
    Comparison,
    Sized,
    baseline,
    compare,
    volume_growth,
)
from medloop.clinical.lung.landmarks import Landmarks, Side, recorded
from medloop.clinical.lung.lung_rads import category_of
from medloop.clinical.lung.nodule import Axes, Course, Nodule, Texture
from medloop.core.finding import Finding, Measurement, Provenance, Result, Tracking, Weights
from medloop.core.prior import Prior
from medloop.core.study import Notice, SopUid, StudyUid

HERE = Landmarks(
    {
        "right": Side((-75.0, 10.0, -10.0), (30.0, 40.0, 60.0)),
        "left": Side((75.0, 10.0, -10.0), (30.0, 40.0, 60.0)),
    },
    (-180.0, -150.0, -190.0),
    (180.0, 170.0, 170.0),
)
PLACE = (-80.0, 10.0, 20.0)
YEAR = 365


def ball_mm3(mm: float) -> float:
    return np.pi / 6 * mm**3


def a_sized(mm: float, texture=Texture.SOLID, *, solid=None, mm3=None) -> Sized:
    solid_axes = Axes(solid, solid) if solid else None
    return Sized(mm, mm3 or ball_mm3(mm), Nodule(texture, Axes(mm, mm), solid_axes))


def a_finding(mm: float, place=PLACE, *, mm3=None, more=(), name="label 1") -> Finding:
    values = [
        (codes.LONG_AXIS, mm, "mm"),
        (codes.SHORT_AXIS, mm, "mm"),
        (codes.MEAN_DIAMETER, mm, "mm"),
        (codes.VOLUME, mm3 or ball_mm3(mm), "mm3"),
        *more,
    ]
    return Finding(
        codes.NODULE,
        measurements=tuple(Measurement(*each) for each in values),
        center_lps_mm=place,
        segment=1,
        tracking=Tracking(name, "2.25.9"),
    )


def a_prior(*findings: Finding, days=YEAR, category="2", texture="solid", notices=()) -> Prior:
    made = Provenance(
        "lung",
        "1",
        (Weights("lung_nodules", "1", "ab"),),
        (SopUid("1.2"),),
        "cd",
        datetime(2024, 3, 1, tzinfo=UTC),
    )
    about = {
        f"nodule_{n}": {"Lung-RADS": category, "texture": texture}
        for n in range(1, len(findings) + 1)
    }
    result = Result(made, findings, recorded(HERE) | about, warnings=notices)
    return Prior(StudyUid("1.2.3"), "20240301", days, result)


def followed(now: Sized, prior: Prior, place=PLACE):
    found = compare([now], np.array([place]), HERE, prior)
    return found.follows[0]


def number(follow, concept) -> float | None:
    return next((m.value for m in follow.measurements if m.concept == concept), None)


def test_a_nodule_that_doubled_has_its_doubling_time():
    then, now = a_finding(6.0, mm3=100.0), a_sized(8.0, mm3=200.0)
    follow = followed(now, a_prior(then, days=143))
    assert follow.change is Change.GROWN
    assert number(follow, codes.DOUBLING_TIME) == 143.0
    assert number(follow, codes.VOLUME_CHANGE) == 100.0
    assert number(follow, codes.MEAN_CHANGE) == 2.0
    assert number(follow, codes.PRIOR_DAYS) == 143
    assert number(follow, codes.PRIOR_VOLUME) == 100.0
    assert follow.tracking == Tracking("label 1", "2.25.9")
    assert follow.told() == {
        "change": "grown",
        "prior_nodule": "1",
        "volume_change": "measurable",
        "prior_texture": "solid",
        "prior_category": "2",
    }


@pytest.mark.parametrize(
    ("before", "now", "days", "change", "course"),
    [
        (6.0, 7.6, YEAR, Change.GROWN, Course.GROWING),
        (6.0, 7.5, YEAR, Change.STABLE, Course.STABLE),
        (6.0, 7.6, 90, Change.GROWN, Course.GROWING),
        (6.0, 8.4, 2 * YEAR, Change.GROWN_SLOWLY, Course.SLOWLY_GROWING),
        (6.0, 5.6, YEAR, Change.STABLE, Course.STABLE),
        (6.0, 5.0, YEAR, Change.SHRUNK, Course.STABLE),
        (12.0, 10.4, YEAR, Change.SHRUNK, Course.STABLE),
    ],
)
def test_growth_is_by_the_mean_diameter_and_shrinking_by_either(
    before, now, days, change, course
):
    follow = followed(a_sized(now), a_prior(a_finding(before), days=days))
    assert (follow.change, follow.nodule.course) == (change, course)


def test_slow_growth_shows_over_several_studies():
    first = [(codes.FIRST_MEAN, 5.0, "mm"), (codes.FIRST_DAYS, 365.0, "d")]
    follow = followed(a_sized(7.0), a_prior(a_finding(6.0, more=first)))
    assert follow.nodule.course is Course.SLOWLY_GROWING
    assert category_of(follow.nodule).name == "4B"
    assert number(follow, codes.FIRST_MEAN) == 5.0
    assert number(follow, codes.FIRST_DAYS) == 730
    assert followed(a_sized(7.0), a_prior(a_finding(6.0))).nodule.course is Course.STABLE


@pytest.mark.parametrize(
    ("before", "now", "days", "was", "category"),
    [
        (7.0, 7.0, 180, "3", "2"),  # stable at 6 months
        (7.0, 7.0, 60, "3", "3"),  # too early to say
        (9.0, 9.0, 91, "4A", "3"),  # stable at 3 months
        (9.0, 9.0, 30, "4A", "4A"),
        (7.0, 7.2, YEAR, "2", "2"),  # stepped down before, and stable still
        (5.8, 6.1, YEAR, "2", "2"),  # crossed a limit within what two scans differ by
        (5.0, 7.0, YEAR, "2", "4A"),  # grown, below 8 mm
        (5.0, 8.2, YEAR, "2", "4B"),  # grown to 8 mm and more
    ],
)
def test_lung_rads_of_a_solid_nodule_that_was_there_before(before, now, days, was, category):
    follow = followed(a_sized(now), a_prior(a_finding(before), days=days, category=was))
    assert category_of(follow.nodule).name == category


@pytest.mark.parametrize(
    ("now", "category"), [(3.5, "2"), (5.0, "3"), (6.5, "4A"), (9.0, "4B")]
)
def test_lung_rads_of_a_new_solid_nodule(now, category):
    follow = followed(a_sized(now), a_prior())
    assert follow.change is Change.NEW
    assert follow.tracking is None
    assert category_of(follow.nodule).name == category


@pytest.mark.parametrize(
    ("texture", "before", "now", "course", "category"),
    [
        ("non-solid", (), 4.5, Course.NEW, "4B"),  # a solid part where there was none
        ("non-solid", (), 3.0, Course.NEW, "4A"),
        ("part-solid", ((codes.SOLID_MEAN, 4.0, "mm"),), 5.0, Course.STABLE, "3"),
        ("part-solid", ((codes.SOLID_MEAN, 2.0, "mm"),), 4.0, Course.GROWING, "4B"),
    ],
)
def test_the_solid_part_has_a_course_of_its_own(texture, before, now, course, category):
    then = a_prior(a_finding(10.0, more=before), texture=texture, category="")
    follow = followed(a_sized(10.0, Texture.PART_SOLID, solid=now), then)
    assert follow.nodule.course is Course.STABLE
    assert follow.nodule.course_of_solid is course
    assert category_of(follow.nodule).name == category


def test_what_is_not_there_any_more_is_gone_and_what_came_is_new():
    places = np.array([(-80.0, 10, 20), (-60, 40, 90), (90, 20, -40)])
    then = a_prior(
        a_finding(6.0, tuple(places[1] + 3)),
        a_finding(5.0, (70.0, 50.0, 85.0)),
        a_finding(7.0, tuple(places[0] - 4)),
    )
    found = compare([a_sized(7.0), a_sized(6.0), a_sized(4.0)], places, HERE, then)
    assert [each.was_number for each in found.follows] == [3, 1, 0]
    assert [each.change for each in found.follows] == [Change.STABLE, Change.STABLE, Change.NEW]
    assert found.gone == (2,)
    told = found.assessments()
    assert told["prior"]["date"] == "20240301"
    assert told["prior"]["nodules"] == "3"
    assert told["gone_1"] == {
        "prior_nodule": "2",
        "long_mm": "5.0",
        "short_mm": "5.0",
    }


def test_what_a_scan_did_not_show_is_neither_new_nor_gone():
    lower = replace(HERE, high_mm=(180.0, 170.0, 10.0))
    short = a_prior()
    short = replace(short, result=replace(short.result, assessments=recorded(lower)))
    follow = followed(a_sized(6.5), short)
    assert (follow.change, follow.nodule.course) == (Change.UNKNOWN, Course.BASELINE)
    found = compare([], np.zeros((0, 3)), lower, a_prior(a_finding(6.0)))
    assert found.gone == ()


def test_a_list_that_was_cut_short_does_not_make_others_new():
    cut = Notice("lung-many", "More than 30 nodules found")
    assert followed(a_sized(6.5), a_prior(notices=(cut,))).change is Change.UNKNOWN


def test_a_result_without_landmarks_is_not_compared():
    then = a_prior(a_finding(6.0))
    then = replace(then, result=replace(then.result, assessments={}))
    assert compare([a_sized(6.0)], np.array([PLACE]), HERE, then) is None


def test_without_an_earlier_study_nothing_is_said_of_it():
    nothing = baseline([a_sized(6.0).nodule])
    assert nothing.follows[0].nodule.course is Course.BASELINE
    assert nothing.assessments() == {}
    assert nothing.follows[0].told() == {}


def test_volumes_that_grow_where_diameters_do_not_are_named():
    then, now = a_finding(6.0, mm3=100.0), a_sized(7.0, mm3=200.0)
    follow = followed(now, a_prior(then, days=300))
    assert follow.change is Change.STABLE
    (notice,) = volume_growth(Comparison((follow,)))
    assert notice.text == (
        "Nodule 1: by its diameters not growing, but its volume doubles in 300 days: check both"
        " outlines."
    )
    slow = followed(now, a_prior(then, days=500))
    assert not volume_growth(Comparison((slow,)))
