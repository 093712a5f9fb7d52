"""Binned precision and recall against exact ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from medloop.evaluation.precision_recall import (
    average_precision,
    average_precision_of_cases,
    best_threshold,
    dice_at,
    precision_recall,
    precision_recall_of_cases,
    score_counts,
)

scored = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=80).filter(
    lambda rows: any(p for p, _ in rows)
)


def split(rows):
    truth, score = zip(*rows, strict=True)
    return np.array(truth), np.array(score)


def test_area_is_counted_by_hand():
    truth = np.array([True, False, True, False])
    counts = score_counts(truth, np.array([0.9, 0.8, 0.7, 0.1]))
    assert average_precision(counts) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_binning_changes_the_area_of_many_scores_little():
    rng = np.random.default_rng(0)
    truth = rng.random(20_000) < 0.02
    score = 1 / (1 + np.exp(-(rng.standard_normal(20_000) * 1.5 + 3 * truth - 4)))
    exact = metrics.average_precision_score(truth, score)
    assert average_precision(score_counts(truth, score)) == pytest.approx(exact, abs=0.01)


@given(scored)
def test_the_area_is_a_share(rows):
    assert 0 <= average_precision(score_counts(*split(rows))) <= 1


@given(scored, scored)
def test_counts_add_up_to_those_of_both_pictures(one, other):
    both = score_counts(*split([*one, *other]))
    total = score_counts(*split(one)) + score_counts(*split(other))
    assert (total.positives == both.positives).all()
    assert (total.negatives == both.negatives).all()


@given(scored)
def test_no_threshold_beats_the_best(rows):
    counts = score_counts(*split(rows))
    best = dice_at(counts, best_threshold(counts))
    assert all(dice_at(counts, t) <= best + 1e-12 for t in np.linspace(0.001, 0.999, 40))


def test_dice_at_a_threshold_is_counted_by_hand():
    truth = np.array([True, True, False, False])
    counts = score_counts(truth, np.array([0.9, 0.2, 0.8, 0.1]))
    assert dice_at(counts, 0.5) == pytest.approx(2 * 1 / (2 + 1 + 1))


def test_nothing_to_find_has_no_area():
    counts = score_counts(np.zeros(3, bool), np.array([0.1, 0.2, 0.3]))
    assert np.isnan(average_precision(counts))
    assert np.isnan(dice_at(counts, 0.5))


def test_recall_rises_to_one():
    counts = score_counts(np.array([True, False, True]), np.array([0.9, 0.5, 0.2]))
    precision, recall = precision_recall(counts)
    assert (np.diff(recall) >= 0).all()
    assert recall[-1] == 1
    assert precision[-1] == pytest.approx(2 / 3)


@given(scored)
def test_the_area_of_cases_is_scikit_learns(rows):
    truth, score = split(rows)
    exact = metrics.average_precision_score(truth, score)
    assert average_precision_of_cases(truth, score) == pytest.approx(exact)


@given(scored)
def test_the_curve_of_cases_is_scikit_learns(rows):
    truth, score = split(rows)
    precision, recall, _ = metrics.precision_recall_curve(truth, score)
    ours = precision_recall_of_cases(truth, score)
    assert ours[0][::-1] == pytest.approx(precision[:-1])
    assert ours[1][::-1] == pytest.approx(recall[:-1])


def test_cases_without_positives_have_no_curve():
    nothing, score = np.zeros(3, bool), np.array([0.1, 0.2, 0.3])
    assert np.isnan(average_precision_of_cases(nothing, score))
    with pytest.raises(ValueError, match="needs positives"):
        precision_recall_of_cases(nothing, score)
