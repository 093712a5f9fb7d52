"""From a score to a decision: the ROC curve and the threshold chosen on it.

A case is called positive if its score reaches the threshold. A threshold chosen on the cases on
which it is then judged flatters; choose it on others.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """Rates at each threshold that occurs, the highest first; before it, nothing is called."""

    threshold: Float[ndarray, " t"]
    sensitivity: Float[ndarray, " t"]
    specificity: Float[ndarray, " t"]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold and what it does to the cases it was chosen on."""

    threshold: float
    sensitivity: float
    specificity: float


def roc_curve(positive: Bool[ndarray, " n"], score: Float[ndarray, " n"]) -> RocCurve:
    """Sensitivity and specificity at every score that occurs; starts at infinity, with 0 and 1.

    Raises
    ------
    ValueError
        If one of the two classes is missing.
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if n_positive == 0 or n_negative == 0:
        raise ValueError(f"a ROC curve needs both classes, got {n_positive} of {len(positive)}")
    values, at = np.unique(score, return_inverse=True)
    hits = np.cumsum(np.bincount(at[positive], minlength=len(values))[::-1])
    alarms = np.cumsum(np.bincount(at[~positive], minlength=len(values))[::-1])
    return RocCurve(
        np.concatenate([[math.inf], values[::-1]]),
        np.concatenate([[0.0], hits / n_positive]),
        np.concatenate([[1.0], 1 - alarms / n_negative]),
    )


def at_sensitivity(curve: RocCurve, least: float) -> OperatingPoint:
    """Take the highest threshold whose sensitivity is at least `least`: the most specific.

    Raises
    ------
    ValueError
        If `least` is not in 0..1.
    """
    _require_share(least)
    return _point(curve, int(np.argmax(curve.sensitivity >= least - 1e-12)))


def at_specificity(curve: RocCurve, least: float) -> OperatingPoint:
    """Take the lowest threshold whose specificity is at least `least`: the most sensitive.

    Raises
    ------
    ValueError
        If `least` is not in 0..1.
    """
    _require_share(least)
    return _point(curve, int(np.flatnonzero(curve.specificity >= least - 1e-12)[-1]))


def at_youden(curve: RocCurve) -> OperatingPoint:
    """Take the threshold with the largest sensitivity + specificity - 1 (Youden 1950).

    Of equals, the highest.
    """
    gain = curve.sensitivity + curve.specificity - 1
    return _point(curve, int(np.argmax(gain >= gain.max() - 1e-12)))


def _point(curve: RocCurve, n: int) -> OperatingPoint:
    return OperatingPoint(
        float(curve.threshold[n]), float(curve.sensitivity[n]), float(curve.specificity[n])
    )


def _require_share(value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"a rate lies in 0..1, got {value}")
