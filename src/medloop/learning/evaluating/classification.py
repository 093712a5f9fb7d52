"""A network that gives an image a class, measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.evaluation.agreement import Weights, cohen_kappa
from medloop.evaluation.bootstrap import Figure, intervals_95
from medloop.evaluation.calibration import (
    brier_score,
    brier_score_of_classes,
    expected_calibration_error,
)
from medloop.evaluation.classification import (
    accuracy,
    confusion,
    delong_95,
    macro_auc,
    recall_by_class,
)
from medloop.evaluation.comparison import (
    Comparison,
    delong_test,
    mcnemar_test,
    paired_bootstraps,
)
from medloop.evaluation.precision_recall import average_precision_of_cases
from medloop.evaluation.rates import share_95
from medloop.learning.classification.fingerprint import class_of
from medloop.learning.data.pixels import read_image
from medloop.learning.evaluating.blocks import BOOTSTRAP, DELONG, WILSON, CaseTable, Row
from medloop.learning.evaluating.cases import Chosen, Count, fitted
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.classify import classify
from medloop.models.predict import Predictor

_DRAWS = 1000
GROUPED = ("accuracy", "balanced_accuracy", "kappa", "auc")
_SHOWN = 4


@dataclass(frozen=True, slots=True, eq=False)
class Classified:
    """True class and probabilities of each case, in the bundle's classes."""

    classes: tuple[str, ...]
    ordinal: bool
    truth: Int[ndarray, " n"]
    shares: Float[ndarray, "n c"]
    unreadable: Mapping[int, str]

    @property
    def given(self) -> Int[ndarray, " n"]:
        """The most probable class."""
        return np.asarray(self.shares.argmax(axis=1))

    @property
    def is_binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.classes) == 2


def run(
    plan: ClassificationPlan,
    predictor: Predictor,
    chosen: Chosen,
    numbers: Sequence[int],
    report: Count,
) -> Classified:
    """Classify every case; `numbers` says which class of the bundle each of the data is."""
    if chosen.dataset.findings:
        count = len(chosen.dataset.findings)
        raise InputError(f"{chosen.dataset.name} gives a case {count} labels; one is measured")
    truth, shares, unreadable = [], [], {}
    for n, case in enumerate(chosen.cases):
        try:
            image = read_image(case)
            array = fitted(image.array, len(plan.channels))
            shares.append(classify(predictor, array, image.grid, plan))
            truth.append(numbers[class_of(chosen.dataset, case)])
        except InputError as why:
            unreadable[n] = str(why)
        report(n + 1, len(chosen.cases))
    if not shares:
        first = next(iter(unreadable))
        raise InputError(
            f"no case of {chosen.dataset.name} can be measured; {chosen.names[first]}:"
            f" {unreadable[first]}"
        )
    return Classified(
        plan.classes, plan.ordinal, np.array(truth, int), np.array(shares), unreadable
    )


def overall(found: Classified, n: Int[ndarray, " m"]) -> Float[ndarray, " s"]:
    """Take the measures of `names_of`, of some cases."""
    t, p = found.truth[n], found.shares[n]
    g, classes = p.argmax(axis=1), len(found.classes)
    weights = Weights.QUADRATIC if found.ordinal else Weights.NONE
    recalls = np.array(recall_by_class(t, g, classes=classes))
    known = recalls[np.isfinite(recalls)]
    brier = brier_score(t == 1, p[:, 1]) if found.is_binary else brier_score_of_classes(t, p)
    return np.array(
        [
            accuracy(t, g),
            known.mean() if len(known) else math.nan,
            cohen_kappa(confusion(t, g, classes=classes), weights=weights),
            macro_auc(t, p),
            expected_calibration_error(t == g, p.max(axis=1)),
            brier,
        ]
    )


def names_of(found: Classified) -> tuple[str, ...]:
    """Keys of what `overall` measures."""
    kappa = "quadratic_kappa" if found.ordinal else "kappa"
    area = "auc" if found.is_binary else "macro_auc"
    return ("accuracy", "balanced_accuracy", kappa, area, "ece", "brier")


