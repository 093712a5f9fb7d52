import math

import pytest

from medloop.annotation.matching import Difference, distance, side_by_side
from medloop.core.code import Code
from medloop.core.finding import Box, Finding
from tests.annotation.test_draft import a_finding, played

NODULE, CYST = Code("SCT", "427359005", "Nodule"), Code("SCT", "441457006", "Cyst")


def test_readers_who_only_looked_agree():
    told = side_by_side({"li": played(), "wang": played(("accept", "1"))})
    assert told.count == 0
    assert [row.key for row in told.rows] == ["1", "2"]


def test_what_one_rejects_and_one_accepts_is_a_difference():
    told = side_by_side({"li": played(("reject", "1")), "wang": played(("accept", "1"))})
    assert told.rows[0].differences == {Difference.PRESENCE}
    assert not told.rows[1].differences
    assert told.count == 1


def test_what_all_reject_is_agreed():
    told = side_by_side({"li": played(("reject", "1")), "wang": played(("reject", "1"))})
    assert told.count == 0


def test_added_findings_in_the_same_place_are_one_row():
    li = played(
        ("add", "a1", a_finding(center_px=[7.0, 8.0])),
        ("add", "a2", a_finding(center_px=[900.0, 8.0])),
    )
    wang = played(
        ("add", "a1", a_finding(center_px=[901.0, 8.0])),
        ("add", "a2", a_finding(center_px=[20.0, 500.0])),
    )
    rows = {row.key: row for row in side_by_side({"li": li, "wang": wang}).rows}
    assert [key for key in rows if key.startswith("+")] == ["+1", "+2", "+3"]
    assert rows["+1"].said["wang"] is None
    assert rows["+2"].differences == {Difference.PLACE}
    assert rows["+3"].said["li"] is None
    assert rows["+3"].differences == {Difference.PRESENCE}


def test_each_added_finding_is_matched_once_and_to_the_nearest():
    li = played(
        ("add", "a1", a_finding(center_px=[100.0, 0.0])),
        ("add", "a2", a_finding(center_px=[120.0, 0.0])),
    )
    wang = played(
        ("add", "a1", a_finding(center_px=[119.0, 0.0])),
        ("add", "a2", a_finding(center_px=[99.0, 0.0])),
    )
    rows = [
        row for row in side_by_side({"li": li, "wang": wang}).rows if row.key.startswith("+")
    ]
    assert [(row.said["li"].key, row.said["wang"].key) for row in rows] == [
        ("a1", "a2"),
        ("a2", "a1"),
    ]


def test_other_values_of_a_finding_are_named():
    changed = ("change", "1", {"center_px": [40.0, 1.0]})
    told = side_by_side({"li": played(changed), "wang": played()})
    assert told.rows[0].differences == {Difference.PLACE}


def test_grades_are_compared_and_places_and_probabilities_are_not():
    told = side_by_side({"li": played(("assess", "ICDR", 3)), "wang": played()})
    grades = {each.scale: each for each in told.grades}
    assert dict(grades["ICDR"].said) == {"li": 3, "wang": 2}
    assert not grades["ICDR"].is_agreed
    assert told.count == 1


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (
            Finding(NODULE, center_lps_mm=(0.0, 0.0, 0.0)),
            Finding(NODULE, center_lps_mm=(6.0, 8.0, 0.0)),
            1.0,
        ),
        (
            Finding(NODULE, center_lps_mm=(0.0, 0.0, 0.0)),
            Finding(CYST, center_lps_mm=(0.0, 0.0, 0.0)),
            math.inf,
        ),
        (
            Finding(NODULE, box=Box((0.0, 0.0), (10.0, 10.0))),
            Finding(NODULE, box=Box((20.0, 0.0), (30.0, 10.0))),
            0.5,
        ),
        (Finding(NODULE), Finding(NODULE), 0.0),
        (Finding(NODULE), Finding(NODULE, center_lps_mm=(0.0, 0.0, 0.0)), math.inf),
    ],
)
def test_findings_are_one_by_concept_and_place(one, other, apart):
    assert distance(one, other) == pytest.approx(apart)
    assert distance(other, one) == pytest.approx(apart)


def test_nothing_is_compared_to_nothing():
    with pytest.raises(ValueError, match="no reading"):
        side_by_side({})
