"""Numbers about graded predictions."""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

_Z = 1.959963984540054  # 97.5 % of the normal distribution lie below


def accuracy(truth: Int[ndarray, " n"], predicted: Int[ndarray, " n"]) -> float:
    """Share of predictions that are right."""
    return float(np.mean(truth == predicted))


def confusion(
    truth: Int[ndarray, " n"], predicted: Int[ndarray, " n"], *, classes: int
) -> Int[ndarray, "c c"]:
    """Count of each (truth, prediction) pair; rows are truth."""
    flat = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes)


def quadratic_weighted_kappa(
    truth: Int[ndarray, " n"], predicted: Int[ndarray, " n"], *, classes: int
) -> float:
    """Agreement on an ordinal scale beyond chance, disagreement squared (Cohen 1968).

    NaN if truth and prediction are each constant and equal (no disagreement is possible).
    """
    observed = confusion(truth, predicted, classes=classes).astype(float)
    k = np.arange(classes)
    weight = (k[:, None] - k[None]) ** 2
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / observed.sum()
    chance = float((weight * expected).sum())
    return 1 - float((weight * observed).sum()) / chance if chance > 0 else float("nan")


def recall_by_class(
    truth: Int[ndarray, " n"], predicted: Int[ndarray, " n"], *, classes: int
) -> tuple[float, ...]:
    """Share of each true class that was predicted so; NaN for a class that does not occur."""
    table = confusion(truth, predicted, classes=classes)
    with np.errstate(invalid="ignore"):
        return tuple(float(v) for v in np.diag(table) / table.sum(axis=1))


def roc_auc(positive: Bool[ndarray, " n"], score: Float[ndarray, " n"]) -> float:
    """Area under the ROC curve: P(positive scores higher), ties count half (Hanley 1982).

    NaN if one of the two classes is missing.
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    ranks = float(midranks(score)[positive].sum())
    return (ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def delong_95(
    positive: Bool[ndarray, " n"], score: Float[ndarray, " n"]
) -> tuple[float, float, float]:
    """Area under the ROC curve and its 95 % interval (DeLong 1988, midranks by Sun & Xu 2014).

    The interval is cut to 0..1; it is NaN with fewer than two cases of a class.
    """
    area = roc_auc(positive, score)
    ours, others = score[positive], score[~positive]
    m, n = len(ours), len(others)
    if min(m, n) < 2:
        return area, float("nan"), float("nan")
    ranks = midranks(np.concatenate([ours, others]))
    beaten = (ranks[:m] - midranks(ours)) / n  # share of negatives below each positive
    beating = 1 - (ranks[m:] - midranks(others)) / m  # share of positives above each negative
    deviation = float(np.sqrt(beaten.var(ddof=1) / m + beating.var(ddof=1) / n))
    return area, max(0.0, area - _Z * deviation), min(1.0, area + _Z * deviation)


def midranks(values: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """Rank from 1; equal values share the mean of their ranks."""
    _, at, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[at]
