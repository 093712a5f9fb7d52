"""The figures of a card, from predictions on cases the network never saw."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.optimize import minimize_scalar

from medloop.evaluation.bootstrap import Figure, Statistic, interval_95
from medloop.evaluation.classification import (
    accuracy,
    quadratic_weighted_kappa,
    recall_by_class,
    roc_auc,
)
from medloop.evaluation.precision_recall import ScoreCounts, average_precision
from medloop.models.plan import Plan
from medloop.models.retina import exceedance, grade_of

# One fold's out-of-fold predictions as kept in JSON: parallel lists, an entry a case.
Predictions = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Graded:
    """True and given grades, and the referable decision (ICDR >= 2 or any DME)."""

    truth: Int[ndarray, "n 2"]
    given: Int[ndarray, "n 2"]
    referable: Bool[ndarray, " n"]
    score: Float[ndarray, " n"]  # probability of referable
    above_mild: Float[ndarray, " n"]  # probability of ICDR >= 2


def binary_temperature(
    logits: Float[ndarray, "*s"],
    truth: ndarray,
    *,
    bounds: tuple[float, float] = (math.log(0.25), math.log(4.0)),
) -> float:
    """Temperature with the least binary cross-entropy (Guo 2017); `bounds` of its logarithm."""

    def entropy(log_temperature: float) -> float:
        z = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, z) - z * truth))

    found = minimize_scalar(entropy, bounds=bounds, method="bounded")
    return float(np.exp(found.x))


def read_grades(plan: Plan, predictions: Sequence[Predictions]) -> Graded:
    """Read grades off the logits, as the bundle's plan says."""
    truth = np.concatenate([np.array(p["truth"]) for p in predictions])
    logits = np.concatenate([np.array(p["logits"]) for p in predictions])
    above = [exceedance(row, plan) for row in logits]
    return Graded(
        truth,
        np.array([[grade_of(part) for part in row] for row in above]),
        (truth[:, 0] >= 2) | (truth[:, 1] > 0),
        np.array([max(row[0][1], row[1][0]) for row in above]),
        np.array([row[0][1] for row in above]),
    )


def grading_figures(
    plan: Plan, predictions: Sequence[Predictions], rng: np.random.Generator
) -> list[Figure]:
    """Measure each scale, both together, and the referable decision (ICDR >= 2 or DME)."""
    graded = read_grades(plan, predictions)
    truth, given = graded.truth, graded.given
    icdr, dme = truth.T
    referable, score = graded.referable, graded.score
    called = score > 0.5

    def kappa(column: int, classes: int) -> Statistic:
        return lambda n: quadratic_weighted_kappa(
            truth[n, column], given[n, column], classes=classes
        )

    statistics: dict[str, Statistic] = {
        "ICDR quadratic-weighted kappa": kappa(0, 5),
        "ICDR accuracy (five grades)": _accuracy(icdr, given[:, 0]),
        "DME quadratic-weighted kappa": kappa(1, 3),
        "DME accuracy (three grades)": _accuracy(dme, given[:, 1]),
        "ICDR and DME both right": _both(truth, given),
        "referable AUC": lambda n: roc_auc(referable[n], score[n]),
        "ICDR 2 or more AUC": lambda n: roc_auc(icdr[n] >= 2, graded.above_mild[n]),
        "referable sensitivity": lambda n: _share(called[n], referable[n]),
        "referable specificity": lambda n: _share(~called[n], ~referable[n]),
    }
    for grade in range(5):
        statistics[f"ICDR {grade} recall"] = _recall(icdr, given[:, 0], grade)
    for key, reader in (("network_logits", "network"), ("opinion", "lesions")):
        if all(key in p for p in predictions):
            alone = _given_by(plan, predictions, key)
            statistics[f"ICDR accuracy, {reader} alone"] = _accuracy(icdr, alone[:, 0])
            statistics[f"ICDR and DME both right, {reader} alone"] = _both(truth, alone)
    return _measure(statistics, len(truth), rng)


def _given_by(plan: Plan, predictions: Sequence[Predictions], key: str) -> Int[ndarray, "n 2"]:
    """Grades that one of two readers would give: steps more likely passed than not."""
    rows = np.concatenate([np.array(p[key]) for p in predictions])
    passed = rows > (0.5 if key == "opinion" else 0.0)
    edges = np.cumsum([scale.grades - 1 for scale in plan.scales])[:-1]
    parts = np.split(passed, edges, axis=1)
    return np.stack([np.minimum.accumulate(p, axis=1).sum(axis=1) for p in parts], axis=1)


def _accuracy(truth: Int[ndarray, " n"], given: Int[ndarray, " n"]) -> Statistic:
    return lambda n: accuracy(truth[n], given[n])


def _both(truth: Int[ndarray, "n 2"], given: Int[ndarray, "n 2"]) -> Statistic:
    return lambda n: float(np.mean((truth[n] == given[n]).all(axis=1)))


def lesion_figures(
    plan: Plan, predictions: Sequence[Predictions], rng: np.random.Generator
) -> list[Figure]:
    """Area under precision-recall of each class, all pixels of all photographs pooled."""
    positives = np.concatenate([np.array(p["positives"]) for p in predictions])
    negatives = np.concatenate([np.array(p["negatives"]) for p in predictions])

    def area(c: int) -> Statistic:
        return lambda n: average_precision(
            ScoreCounts(positives[n, c].sum(axis=0), negatives[n, c].sum(axis=0))
        )

    def dice(c: int) -> Statistic:
        return lambda n: _dice(positives[n, c].sum(axis=0), negatives[n, c].sum(axis=0))

    statistics: dict[str, Statistic] = {}
    for c, name in enumerate(plan.classes):
        statistics[f"{name} area under precision-recall"] = area(c)
    for c, name in enumerate(plan.classes):
        statistics[f"{name} best pooled Dice"] = dice(c)
    return _measure(statistics, len(positives), rng)


def pooled_counts(predictions: Sequence[Predictions]) -> list[ScoreCounts]:
    """Score counts of each class over all photographs."""
    positives = np.concatenate([np.array(p["positives"]) for p in predictions]).sum(axis=0)
    negatives = np.concatenate([np.array(p["negatives"]) for p in predictions]).sum(axis=0)
    return [ScoreCounts(p, n) for p, n in zip(positives, negatives, strict=True)]


def _dice(positives: Int[ndarray, " s"], negatives: Int[ndarray, " s"]) -> float:
    hits, alarms = np.cumsum(positives[::-1]), np.cumsum(negatives[::-1])
    if hits[-1] == 0:
        return float("nan")
    return float(np.max(2 * hits / (hits[-1] + hits + alarms)))


def _share(called: ndarray, among: ndarray) -> float:
    return float(called[among].mean()) if among.any() else float("nan")


def _recall(truth: ndarray, given: ndarray, grade: int) -> Callable[[ndarray], float]:
    return lambda n: recall_by_class(truth[n], given[n], classes=5)[grade]


def _measure(
    statistics: Mapping[str, Statistic], cases: int, rng: np.random.Generator
) -> list[Figure]:
    figures = []
    for name, statistic in statistics.items():
        value, low, high = interval_95(statistic, cases=cases, rng=rng, draws=1000)
        figures.append(Figure(name, value, low, high, cases))
    return figures
