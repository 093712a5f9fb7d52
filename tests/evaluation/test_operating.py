"""ROC curves and thresholds, by hand and by scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from medloop.evaluation.operating import at_sensitivity, at_specificity, at_youden, roc_curve

POSITIVE = np.array([1, 1, 0, 1, 0, 0], bool)
SCORE = np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.1])

scored = st.lists(
    st.tuples(st.booleans(), st.integers(0, 8).map(lambda n: n / 8)), min_size=2, max_size=60
).filter(lambda rows: 1 <= sum(p for p, _ in rows) <= len(rows) - 1)


def split(rows):
    truth, other = zip(*rows, strict=True)
    return np.array(truth), np.array(other)


@given(scored)
def test_the_curve_is_that_of_scikit_learn(rows):
    positive, score = split(rows)
    ours = roc_curve(positive, score)
    alarms, hits, thresholds = metrics.roc_curve(positive, score, drop_intermediate=False)
    assert ours.threshold.tolist() == thresholds.tolist()
    assert ours.sensitivity == pytest.approx(hits)
    assert 1 - ours.specificity == pytest.approx(alarms)


def test_points_are_chosen_by_hand():
    curve = roc_curve(POSITIVE, SCORE)
    sure = at_sensitivity(curve, 0.9)
    assert (sure.threshold, sure.sensitivity) == (0.6, 1)
    assert sure.specificity == pytest.approx(2 / 3)
    strict = at_specificity(curve, 0.9)
    assert (strict.threshold, strict.specificity) == (0.8, 1)
    assert strict.sensitivity == pytest.approx(2 / 3)


def test_youden_takes_the_highest_of_equal_thresholds():
    # 0.8 gives 2/3 + 1 - 1, 0.6 gives 1 + 2/3 - 1
    assert at_youden(roc_curve(POSITIVE, SCORE)).threshold == 0.8


@given(scored, st.floats(0, 1))
def test_the_chosen_point_keeps_its_promise_and_gives_away_nothing(rows, least):
    curve = roc_curve(*split(rows))
    sure = at_sensitivity(curve, least)
    assert sure.sensitivity >= least - 1e-9
    enough = curve.sensitivity >= least
    assert sure.specificity >= curve.specificity[enough].max() - 1e-9
    strict = at_specificity(curve, least)
    assert strict.specificity >= least - 1e-9
    enough = curve.specificity >= least
    assert strict.sensitivity >= curve.sensitivity[enough].max() - 1e-9


@given(scored)
def test_calling_at_the_threshold_gives_the_rates_of_the_point(rows):
    positive, score = split(rows)
    point = at_youden(roc_curve(positive, score))
    called = score >= point.threshold
    assert called[positive].mean() == pytest.approx(point.sensitivity)
    assert (~called)[~positive].mean() == pytest.approx(point.specificity)


def test_what_has_no_curve_is_refused():
    with pytest.raises(ValueError, match="both classes"):
        roc_curve(np.ones(3, bool), np.zeros(3))
    with pytest.raises(ValueError, match=r"0\.\.1"):
        at_sensitivity(roc_curve(POSITIVE, SCORE), 95)
