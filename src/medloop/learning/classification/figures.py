"""The figures of a classifying bundle's card, from cases its networks never saw."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.optimize import minimize_scalar

from medloop.evaluation.agreement import Weights, cohen_kappa
from medloop.evaluation.bootstrap import Figure, intervals_95
from medloop.evaluation.calibration import expected_calibration_error
from medloop.evaluation.classification import (
    accuracy,
    confusion,
    delong_95,
    macro_auc,
    recall_by_class,
)
from medloop.evaluation.rates import share_95
from medloop.learning.figures import Predictions
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.classify import probabilities_of

_DRAWS = 1000
_KAPPA = "quadratic-weighted kappa"
_COLDEST, _HOTTEST = 0.25, 4.0


def best_temperature(
    plan: ClassificationPlan, logits: Float[ndarray, "n k"], truth: Int[ndarray, " n"]
) -> float:
    """Temperature of the least mean -log p(truth), between 0.25 and 4 (Guo 2017)."""

    def surprise(log_temperature: float) -> float:
        z = logits / np.exp(log_temperature)
        if plan.ordinal:
            passed = truth[:, None] > np.arange(logits.shape[1])
            return float(np.mean(np.logaddexp(0, z) - z * passed))
        top = z.max(axis=1)
        total = top + np.log(np.exp(z - top[:, None]).sum(axis=1))
        return float(np.mean(total - z[np.arange(len(z)), truth]))

    bounds = (np.log(_COLDEST), np.log(_HOTTEST))
    found = minimize_scalar(surprise, bounds=bounds, method="bounded")
    return round(float(np.exp(found.x)), 3)


def classification_figures(
    plan: ClassificationPlan, predictions: Sequence[Predictions], rng: np.random.Generator
) -> list[Figure]:
    """Measure out-of-fold predictions; the class given is the most probable one.

    Intervals are by bootstrap over cases; those of recalls are Wilson's, and of two classes the
    area under the ROC curve has DeLong's.
    """
    truth, logits = pooled(predictions)
    shares = probabilities_of(logits, plan)
    given, classes = shares.argmax(axis=1), len(plan.classes)
    weights = Weights.QUADRATIC if plan.ordinal else Weights.NONE

    def measured(n: Int[ndarray, " m"]) -> Float[ndarray, " s"]:
        t, g, p = truth[n], given[n], shares[n]
        return np.array(
            [
                accuracy(t, g),
                np.nanmean(recall_by_class(t, g, classes=classes)),
                cohen_kappa(confusion(t, g, classes=classes), weights=weights),
                expected_calibration_error(t == g, p.max(axis=1)),
                macro_auc(t, p),
            ]
        )

    kappa = _KAPPA if plan.ordinal else "Cohen's kappa"
    names = ("accuracy", "balanced accuracy", kappa, "expected calibration error")
    area = _area(classes)
    found = intervals_95(measured, cases=len(truth), rng=rng, draws=_DRAWS)
    figures = [
        Figure(name, float(value), float(low), float(high), len(truth))
        for name, value, low, high in zip((*names, area), *found, strict=True)
    ]
    if classes == 2:
        figures[-1] = Figure(area, *delong_95(truth == 1, shares[:, 1]), len(truth))
    for c, name in enumerate(plan.classes):
        hits, whole = int(((truth == c) & (given == c)).sum()), int((truth == c).sum())
        figures.append(Figure(f"recall of {name}", *share_95(hits, whole), whole))
    return figures


def main_figure(plan: ClassificationPlan) -> str:
    """Name the figure that tells most: of grades the kappa, else the AUC."""
    return _KAPPA if plan.ordinal else _area(len(plan.classes))


def _area(classes: int) -> str:
    return "AUC" if classes == 2 else "macro AUC (one class against the rest)"


def pooled(
    predictions: Sequence[Predictions],
) -> tuple[Int[ndarray, " n"], Float[ndarray, "n k"]]:
    """Return truth and logits of all folds' held-out cases."""
    truth = np.concatenate([np.array(p["truth"], int) for p in predictions])
    return truth, np.concatenate([np.array(p["logits"], float) for p in predictions])
