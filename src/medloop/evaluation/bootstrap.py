"""Intervals by resampling cases."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
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
    statistic: Statistic,
    *,
    cases: int,
    rng: np.random.Generator,
    draws: int = 2000,
    clusters: Int[ndarray, " n"] | None = None,
) -> tuple[float, float, float]:
    """Value and 95 % percentile-bootstrap interval of a statistic of case numbers (Efron 1979).

    `statistic` gets case numbers, with repeats, and returns a figure. Draws where it is NaN
    (a class was not drawn) are left out. `clusters` numbers what cases belong together, such
    as a patient's two eyes: then whole clusters are drawn, since cases alike tell less.
    """
    value, low, high = intervals_95(
        lambda n: np.array([statistic(n)]), cases=cases, rng=rng, draws=draws, clusters=clusters
    )
    return float(value[0]), float(low[0]), float(high[0])


def intervals_95(
    statistics: Callable[[Int[ndarray, " n"]], Float[ndarray, " s"]],
    *,
    cases: int,
    rng: np.random.Generator,
    draws: int = 2000,
    clusters: Int[ndarray, " n"] | None = None,
) -> tuple[Float[ndarray, " s"], Float[ndarray, " s"], Float[ndarray, " s"]]:
    """Values and 95 % intervals of several statistics, of the same draws; see `interval_95`."""
    value = statistics(np.arange(cases))
    pick = picker(cases, rng, clusters)
    drawn = np.array([statistics(pick()) for _ in range(draws)])
    low, high = np.full((2, len(value)), np.nan)
    for n, column in enumerate(drawn.T):
        known = column[np.isfinite(column)]
        if len(known):
            low[n], high[n] = np.percentile(known, [2.5, 97.5])
    return value, low, high


def picker(
    cases: int, rng: np.random.Generator, clusters: Int[ndarray, " n"] | None = None
) -> Callable[[], Int[ndarray, " m"]]:
    """Draw case numbers with repeats, a new draw each call; whole clusters if there are any."""
    return _cases(cases, rng) if clusters is None else _clusters(clusters, rng)


def _cases(cases: int, rng: np.random.Generator) -> Callable[[], Int[ndarray, " n"]]:
    return lambda: rng.integers(0, cases, cases)


def _clusters(
    clusters: Int[ndarray, " n"], rng: np.random.Generator
) -> Callable[[], Int[ndarray, " n"]]:
    members = [np.flatnonzero(clusters == name) for name in np.unique(clusters)]
    return lambda: np.concatenate(
        [members[n] for n in rng.integers(0, len(members), len(members))]
    )
