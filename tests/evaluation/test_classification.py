"""Graded predictions against counts by hand, brute force and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from medloop.evaluation.classification import (
    accuracy,
    confusion,
    delong_95,
    macro_auc,
    midranks,
    placements,
    quadratic_weighted_kappa,
    recall_by_class,
    roc_auc,
)

TRUTH = np.array([0, 0, 1, 2, 2, 2])
GIVEN = np.array([0, 1, 1, 2, 2, 0])

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=60)
scored = st.lists(
    st.tuples(st.booleans(), st.integers(0, 8).map(lambda n: n / 8)), min_size=4, max_size=60
).filter(lambda rows: 2 <= sum(p for p, _ in rows) <= len(rows) - 2)


def split(rows):
    truth, other = zip(*rows, strict=True)
    return np.array(truth), np.array(other)


def test_confusion_has_truth_in_rows():
    assert confusion(TRUTH, GIVEN, classes=3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]


def test_accuracy_and_recall_are_counted_by_hand():
    assert accuracy(TRUTH, GIVEN) == pytest.approx(4 / 6)
    assert recall_by_class(TRUTH, GIVEN, classes=3) == pytest.approx((1 / 2, 1, 2 / 3))


def test_recall_of_a_class_that_does_not_occur_is_unknown():
    assert np.isnan(recall_by_class(TRUTH, GIVEN, classes=4)[3])


def test_kappa_is_worked_out_by_hand():
    # disagreements squared: 1 + 4 = 5; by chance, sum of w * rows * columns / 6
    rows, columns = [2, 1, 3], [2, 2, 2]
    chance = sum((i - j) ** 2 * rows[i] * columns[j] for i in range(3) for j in range(3)) / 6
    kappa = quadratic_weighted_kappa(TRUTH, GIVEN, classes=3)
    assert kappa == pytest.approx(1 - 5 / chance)


@given(pairs)
def test_kappa_is_that_of_scikit_learn(rows):
    truth, predicted = split(rows)
    ours = quadratic_weighted_kappa(truth, predicted, classes=5)
    if np.isnan(ours):
        assert len(set(truth)) == len(set(predicted)) == 1
        return
    labels = list(range(5))
    theirs = metrics.cohen_kappa_score(truth, predicted, weights="quadratic", labels=labels)
    assert ours == pytest.approx(theirs)
    assert -1 - 1e-9 <= ours <= 1 + 1e-9


@given(scored)
def test_auc_is_the_share_of_pairs_in_order_and_ties_count_half(rows):
    positive, score = split(rows)
    over = score[positive][:, None] - score[~positive][None]
    brute = (over > 0).mean() + (over == 0).mean() / 2
    assert roc_auc(positive, score) == pytest.approx(brute)
    assert roc_auc(positive, score) == pytest.approx(metrics.roc_auc_score(positive, score))


@given(scored)
def test_auc_of_the_opposite_score_is_one_minus_auc(rows):
    positive, score = split(rows)
    assert roc_auc(positive, -score) == pytest.approx(1 - roc_auc(positive, score))
    assert roc_auc(positive, np.exp(3 * score)) == pytest.approx(roc_auc(positive, score))


def test_auc_of_one_class_is_unknown():
    assert np.isnan(roc_auc(np.array([True, True]), np.array([0.1, 0.2])))


@given(scored)
def test_delong_variance_is_that_of_its_definition(rows):
    positive, score = split(rows)
    over = score[positive][:, None] - score[~positive][None]
    wins = (over > 0) + (over == 0) / 2
    variance = wins.mean(1).var(ddof=1) / len(wins) + wins.mean(0).var(ddof=1) / wins.shape[1]
    area, low, high = delong_95(positive, score)
    reach = 1.959964 * np.sqrt(variance)
    assert area == pytest.approx(wins.mean())
    assert (low, high) == pytest.approx((max(0, area - reach), min(1, area + reach)), abs=1e-6)


def test_delong_covers_a_known_area_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    truth = np.arange(80) % 2 == 0
    known = 0.760250  # P(N(1,1) > N(0,1)) = Phi(1 / sqrt 2)
    inside = 0
    for _ in range(300):
        _, low, high = delong_95(truth, rng.standard_normal(80) + truth)
        inside += low <= known <= high
    assert 0.90 <= inside / 300 <= 0.985


def test_delong_needs_two_of_each_class():
    _, low, high = delong_95(np.array([True, False, False]), np.array([0.9, 0.1, 0.2]))
    assert np.isnan([low, high]).all()


def test_equal_values_share_the_mean_rank():
    assert midranks(np.array([5.0, 1.0, 5.0, 3.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_macro_auc_is_that_of_scikit_learn():
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 4, 80)
    probability = rng.dirichlet([1, 1, 1, 1], 80) + np.eye(4)[truth]
    probability /= probability.sum(axis=1, keepdims=True)
    theirs = metrics.roc_auc_score(truth, probability, multi_class="ovr", average="macro")
    assert macro_auc(truth, probability) == pytest.approx(theirs)


def test_macro_auc_without_one_of_the_classes_is_unknown():
    assert np.isnan(macro_auc(np.array([0, 1, 0]), np.full((3, 3), 1 / 3)))


@given(scored)
def test_placements_have_the_area_as_mean(rows):
    positive, score = split(rows)
    for part in placements(positive, score):
        assert part.mean() == pytest.approx(roc_auc(positive, score))
