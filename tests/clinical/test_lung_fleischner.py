"""Every cell of the Fleischner 2017 tables."""

import pytest

from medloop.clinical.lung.fleischner import Person, Risk, advise, reason_against, rounded_mm
from medloop.clinical.lung.nodule import Axes, Nodule, Place, Texture

S, P, G = Texture.SOLID, Texture.PART_SOLID, Texture.NON_SOLID
LOW, HIGH = Risk.LOW, Risk.HIGH


def a_nodule(texture, mm, solid_mm=None, **more):
    solid = Axes(solid_mm, solid_mm) if solid_mm is not None else None
    return Nodule(texture, Axes(mm, mm), solid, **more)


CELLS = [
    ([(S, 5.4)], LOW, "no routine follow-up"),
    ([(S, 5.4)], HIGH, "optional CT at 12 months"),
    ([(S, 5.5)], LOW, "CT at 6-12 months, then consider CT at 18-24 months"),
    ([(S, 8.4)], LOW, "CT at 6-12 months, then consider CT at 18-24 months"),
    ([(S, 8.4)], HIGH, "CT at 6-12 months, then CT at 18-24 months"),
    ([(S, 8.5)], LOW, "consider CT at 3 months, PET/CT, or tissue sampling"),
    ([(S, 8.5)], HIGH, "consider CT at 3 months, PET/CT, or tissue sampling"),
    ([(S, 4), (S, 5)], LOW, "no routine follow-up"),
    ([(S, 4), (S, 5)], HIGH, "optional CT at 12 months"),
    ([(S, 4), (S, 7)], LOW, "CT at 3-6 months, then consider CT at 18-24 months"),
    ([(S, 4), (S, 12)], LOW, "CT at 3-6 months, then consider CT at 18-24 months"),
    ([(S, 4), (S, 7)], HIGH, "CT at 3-6 months, then CT at 18-24 months"),
    ([(G, 5)], HIGH, "no routine follow-up"),
    ([(G, 6)], LOW, "CT at 6-12 months to confirm persistence, then every 2 years"),
    ([(P, 5, 2)], HIGH, "no routine follow-up"),
    ([(P, 6, 5)], LOW, "CT at 3-6 months to confirm persistence, then"),
    ([(P, 9, 6)], LOW, "CT at 3-6 months to confirm persistence; highly suspicious"),
    ([(G, 5), (G, 4)], LOW, "CT at 3-6 months; if stable, consider CT at 2 and 4 years"),
    ([(G, 5), (P, 7, 3)], LOW, "CT at 3-6 months; then by the most suspicious nodule"),
    ([(G, 4), (S, 12)], LOW, "CT at 3-6 months; then by the most suspicious nodule"),
]


@pytest.mark.parametrize(("nodules", "risk", "advice"), CELLS)
def test_every_cell_has_its_advice(nodules, risk, advice):
    assert advise([a_nodule(*each) for each in nodules], risk).advice.startswith(advice)


def test_benign_and_typical_pleural_nodules_need_no_follow_up():
    benign = a_nodule(S, 12, is_benign=True)
    typical = a_nodule(S, 8, place=Place.JUXTAPLEURAL, is_smooth=True)
    assert advise([benign, typical], HIGH).advice == "no routine follow-up"
    assert advise([], HIGH).advice == "no routine follow-up"
    one = advise([benign, a_nodule(S, 7)], LOW)
    assert one.because.startswith("one solid nodule")


@pytest.mark.parametrize(("mm", "whole"), [((5.0, 5.9), 5), ((5.0, 6.0), 6), ((8.9, 8.0), 8)])
def test_diameters_are_whole_millimeters(mm, whole):
    assert rounded_mm(Axes(max(mm), min(mm))) == whole


def test_the_guideline_is_for_some_people_only():
    assert "34 years" in reason_against(Person(years=34))
    assert "cancer" in reason_against(Person(50, has_cancer=True))
    assert "immune" in reason_against(Person(50, is_immunosuppressed=True))
    assert reason_against(Person(35, has_cancer=False, is_immunosuppressed=False)) == ""
    assert reason_against(Person()) == ""
