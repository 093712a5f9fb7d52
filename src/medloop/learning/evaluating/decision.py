"""From probabilities to a decision: curves, the operating point, calibration, confusion."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.evaluation.calibration import Reliability, reliability
from medloop.evaluation.classification import confusion
from medloop.evaluation.operating import (
    OperatingPoint,
    at_sensitivity,
    at_specificity,
    at_youden,
    roc_curve,
)
from medloop.evaluation.precision_recall import precision_recall_of_cases
from medloop.evaluation.rates import decision_figures
from medloop.learning.evaluating.blocks import WILSON, Block, Curve, Listing, Row, Table
from medloop.learning.evaluating.classification import Classified, is_class

YOUDEN, SENSITIVITY, SPECIFICITY, THRESHOLD = (
    "youden",
    "sensitivity",
    "specificity",
    "threshold",
)
_KEYS: Final = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "PPV": "ppv",
    "NPV": "npv",
    "accuracy": "accuracy",
    "F1": "f1",
}
_MOST_POINTS = 400  # of a curve that is drawn


@dataclass(frozen=True, slots=True)
class Operating:
    """How the operating point is chosen; `value` is the rate to keep, or the threshold."""

    rule: str = YOUDEN
    value: float = math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What the operating point does, and what the page and metrics.json say of it."""

    rows: tuple[Row, ...]
    blocks: tuple[Block, ...]
    record: Mapping[str, Any]
    warnings: tuple[str, ...]


def operating_from(text: str) -> Operating:
    """Read ``youden``, ``sensitivity=0.95``, ``specificity=0.9`` or ``threshold=0.4``.

    Raises
    ------
    InputError
        If it is none of these.
    """
    rule, _, number = text.strip().lower().partition("=")
    if rule == YOUDEN and not number:
        return Operating()
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if rule in (SENSITIVITY, SPECIFICITY, THRESHOLD) and 0 <= value <= 1:
        return Operating(rule, value)
    raise InputError(
        f"{text!r} chooses no operating point: youden, sensitivity=0.95, specificity=0.9 or"
        " threshold=0.4 do, rates in 0..1"
    )


def positive_class(found: Classified, name: str) -> int:
    """Return the number of the class that is called; of two classes the second, unless named.

    -1 where there are more and none is named.

    Raises
    ------
    InputError
        If there is no such class.
    """
    if not name:
        return 1 if found.is_binary else -1
    lower = [each.lower() for each in found.classes]
    if name.lower() not in lower:
        raise InputError(f"no class {name!r}; the classes are: {', '.join(found.classes)}")
    return lower.index(name.lower())


def decide(found: Classified, operating: Operating | None, positive: str) -> Decision:
    """Draw the curves and judge the operating point.

    Raises
    ------
    InputError
        If a point is asked for and there are several classes and no `positive` one, or one of
        the two sides has no case.
    """
    c = positive_class(found, positive)
    if c < 0:
        if operating is not None:
            raise InputError(
                f"an operating point of {len(found.classes)} classes needs the positive one:"
                f" --positive {found.classes[-1]}"
            )
        return Decision((), _curves(found, {}), {}, ())
    true, score = is_class(found, c), found.shares[:, c]
    if true.all() or not true.any():
        if operating is not None:
            raise InputError(
                f"an operating point needs cases with and without {found.classes[c]}"
            )
        return Decision((), _curves(found, {}), {}, ())
    rule = operating or Operating()
    point = _point(true, score, rule)
    rows = tuple(
        Row(
            _KEYS[figure.name],
            figure,
            f"{found.classes[c]} ≥ {point.threshold:.4g}",
            "",
            WILSON,
        )
        for figure in decision_figures(true, score >= point.threshold)
    )
    record = {
        "operating_point": {
            "class": found.classes[c],
            "rule": rule.rule if math.isnan(rule.value) else f"{rule.rule}={rule.value:g}",
            "threshold": point.threshold if math.isfinite(point.threshold) else None,
            "chosen_on_these_cases": rule.rule != THRESHOLD,
        }
    }
    marks = {"chosen": (1 - point.specificity, point.sensitivity)}
    if found.is_binary:
        called = found.given == c
        marks["as_it_runs"] = (float(called[~true].mean()), float(called[true].mean()))
    return Decision(rows, _curves(found, marks), record, _warned(rule))


