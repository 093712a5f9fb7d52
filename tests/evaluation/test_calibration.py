"""Stated against seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from medloop.evaluation.calibration import (
    brier_score,
    brier_score_of_classes,
    expected_calibration_error,
    reliability,
)


def test_bins_hold_what_was_counted_by_hand():
    positive = np.array([True, False, True, True])
    found = reliability(positive, np.array([0.1, 0.3, 0.9, 1.0]), bins=2)
    assert found.cases.tolist() == [2, 2]
    assert found.stated == pytest.approx([0.2, 0.95])
    assert found.seen == pytest.approx([0.5, 1.0])
    error = expected_calibration_error(positive, np.array([0.1, 0.3, 0.9, 1.0]), bins=2)
    assert error == pytest.approx((2 * 0.3 + 2 * 0.05) / 4)


def test_probabilities_that_come_true_have_no_error():
    probability = np.repeat([0.25, 0.75], 4)
    positive = np.array([1, 0, 0, 0, 1, 1, 1, 0], bool)
    assert expected_calibration_error(positive, probability) == pytest.approx(0)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=50))
def test_the_error_is_a_share(rows):
    positive, probability = (np.array(part) for part in zip(*rows, strict=True))
    assert 0 <= expected_calibration_error(positive, probability) <= 1


def test_what_is_no_probability_is_refused():
    with pytest.raises(ValueError, match="beyond"):
        reliability(np.array([True]), np.array([1.5]))


def test_no_cases_have_no_error():
    assert np.isnan(expected_calibration_error(np.zeros(0, bool), np.zeros(0)))


def test_brier_score_is_worked_out_by_hand():
    positive, probability = np.array([True, False]), np.array([0.8, 0.4])
    assert brier_score(positive, probability) == pytest.approx((0.04 + 0.16) / 2)
    both = np.stack([1 - probability, probability], axis=1)
    assert brier_score_of_classes(positive.astype(int), both) == pytest.approx(0.2)
    assert np.isnan(brier_score(np.zeros(0, bool), np.zeros(0)))
    assert np.isnan(brier_score_of_classes(np.zeros(0, int), np.zeros((0, 2))))


def test_brier_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth, probability = rng.integers(0, 3, 50), rng.dirichlet([1, 1, 1], 50)
    positive = truth == 1
    ours = brier_score(positive, probability[:, 1])
    assert ours == pytest.approx(metrics.brier_score_loss(positive, probability[:, 1]))
    theirs = metrics.brier_score_loss(truth, probability, labels=[0, 1, 2], scale_by_half=False)
    assert brier_score_of_classes(truth, probability) == pytest.approx(theirs)
