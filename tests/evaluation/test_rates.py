"""Shares with intervals: published ones, and figures counted by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from medloop.evaluation.rates import Interval, decision_figures, share_95


@pytest.mark.parametrize(
    ("part", "whole", "wilson", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0000, 0.1611), (0.0000, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_intervals_are_those_of_newcombe_1998(part, whole, wilson, exact):
    assert share_95(part, whole)[1:] == pytest.approx(wilson, abs=5e-5)
    found = share_95(part, whole, interval=Interval.CLOPPER_PEARSON)
    assert found[1:] == pytest.approx(exact, abs=5e-5)


def test_a_share_of_nothing_is_unknown():
    assert np.isnan(share_95(0, 0)).all()
    with pytest.raises(ValueError, match="part"):
        share_95(3, 2)


def test_decisions_are_counted_by_hand():
    positive = np.array([1, 1, 1, 0, 0, 0, 0, 0], bool)
    called = np.array([1, 1, 0, 1, 0, 0, 0, 0], bool)
    found = {figure.name: figure for figure in decision_figures(positive, called)}
    values = {name: figure.value for name, figure in found.items()}
    assert values == pytest.approx(
        {
            "sensitivity": 2 / 3,
            "specificity": 4 / 5,
            "PPV": 2 / 3,
            "NPV": 4 / 5,
            "accuracy": 6 / 8,
            "F1": 2 * 2 / (2 * 2 + 1 + 1),
        }
    )
    assert found["sensitivity"].cases == 3
    assert found["NPV"].cases == 5
    assert all(figure.low < figure.value < figure.high for figure in found.values())


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=50))
def test_figures_are_those_of_scikit_learn(rows):
    positive, called = (np.array(part) for part in zip(*rows, strict=True))
    found = {figure.name: figure.value for figure in decision_figures(positive, called)}
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        positive, called, labels=[False, True], zero_division=np.nan
    )
    ours = [found[name] for name in ("NPV", "PPV", "specificity", "sensitivity", "F1")]
    assert ours == pytest.approx([*precision, *recall, f1[1]], nan_ok=True)


def test_the_interval_of_f1_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    known = 2 * 0.3 / (2 * 0.3 + 0.1 + 0.15)  # 30 % hits, 10 % misses, 15 % false alarms
    inside = 0
    for _ in range(150):
        kind = rng.choice(4, 120, p=[0.3, 0.1, 0.15, 0.45])
        figure = decision_figures(kind <= 1, (kind == 0) | (kind == 2))[-1]
        inside += figure.low <= known <= figure.high
    assert 0.90 <= inside / 150 <= 0.985
