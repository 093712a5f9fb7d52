"""Two models on the same cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.evaluation.classification import delong_95, roc_auc
from medloop.evaluation.comparison import (
    delong_test,
    mcnemar_test,
    paired_bootstrap,
    paired_bootstraps,
)


def drawn(rng, cases=120, gap=1.0, other_gap=1.0):
    """Two scores that share half of their noise."""
    positive = np.arange(cases) % 2 == 0
    common = rng.standard_normal(cases)
    scores = (
        g * positive + (common + rng.standard_normal(cases)) / np.sqrt(2)
        for g in (gap, other_gap)
    )
    return positive, *scores


rows = st.lists(
    st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 6)), min_size=4, max_size=40
).filter(lambda rows: 2 <= sum(row[0] for row in rows) <= len(rows) - 2)


@given(rows)
def test_the_variance_of_the_difference_is_that_of_its_definition(rows):
    positive, one, other = (np.array(part) for part in zip(*rows, strict=True))
    wins = []
    for score in (one, other):
        over = score[positive][:, None] - score[~positive][None]
        wins.append((over > 0) + (over == 0) / 2)
    apart = wins[0] - wins[1]
    variance = apart.mean(1).var(ddof=1) / len(apart) + apart.mean(0).var(ddof=1) / len(apart.T)
    found = delong_test(positive, one.astype(float), other.astype(float))
    assert found.difference == pytest.approx(apart.mean())
    assert found.high - found.low == pytest.approx(2 * 1.959964 * np.sqrt(variance), abs=1e-6)


def test_against_a_score_that_says_nothing_delong_is_the_interval_of_one_model():
    positive, one, _ = drawn(np.random.default_rng(0))
    found = delong_test(positive, one, np.zeros(120))
    area, low, high = delong_95(positive, one)
    assert (found.one, found.other) == (pytest.approx(area), 0.5)
    assert (found.low + 0.5, found.high + 0.5) == pytest.approx((low, high))


def test_delong_cries_wolf_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    cries = sum(delong_test(*drawn(rng)).p < 0.05 for _ in range(400))
    assert 0.02 <= cries / 400 <= 0.085


def test_equal_models_do_not_differ():
    positive, one, _ = drawn(np.random.default_rng(2))
    found = delong_test(positive, one, 3 * one + 1)
    assert (found.difference, found.p) == (0, 1)


def test_delong_needs_two_cases_of_each_class():
    found = delong_test(np.array([True, False]), np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert np.isnan([found.difference, found.p]).all()


def test_bootstrap_and_delong_see_the_same_difference():
    positive, one, other = drawn(np.random.default_rng(3), cases=200, gap=1.5, other_gap=0.8)
    known = delong_test(positive, one, other)
    found = paired_bootstrap(
        lambda n: roc_auc(positive[n], one[n]),
        lambda n: roc_auc(positive[n], other[n]),
        cases=200,
        rng=np.random.default_rng(4),
        draws=500,
    )
    assert found.difference == pytest.approx(known.difference)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.02)
    assert found.p < 0.05
    assert known.p < 0.05


def test_a_model_does_not_differ_from_itself():
    found = paired_bootstrap(np.mean, np.mean, cases=9, rng=np.random.default_rng(0), draws=99)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_a_statistic_that_is_never_known_has_no_interval():
    found = paired_bootstrap(
        lambda n: np.nan, np.mean, cases=3, rng=np.random.default_rng(0), draws=9
    )
    assert np.isnan([found.low, found.high, found.p]).all()


def test_mcnemar_is_the_toss_of_a_coin():
    # 1 case only the first has right, 5 only the other: 2 (1 + 6) / 2^6
    one = np.array([1, 0, 0, 0, 0, 0, 1, 1, 0], bool)
    other = np.array([0, 1, 1, 1, 1, 1, 1, 1, 0], bool)
    assert mcnemar_test(one, other) == pytest.approx(14 / 64)
    assert mcnemar_test(one, one) == 1


def test_mcnemar_is_that_of_statsmodels():
    module = pytest.importorskip("statsmodels.stats.contingency_tables")
    one, other = np.random.default_rng(0).random((2, 60)) < [[0.6], [0.8]]
    table = [[np.sum(a & b) for b in (other, ~other)] for a in (one, ~one)]
    assert mcnemar_test(one, other) == pytest.approx(module.mcnemar(table, exact=True).pvalue)


def test_cases_of_one_patient_tell_less_than_as_many_patients():
    rng = np.random.default_rng(0)
    better = np.repeat(rng.standard_normal(12) + 0.5, 10)

    def width(clusters):
        found = paired_bootstrap(
            lambda n: float(better[n].mean()),
            lambda _n: 0.0,
            cases=120,
            rng=np.random.default_rng(1),
            draws=400,
            clusters=clusters,
        )
        return found.high - found.low

    assert width(np.repeat(np.arange(12), 10)) > 2 * width(None)


def test_several_statistics_are_compared_as_each_would_be_alone():
    _, one, other = drawn(np.random.default_rng(0), gap=1.5)
    both = paired_bootstraps(
        lambda n: np.array([one[n].mean(), np.median(one[n])]),
        lambda n: np.array([other[n].mean(), np.median(other[n])]),
        cases=120,
        rng=np.random.default_rng(1),
        draws=200,
    )
    alone = paired_bootstrap(
        lambda n: float(np.median(one[n])),
        lambda n: float(np.median(other[n])),
        cases=120,
        rng=np.random.default_rng(1),
        draws=200,
    )
    assert both[1] == alone
