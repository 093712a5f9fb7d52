"""FROC curves: a case by hand, LUNA16's formula through scikit-learn, and MONAI."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from medloop.evaluation.detection import Matched, match_points
from medloop.evaluation.froc import (
    CPM_FALSE_PER_SCAN,
    competition_metric,
    froc,
    froc_band,
    froc_figures,
    sensitivity_at,
)


def two_scans():
    """Two nodules, one excluded, five marks; one nodule, two marks."""
    first = match_points(
        np.array([[0.0, 0, 0], [50, 0, 0], [0, 50, 0]]),
        np.array([5.0, 4, 5]),
        np.array([[1.0, 0, 0], [3, 0, 0], [0, 50, 1], [54, 0, 0], [99, 9, 9]]),
        np.array([0.9, 0.5, 0.95, 0.8, 0.3]),
        relevant=np.array([True, True, False]),
    )
    second = match_points(
        np.zeros((1, 3)),
        np.array([3.0]),
        np.array([[0.0, 0, 1], [9, 9, 9]]),
        np.array([0.7, 0.6]),
    )
    return [first, second]


def drawn(seed, scans=20):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(scans):
        hits = rng.integers(2, 11, rng.integers(0, 4)) / 10
        hits[rng.random(len(hits)) < 0.2] = -math.inf
        found.append(Matched(hits, rng.integers(0, 10, rng.integers(0, 12)) / 10))
    return found


def of_luna16(scans):
    """As the challenge's script counts: a ROC curve over marks, stretched to rates."""
    hits = np.concatenate([scan.hits for scan in scans])
    found, alarms = hits[np.isfinite(hits)], np.concatenate([scan.alarms for scan in scans])
    false, true, _ = metrics.roc_curve(
        np.arange(len(found) + len(alarms)) < len(found), np.concatenate([found, alarms])
    )
    return false * len(alarms) / len(scans), true * len(found) / len(hits)


def test_the_curve_is_drawn_by_hand():
    curve = froc(two_scans())
    assert curve.threshold.tolist() == [math.inf, 0.9, 0.8, 0.7, 0.6, 0.3]
    assert curve.false_per_scan.tolist() == [0, 0, 0.5, 0.5, 1, 1.5]
    assert curve.sensitivity == pytest.approx(np.array([0, 1, 1, 2, 2, 2]) / 3)


def test_the_competition_metric_is_worked_out_by_hand():
    # a third at 1/8 and 1/4 false marks per scan, two thirds from 1/2 on
    curve = froc(two_scans())
    assert sensitivity_at(curve, 0.25) == pytest.approx(1 / 3)
    assert sensitivity_at(curve, 0.5) == pytest.approx(2 / 3)
    assert sensitivity_at(curve, 8) == pytest.approx(2 / 3)
    assert competition_metric(curve) == pytest.approx((2 * 1 / 3 + 5 * 2 / 3) / 7)


@given(st.integers(0, 2**32 - 1))
def test_the_curve_is_that_of_luna16(seed):
    scans = drawn(seed)
    false, found = of_luna16(scans)
    curve = froc(scans)
    for rate in (*CPM_FALSE_PER_SCAN, 0.3, 3.7):
        assert sensitivity_at(curve, rate) == pytest.approx(np.interp(rate, false, found))


def test_between_two_points_the_curve_is_a_line():
    # one score for a hit and a false mark: they come together
    curve = froc([Matched(np.array([0.5]), np.array([0.5]))])
    assert curve.false_per_scan.tolist() == [0, 1]
    assert sensitivity_at(curve, 0.25) == 0.25


def test_without_false_marks_all_rates_have_the_last_sensitivity():
    curve = froc([Matched(np.array([0.9, -math.inf]), np.zeros(0))])
    assert competition_metric(curve) == 0.5


def test_nothing_marked_is_nothing_found():
    assert competition_metric(froc([Matched(np.array([-math.inf]), np.zeros(0))])) == 0


def test_scans_without_findings_have_no_curve():
    for call in (froc, lambda scans: froc_figures(scans, np.random.default_rng(0))):
        with pytest.raises(ValueError, match="no finding"):
            call([Matched(np.zeros(0), np.array([0.5]))])
        with pytest.raises(ValueError, match="no finding"):
            call([])


def test_figures_have_the_values_of_the_curve_within_their_intervals():
    scans = drawn(7, scans=60)
    figures = froc_figures(scans, np.random.default_rng(0), draws=200)
    curve = froc(scans)
    known = [sensitivity_at(curve, rate) for rate in CPM_FALSE_PER_SCAN]
    assert [figure.value for figure in figures[:-1]] == pytest.approx(known)
    assert figures[-1].name == "CPM"
    assert figures[-1].value == pytest.approx(competition_metric(curve))
    assert figures[2].name == "sensitivity at 0.5 false marks per scan"
    assert all(figure.low <= figure.value <= figure.high for figure in figures)
    assert all(figure.high - figure.low > 0.02 for figure in figures)
    assert {figure.cases for figure in figures} == {60}


def test_a_draw_of_scans_is_a_curve_of_these_scans():
    # what resampling by weights gives must be what repeating scans gives
    scans = drawn(3, scans=8)
    picks = [np.random.default_rng(5).integers(0, 8, 8)]
    generator = np.random.default_rng(5)
    band = froc_band(scans, generator, false_per_scan=[0.5, 2], draws=1)
    curve = froc([scans[n] for n in picks[0]])
    assert band.low == pytest.approx([sensitivity_at(curve, 0.5), sensitivity_at(curve, 2)])
    assert band.low.tolist() == band.high.tolist()


def test_intervals_cover_a_known_sensitivity_about_as_often_as_they_say():
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(40):
        scans = [
            Matched(np.where(rng.random(2) < 0.7, 0.9, -math.inf), np.array([0.1]))
            for _ in range(50)
        ]
        figure = froc_figures(scans, rng, false_per_scan=[0.5], draws=60)[0]
        inside += figure.low <= 0.7 <= figure.high
    assert 0.85 <= inside / 40 <= 1


@pytest.mark.train
def test_the_score_is_that_of_camelyon16_in_monai():
    # MONAI draws no point at the lowest score: a false mark below all mends that
    monai = pytest.importorskip("monai.metrics")
    scans = drawn(11)
    hits = np.concatenate([scan.hits for scan in scans])
    alarms = np.concatenate([scan.alarms for scan in scans])
    false, found = monai.compute_froc_curve_data(
        np.append(alarms, -1.0), hits[np.isfinite(hits)], len(hits), len(scans)
    )
    rates = (0.25, 0.5, 1, 2, 4, 8)
    curve = froc(scans)
    ours = np.mean([sensitivity_at(curve, rate) for rate in rates])
    assert ours == pytest.approx(monai.compute_froc_score(false, found, rates))
