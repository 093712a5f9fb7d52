"""Every line of Lung-RADS v2022, at and beside its limits."""

import pytest

from medloop.clinical.lung.lung_rads import (
    MANAGEMENT,
    RULES,
    Category,
    category_of,
    has_grown,
    overall,
)
from medloop.clinical.lung.nodule import Axes, Course, Cyst, Nodule, Place, Texture

S, P, G = Texture.SOLID, Texture.PART_SOLID, Texture.NON_SOLID
BASE, NEW, STABLE, GREW = Course.BASELINE, Course.NEW, Course.STABLE, Course.GROWING
SLOW = Course.SLOWLY_GROWING


def axes(mm):
    return Axes(mm, mm)


def a_nodule(texture=S, mm=5.0, solid_mm=None, course=BASE, **more):
    solid = axes(solid_mm) if solid_mm is not None else None
    return Nodule(texture, axes(mm), solid, course, **more)


# texture, mm, solid part mm, course, category
TABLE = [
    (S, 5.9, None, BASE, "2"),
    (S, 6.0, None, BASE, "3"),
    (S, 7.9, None, BASE, "3"),
    (S, 8.0, None, BASE, "4A"),
    (S, 14.9, None, BASE, "4A"),
    (S, 15.0, None, BASE, "4B"),
    (S, 3.9, None, NEW, "2"),
    (S, 4.0, None, NEW, "3"),
    (S, 5.9, None, NEW, "3"),
    (S, 6.0, None, NEW, "4A"),
    (S, 7.9, None, NEW, "4A"),
    (S, 8.0, None, NEW, "4B"),
    (S, 4.0, None, GREW, "4A"),
    (S, 7.9, None, GREW, "4A"),
    (S, 8.0, None, GREW, "4B"),
    (S, 5.0, None, SLOW, "4B"),
    (P, 5.9, 3.0, BASE, "2"),
    (P, 6.0, 5.9, BASE, "3"),
    (P, 40.0, 5.9, BASE, "3"),
    (P, 9.0, 6.0, BASE, "4A"),
    (P, 9.0, 7.9, BASE, "4A"),
    (P, 9.0, 8.0, BASE, "4B"),
    (P, 5.9, 2.0, NEW, "3"),
    (P, 6.0, 3.9, NEW, "4A"),
    (P, 6.0, 4.0, NEW, "4B"),
    (P, 5.5, 4.0, NEW, "4B"),
    (P, 5.5, 3.9, GREW, "4A"),
    (P, 9.0, 4.0, GREW, "4B"),
    (P, 9.0, 3.0, SLOW, "4B"),
    (G, 29.9, None, BASE, "2"),
    (G, 29.9, None, NEW, "2"),
    (G, 29.9, None, GREW, "2"),
    (G, 30.0, None, BASE, "3"),
    (G, 30.0, None, NEW, "3"),
    (G, 30.0, None, GREW, "3"),
    (G, 30.0, None, STABLE, "2"),
    (G, 30.0, None, SLOW, "2"),
]


@pytest.mark.parametrize(("texture", "mm", "solid", "course", "category"), TABLE)
def test_sizes_and_courses_have_their_category(texture, mm, solid, course, category):
    assert category_of(a_nodule(texture, mm, solid, course)).name == category


CYSTS = {
    Cyst.THICK_WALLED: "4A",
    Cyst.MULTILOCULAR: "4A",
    Cyst.BECOMING_MULTILOCULAR: "4A",
    Cyst.THICK_WALLED_GROWING_CYST: "3",
    Cyst.THICK_WALLED_GROWING_WALL: "4B",
    Cyst.MULTILOCULAR_GROWING: "4B",
}


@pytest.mark.parametrize("cyst", [each for each in Cyst if each is not Cyst.NONE])
def test_every_cyst_has_its_category(cyst):
    assert category_of(a_nodule(mm=20, cyst=cyst)).name == CYSTS[cyst]


def test_airway_nodules_follow_their_place_and_course():
    inner, outer = Place.CENTRAL_AIRWAY, Place.SUBSEGMENTAL_AIRWAY
    assert category_of(a_nodule(mm=9, place=outer)).name == "2"
    assert category_of(a_nodule(mm=9, place=outer, course=STABLE)).name == "2"
    assert category_of(a_nodule(mm=9, place=outer, course=GREW)).name == "4B"
    assert category_of(a_nodule(mm=3, place=inner)).name == "4A"
    assert category_of(a_nodule(mm=3, place=inner, course=GREW)).name == "4B"
    stable = a_nodule(mm=3, place=inner, course=STABLE, prior_category="4A")
    assert category_of(stable).name == "4B"


