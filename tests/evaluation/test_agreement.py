"""Kappa by hand, as published, and by scikit-learn and statsmodels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from medloop.evaluation.agreement import Weights, cohen_kappa, cohen_kappa_95, fleiss_kappa
from medloop.evaluation.bootstrap import interval_95
from medloop.evaluation.classification import confusion

NAMES = {Weights.NONE: None, Weights.LINEAR: "linear", Weights.QUADRATIC: "quadratic"}
# fourteen readers, ten cases, five categories: the worked example of Fleiss' kappa, 0.210
FLEISS = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)

tables = hnp.arrays(int, (4, 4), elements=st.integers(0, 12)).filter(
    lambda table: np.count_nonzero(table.sum(0)) > 1 and np.count_nonzero(table.sum(1)) > 1
)


def test_kappa_of_two_readers_is_worked_out_by_hand():
    # agree on 35 of 50; by chance 25 * 30 / 50 + 25 * 20 / 50 = 25
    table = np.array([[20, 5], [10, 15]])
    assert cohen_kappa(table) == pytest.approx((35 - 25) / (50 - 25))


@pytest.mark.parametrize("weights", Weights)
@given(table=tables)
def test_kappa_is_that_of_scikit_learn(weights, table):
    one, other = np.nonzero(np.ones_like(table))
    theirs = metrics.cohen_kappa_score(
        one, other, weights=NAMES[weights], sample_weight=table.ravel(), labels=range(4)
    )
    assert cohen_kappa(table, weights=weights) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("weights", Weights)
def test_the_interval_is_that_of_statsmodels(weights):
    module = pytest.importorskip("statsmodels.stats.inter_rater")
    table = np.random.default_rng(0).integers(0, 30, (4, 4)) + 40 * np.eye(4, dtype=int)
    theirs = module.cohens_kappa(table, wt=NAMES[weights])
    found = cohen_kappa_95(table, weights=weights)
    assert found == pytest.approx((theirs.kappa, theirs.kappa_low, theirs.kappa_upp))


def test_the_interval_is_about_that_of_the_bootstrap():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, 400)
    given_ = np.clip(truth + rng.integers(-1, 2, 400), 0, 3)

    def kappa(n):
        table = confusion(truth[n], given_[n], classes=4)
        return cohen_kappa(table, weights=Weights.LINEAR)

    _, *drawn = interval_95(kappa, cases=400, rng=rng, draws=500)
    _, *known = cohen_kappa_95(confusion(truth, given_, classes=4), weights=Weights.LINEAR)
    assert drawn == pytest.approx(known, abs=0.02)


def test_readers_who_give_one_grade_throughout_have_no_kappa():
    table = np.array([[7, 0], [0, 0]])
    assert np.isnan(cohen_kappa_95(table)).all()


def test_readers_who_always_agree_have_kappa_one():
    assert cohen_kappa_95(np.diag([3, 4, 5])) == pytest.approx((1, 1, 1))


def test_fleiss_kappa_is_the_published_one():
    assert fleiss_kappa(FLEISS) == pytest.approx(0.210, abs=5e-4)


@given(hnp.arrays(int, (6, 3), elements=st.integers(0, 5)))
def test_fleiss_kappa_is_that_of_statsmodels(counts):
    module = pytest.importorskip("statsmodels.stats.inter_rater")
    counts[:, 0] += 12 - counts.sum(axis=1).clip(max=12)
    counts = counts[counts.sum(axis=1) == 12]
    if len(counts) == 0 or (counts.sum(axis=0) > 0).sum() < 2:
        return
    assert fleiss_kappa(counts) == pytest.approx(module.fleiss_kappa(counts), abs=1e-9)


@pytest.mark.parametrize("counts", [[[2, 1], [1, 1]], [[1, 0], [0, 1]], np.zeros((0, 2), int)])
def test_cases_with_too_few_or_other_readers_are_refused(counts):
    with pytest.raises(ValueError, match="readers"):
        fleiss_kappa(np.array(counts))
