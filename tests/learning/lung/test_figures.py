"""Figures of nodule detection, on cases counted by hand."""

import math

import numpy as np
import pytest

from medloop.learning.lung.figures import (
    judge_cases,
    nodule_figures,
    sensitivity,
    settled,
    threshold_at,
)
from medloop.models.architecture import densenet
from medloop.models.nodule_plan import NodulePlan

PLAN = NodulePlan(densenet(3, 12, 1, blocks=(2, 2), small=True))


def mark(*center_mm, counts=True):
    return {"center_mm": list(center_mm), "diameter_mm": 6.0, "counts": counts}


def case(patient, places, *, marks=(), is_whole=True):
    """Places are (center mm, logit)."""
    return {
        "patient": patient,
        "is_whole": is_whole,
        "marks": list(marks),
        "middle_mm": [0.0, 0.0, 0.0],
        "places_mm": [list(center) for center, _ in places],
        "logits": [logit for _, logit in places],
    }


FOUND, FAR = (0.0, 0.0, 1.0), (50.0, 0.0, 0.0)
SCAN = case("A", [(FOUND, 2.0), (FAR, 1.0), (FAR, -1.0), (FAR, -2.0)], marks=[mark(0, 0, 0)])
CLEAN = case("B", [(FAR, 0.5), (FAR, 0.0), (FAR, -3.0)])
CROP = case(
    "C",
    [(FOUND, 0.2), (FAR, 9.0)],
    marks=[mark(0, 0, 0), mark(40, 0, 0)],
    is_whole=False,
)


def predictions(*cases, patches=None):
    return [{"cases": list(cases), "patches": patches or {}}]


def test_a_crop_counts_its_own_nodule_and_no_false_mark():
    judged = judge_cases(predictions(SCAN, CLEAN, CROP))
    assert [j.hits.tolist() for j in judged] == [[2.0], [], [0.2]]
    assert [len(j.alarms) for j in judged] == [3, 3, 0]


def test_a_crop_of_a_scanned_patient_and_marks_of_few_readers_count_nothing():
    same = case("A", [(FOUND, 5.0)], marks=[mark(0, 0, 0)], is_whole=False)
    vague = case("D", [(FOUND, 5.0)], marks=[mark(0, 0, 0, counts=False)])
    judged = judge_cases(predictions(SCAN, same, vague))
    assert [(j.patient, len(j.hits), len(j.alarms)) for j in judged] == [
        ("A", 1, 3),
        ("D", 0, 0),
    ]


@pytest.mark.parametrize(
    ("rate", "threshold", "found"),
    [
        (0.5, 1.0, 0.5),  # one false mark on two scans: that at 1.0; the crop's 0.2 is below
        (1.0, 0.2, 1.0),  # two pass, 1.0 and 0.5: what is above 0.0 is reported
        (1.5, 0.0, 1.0),  # three pass, the lowest at 0.0
        (8.0, -3.0, 1.0),
    ],
)
def test_the_threshold_lets_as_many_false_marks_pass_as_allowed(rate, threshold, found):
    judged = judge_cases(predictions(SCAN, CLEAN, CROP))
    assert threshold_at(judged, rate) == threshold
    assert sensitivity(judged, threshold_at(judged, rate)) == found


def test_a_missed_nodule_is_missed_at_any_threshold():
    missed = case("E", [(FAR, 1.0)], marks=[mark(0, 0, 0)])
    judged = judge_cases(predictions(missed))
    assert sensitivity(judged, -100.0) == 0.0


def test_figures_name_their_rate_and_the_plan_takes_the_operating_point():
    rng = np.random.default_rng(0)
    labels = [0, 1] * 20
    patches = {
        "labels": labels,
        "logits": [label - 0.3 * (n % 5) for n, label in enumerate(labels)],
    }
    given = predictions(SCAN, CLEAN, CROP, patches=patches)
    figures = {f.name: f for f in nodule_figures(given, rng)}
    assert figures["sensitivity at 2 false marks a scan"].value == 1.0
    assert figures["sensitivity at 1/2 false marks a scan"].value == 0.5
    assert 0.5 < figures["AUC, axial patches: nodule or not"].value < 1
    plan = settled(PLAN, given)
    logit = plan.temperature * math.log(plan.threshold / (1 - plan.threshold))
    assert logit == pytest.approx(-1.0, abs=0.02)  # the fourth highest false mark
    assert settled(PLAN, []) == PLAN