def test_smooth_juxtapleural_nodules_below_10_mm_are_benign():
    pleural = {"place": Place.JUXTAPLEURAL, "is_smooth": True}
    assert category_of(a_nodule(mm=9.9, **pleural)).name == "2"
    assert category_of(a_nodule(mm=9.9, course=NEW, **pleural)).name == "2"
    assert category_of(a_nodule(mm=10.0, **pleural)).name == "4A"
    assert category_of(a_nodule(mm=9.9, course=GREW, **pleural)).name == "4B"
    assert category_of(a_nodule(mm=9.9, place=Place.JUXTAPLEURAL)).name == "4A"
    assert category_of(a_nodule(P, 9.9, 8.0, **pleural)).name == "4B"


def test_benign_features_go_before_size():
    assert category_of(a_nodule(mm=25, is_benign=True)).name == "1"
    assert category_of(a_nodule(mm=25, is_benign=True, is_suspicious=True)).name == "1"


@pytest.mark.parametrize(("before", "now"), [("3", "2"), ("4A", "3")])
def test_a_stable_nodule_steps_down_once(before, now):
    found = category_of(a_nodule(mm=8.5, course=STABLE, prior_category=before))
    assert (found.name, "stable" in found.because) == (now, True)
    again = category_of(a_nodule(mm=8.5, course=GREW, prior_category=before))
    assert again.name == "4B"


@pytest.mark.parametrize(("mm", "category"), [(5, "2"), (6, "4X"), (8, "4X"), (15, "4X")])
def test_suspicious_features_raise_categories_3_and_4_only(mm, category):
    assert category_of(a_nodule(mm=mm, is_suspicious=True)).name == category


def test_a_study_has_the_category_of_its_most_suspicious_nodule():
    nodules = [a_nodule(mm=mm) for mm in (5, 9, 6.5)]
    assert overall(nodules).name == "4A"
    assert overall([]).name == "1"
    assert overall([*nodules, a_nodule(mm=7, is_suspicious=True)]).name == "4X"


def test_the_solid_part_has_a_course_of_its_own():
    found = category_of(a_nodule(P, 9.0, 3.0, STABLE, solid_course=GREW))
    assert found.name == "4A"


def test_every_rule_is_reached_by_some_nodule():
    reached = set()
    textures = [(S, None), (G, None), (P, 2.0), (P, 4.5), (P, 6.5), (P, 8.5)]
    for texture, solid in textures:
        for mm in (3, 4.5, 5.5, 6.5, 9, 16, 31):
            for course in Course:
                for place in Place:
                    for flags in ({}, {"is_smooth": True}, {"is_benign": True}):
                        nodule = a_nodule(texture, mm, solid, course, place=place, **flags)
                        reached.add(category_of(nodule).because)
    reached |= {category_of(a_nodule(cyst=cyst)).because for cyst in Cyst}
    assert {words for _, words, _ in RULES} <= reached


@pytest.mark.parametrize(
    ("now", "before", "months", "grew"),
    [(7.5, 6.0, 12, False), (7.6, 6.0, 12, True), (7.6, 6.0, 3, True), (8.0, 6.0, 24, False)],
)
def test_growth_is_more_than_1_5_mm_in_12_months(now, before, months, grew):
    assert has_grown(now, before, months) is grew


def test_growth_needs_time():
    with pytest.raises(ValueError, match="0 months"):
        has_grown(7, 6, 0)


def test_mean_diameters_are_rounded_to_tenths_once():
    assert Axes(6.1, 5.8).mean_mm == 6.0  # 5.95
    assert Axes(8.0, 6.5).mean_mm == 7.3  # 7.25
    assert Axes(5.9, 5.9).mean_mm == 5.9


@pytest.mark.parametrize("wrong", [(5, 6), (-1, -2), (float("nan"), 1), (float("inf"), 1)])
def test_impossible_axes_are_refused(wrong):
    with pytest.raises(ValueError, match="are none"):
        Axes(*wrong)


def test_texture_and_solid_part_agree():
    with pytest.raises(ValueError, match="solid part"):
        a_nodule(P, 9.0)
    with pytest.raises(ValueError, match="solid part"):
        a_nodule(S, 9.0, 3.0)


def test_every_category_says_what_to_do():
    assert {name for name, _, _ in RULES} | {"0", "4X"} == set(MANAGEMENT)
    assert all(Category(name, "").management for name in MANAGEMENT)
