"""Intervals by resampling cases."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

Statistic = Callable[[Int[ndarray, " n"]], float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure with its 95 % interval and the number of cases behind it."""

    name: str
    value: float
    low: float
    high: float
    cases: int

    def as_table(self) -> Mapping[str, Any]:
        """As a table for TOML or JSON, to four digits."""
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "interval_95": [round(self.low, 4), round(self.high, 4)],
            "cases": self.cases,
        }


def interval_95(
    statistic: Statistic, *, cases: int, rng: np.random.Generator, draws: int = 2000
) -> tuple[float, float, float]:
    """Value and 95 % percentile-bootstrap interval of a statistic of case numbers (Efron 1979).

    `statistic` gets case numbers, with repeats, and returns a figure. Draws where it is NaN
    (a class was not drawn) are left out.
    """
    value = statistic(np.arange(cases))
    drawn = np.array([statistic(rng.integers(0, cases, cases)) for _ in range(draws)])
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) == 0:
        return value, float("nan"), float("nan")
    low, high = np.percentile(drawn, [2.5, 97.5])
    return value, float(low), float(high)
