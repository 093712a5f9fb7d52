"""Numbers about graded predictions."""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from medloop.evaluation.agreement import Weights, cohen_kappa

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
    table = confusion(truth, predicted, classes=classes)
    return cohen_kappa(table, weights=Weights.QUADRATIC)


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


def macro_auc(truth: Int[ndarray, " n"], probability: Float[ndarray, "n c"]) -> float:
    """Mean over classes of the area under the ROC curve of one class against the rest.

    Each class weighs the same. NaN if a class does not occur, or nothing else does.
    """
    classes = range(probability.shape[1])
    return float(np.mean([roc_auc(truth == c, probability[:, c]) for c in classes]))


def delong_95(
    positive: Bool[ndarray, " n"], score: Float[ndarray, " n"]
) -> tuple[float, float, float]:
    """Area under the ROC curve and its 95 % interval (DeLong 1988, midranks by Sun & Xu 2014).

    The interval is cut to 0..1; it is NaN with fewer than two cases of a class.
    """
    area = roc_auc(positive, score)
    if min(int(positive.sum()), int((~positive).sum())) < 2:
        return area, float("nan"), float("nan")
    above, below = placements(positive, score)
    deviation = float(np.sqrt(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below)))
    return area, max(0.0, area - _Z * deviation), min(1.0, area + _Z * deviation)


def placements(
    positive: Bool[ndarray, " n"], score: Float[ndarray, " n"]
) -> tuple[Float[ndarray, " p"], Float[ndarray, " q"]]:
    """Share of negatives below each positive, and of positives above each negative.

    Ties count half; the mean of either is the area under the ROC curve.
    """
    ours, others = score[positive], score[~positive]
    m, n = len(ours), len(others)
    ranks = midranks(np.concatenate([ours, others]))
    below_each = (ranks[:m] - midranks(ours)) / n
    above_each = 1 - (ranks[m:] - midranks(others)) / m
    return below_each, above_each


def midranks(values: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """Rank from 1; equal values share the mean of their ranks."""
    _, at, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[at]