def figures(
    found: Classified, chosen: Chosen, rng: np.random.Generator
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Measure all cases, then each class against the rest; and the rows to show first."""
    cases = len(found.truth)
    taken = intervals_95(
        lambda n: overall(found, n),
        cases=cases,
        rng=rng,
        draws=_DRAWS,
        clusters=chosen.clusters,
    )
    names = names_of(found)
    rows = [
        Row(key, Figure(key, float(value), float(low), float(high), cases))
        for key, value, low, high in zip(names, *taken, strict=True)
    ]
    if found.is_binary:
        area = Figure("auc", *delong_95(found.truth == 1, found.shares[:, 1]), cases)
        rows[3] = Row("auc", area, interval=DELONG)
    return (*rows, *_by_class(found, chosen, rng)), tuple(rows[:_SHOWN])


def compare(
    one: Classified, other: Classified, chosen: Chosen, rng: np.random.Generator
) -> tuple[tuple[str, str, Comparison, str], ...]:
    """Compare two bundles on the same cases: key, class, result, test."""
    out: list[tuple[str, str, Comparison, str]] = []
    results = paired_bootstraps(
        lambda n: overall(one, n),
        lambda n: overall(other, n),
        cases=len(one.truth),
        rng=rng,
        draws=_DRAWS,
        clusters=chosen.clusters,
    )
    for key, result in zip(names_of(one), results, strict=True):
        if key == "auc":
            continue  # DeLong's, below
        out.append((key, "", result, BOOTSTRAP))
        if key == "accuracy":
            p = mcnemar_test(one.given == one.truth, other.given == other.truth)
            out.append((key, "", replace(result, p=p), "McNemar"))
    for c in _positives(one):
        areas = delong_test(one.truth == c, one.shares[:, c], other.shares[:, c])
        out.append(("auc", "" if one.is_binary else one.classes[c], areas, DELONG))
    return tuple(out)


def case_table(found: Classified, chosen: Chosen) -> CaseTable:
    """Lay out each case's probabilities, the least for the true class first."""
    heads = ("case", *chosen.groups, "true", "given", "p_true", *_share_heads(found))
    of_truth = found.shares[np.arange(len(found.truth)), found.truth]
    rows = [
        [
            chosen.names[n],
            *(of[n] for of in chosen.groups.values()),
            found.classes[found.truth[n]],
            found.classes[found.given[n]],
            float(of_truth[n]),
            *found.shares[n].tolist(),
        ]
        for n in np.argsort(of_truth, kind="stable")
    ]
    return CaseTable(heads, rows)


def is_class(found: Classified, c: int) -> Bool[ndarray, " n"]:
    """Whether each case is truly of class `c`."""
    return np.asarray(found.truth == c)


def _share_heads(found: Classified) -> tuple[str, ...]:
    return tuple(f"p_{c}" for c in range(len(found.classes)))


def _positives(found: Classified) -> Sequence[int]:
    """Classes to hold against the rest: of two classes the second tells all."""
    return (1,) if found.is_binary else range(len(found.classes))


def _by_class(found: Classified, chosen: Chosen, rng: np.random.Generator) -> list[Row]:
    """Recall and precision of each class with Wilson's intervals, areas with DeLong's."""
    rows: dict[str, list[Row]] = {"auc": [], "average_precision": []}
    given, cases = found.given, len(found.truth)
    rates: dict[str, list[Row]] = {"recall": [], "precision": []}
    for c, name in enumerate(found.classes):
        true, called = found.truth == c, given == c
        hits = int((true & called).sum())
        for key, whole in (("recall", int(true.sum())), ("precision", int(called.sum()))):
            figure = Figure(f"{name} {key}", *share_95(hits, whole), whole)
            rates[key].append(Row(key, figure, name, interval=WILSON))
        if not found.is_binary:
            area = Figure(f"{name} auc", *delong_95(true, found.shares[:, c]), cases)
            rows["auc"].append(Row("auc", area, name, interval=DELONG))
        taken = intervals_95(
            lambda n, c=c, true=true: np.array(  # type: ignore[misc] # bound now
                [average_precision_of_cases(true[n], found.shares[n, c])]
            ),
            cases=cases,
            rng=rng,
            draws=_DRAWS,
            clusters=chosen.clusters,
        )
        value, low, high = (float(part[0]) for part in taken)
        figure = Figure(f"{name} average_precision", value, low, high, cases)
        rows["average_precision"].append(Row("average_precision", figure, name))
    return [row for part in (*rates.values(), *rows.values()) for row in part]
