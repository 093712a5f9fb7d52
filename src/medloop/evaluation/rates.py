"""Figures of yes-or-no decisions, with intervals of counts."""

import math
from enum import StrEnum

import numpy as np
from jaxtyping import Bool
from numpy import ndarray
from scipy.stats import binomtest

from medloop.evaluation.bootstrap import Figure


class Interval(StrEnum):
    """How the 95 % interval of a share is made."""

    WILSON = "wilson"  # Wilson 1927: covers 95 % on average
    CLOPPER_PEARSON = "exact"  # Clopper & Pearson 1934: covers 95 % at least


def share_95(
    part: int, whole: int, *, interval: Interval = Interval.WILSON
) -> tuple[float, float, float]:
    """Take a share and its 95 % interval; of nothing, all three are NaN.

    Raises
    ------
    ValueError
        If `part` is not in 0..`whole`.
    """
    if not 0 <= part <= whole:
        raise ValueError(f"{part} is no part of {whole}")
    if whole == 0:
        return math.nan, math.nan, math.nan
    found = binomtest(part, whole).proportion_ci(0.95, method=str(interval))
    return part / whole, float(found.low), float(found.high)


def decision_figures(
    positive: Bool[ndarray, " n"],
    called: Bool[ndarray, " n"],
    *,
    interval: Interval = Interval.WILSON,
) -> tuple[Figure, ...]:
    """Sensitivity, specificity, PPV, NPV, accuracy and F1, each with its own number of cases.

    F1 = 2 J / (1 + J) where J, the hits among all that are positive or called so, is a share;
    the interval of J is carried over.
    """
    hits = int(np.count_nonzero(positive & called))
    misses = int(np.count_nonzero(positive & ~called))
    alarms = int(np.count_nonzero(~positive & called))
    passes = len(positive) - hits - misses - alarms
    shares = {
        "sensitivity": (hits, hits + misses),
        "specificity": (passes, passes + alarms),
        "PPV": (hits, hits + alarms),
        "NPV": (passes, passes + misses),
        "accuracy": (hits + passes, len(positive)),
    }
    figures = [
        Figure(name, *share_95(part, whole, interval=interval), whole)
        for name, (part, whole) in shares.items()
    ]
    union = hits + misses + alarms
    value, low, high = (2 * j / (1 + j) for j in share_95(hits, union, interval=interval))
    return (*figures, Figure("F1", value, low, high, union))