def calibration(found: Classified) -> tuple[tuple[Block, ...], Mapping[str, Any]]:
    """Hold probabilities against outcomes: of two classes the second's, else the best one's."""
    if found.is_binary:
        name, true, stated = found.classes[1], found.truth == 1, found.shares[:, 1]
    else:
        name, true = "top_class", found.given == found.truth
        stated = found.shares.max(axis=1)
    bins = reliability(true, np.clip(stated, 0, 1))
    full = bins.cases > 0
    line = {name: (bins.stated[full].tolist(), bins.seen[full].tolist())}
    curve = Curve("reliability", line, diagonal=True, across="stated", up="seen")
    record = {
        "reliability": {
            "of": name,
            "cases": bins.cases.tolist(),
            "stated": [_known(v) for v in bins.stated],
            "seen": [_known(v) for v in bins.seen],
        }
    }
    return (curve, _bins(bins)), record


def confused(found: Classified) -> Table:
    """Count true classes against those given."""
    classes = len(found.classes)
    rows = confusion(found.truth, found.given, classes=classes).tolist()
    return Table("classes", found.classes, rows)


def _bins(bins: Reliability) -> Listing:
    count = len(bins.cases)
    rows = [
        (
            f"{n / count:.1f}–{(n + 1) / count:.1f}",
            str(bins.cases[n]),
            "–" if bins.cases[n] == 0 else f"{bins.stated[n]:.3f}",
            "–" if bins.cases[n] == 0 else f"{bins.seen[n]:.3f}",
        )
        for n in range(count)
    ]
    return Listing("bins", ("range", "cases", "stated", "seen"), rows)


def _point(
    true: Bool[ndarray, " n"], score: Float[ndarray, " n"], rule: Operating
) -> OperatingPoint:
    curve = roc_curve(true, score)
    match rule.rule:
        case "sensitivity":
            return at_sensitivity(curve, rule.value)
        case "specificity":
            return at_specificity(curve, rule.value)
        case "threshold":
            called = score >= rule.value
            return OperatingPoint(
                rule.value, float(called[true].mean()), float((~called)[~true].mean())
            )
        case _:
            return at_youden(curve)


def _warned(rule: Operating) -> tuple[str, ...]:
    if rule.rule == THRESHOLD:
        return ()
    return (
        "the operating point was chosen on the cases it is judged on, which flatters it: choose"
        " it on others and give it by --operating threshold=...",
    )


def _curves(found: Classified, marks: Mapping[str, tuple[float, float]]) -> tuple[Block, ...]:
    """Draw ROC and precision-recall of each class against the rest; of two, of the second."""
    roc, pr = {}, {}
    for c in (1,) if found.is_binary else range(len(found.classes)):
        true, score = is_class(found, c), found.shares[:, c]
        if true.all() or not true.any():
            continue
        curve = roc_curve(true, score)
        roc[found.classes[c]] = _line(1 - curve.specificity, curve.sensitivity)
        precision, recall = precision_recall_of_cases(true, score)
        pr[found.classes[c]] = _line(recall, precision)
    if not roc:
        return ()
    return (
        Curve(
            "roc",
            roc,
            diagonal=True,
            across="one_minus_specificity",
            up="sensitivity",
            points=marks,
        ),
        Curve("precision_recall", pr, across="recall", up="precision"),
    )


def _line(x: Float[ndarray, " t"], y: Float[ndarray, " t"]) -> tuple[list[float], list[float]]:
    """Thin a curve to what can be seen, keeping its ends."""
    if len(x) > _MOST_POINTS:
        kept = np.unique(np.linspace(0, len(x) - 1, _MOST_POINTS).astype(int))
        x, y = x[kept], y[kept]
    return x.tolist(), y.tolist()


def _known(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
