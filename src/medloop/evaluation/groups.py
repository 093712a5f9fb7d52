"""Figures of parts of the cases: subgroups, sites, scanners."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from medloop.evaluation.bootstrap import Figure, Statistic, interval_95, intervals_95

LEAST = 10  # cases of a group whose figures are worth a look
_DRAWS = 1000


def by_group(
    values: Shaped[ndarray, "n ..."],
    groups: Sequence[str],
    statistic: Callable[[ndarray], float],
    rng: np.random.Generator,
    *,
    draws: int = 1000,
) -> tuple[Figure, ...]:
    """Take a statistic of the values of each group; a figure by group, in order of name.

    Values are one row a case. Where a statistic needs several arrays, pass ``np.arange(n)``
    and let it pick from these. A group of one case has no interval: its ends are NaN.

    Raises
    ------
    ValueError
        If there is not one group for each value.
    """
    if len(values) != len(groups):
        raise ValueError(f"{len(values)} values, {len(groups)} groups")
    names = np.array(groups, dtype=str)
    found = []
    for name in sorted(set(groups)):
        part = values[names == name]
        if len(part) == 1:
            found.append(Figure(name, statistic(part), math.nan, math.nan, 1))
            continue
        of_cases = _of_cases(part, statistic)
        interval = interval_95(of_cases, cases=len(part), rng=rng, draws=draws)
        found.append(Figure(name, *interval, len(part)))
    return tuple(found)


def figures_by_group(
    statistics: Callable[[Int[ndarray, " m"]], Float[ndarray, " s"]],
    groups: Sequence[str],
    rng: np.random.Generator,
    *,
    names: Sequence[str],
    clusters: Int[ndarray, " n"] | None = None,
    least: int = LEAST,
) -> Mapping[str, tuple[Figure, ...]]:
    """Take several statistics of case numbers in each group; groups in order of name.

    `names` are those of the statistics. Of a group with fewer than `least` cases nothing is
    told but their number: values and intervals are NaN. `clusters` is as in `interval_95`.
    """
    found = {}
    labels = np.array(groups, dtype=str)
    for group in sorted(set(groups)):
        part = np.flatnonzero(labels == group)
        if len(part) < least:
            nothing = (math.nan,) * 3
            found[group] = tuple(Figure(name, *nothing, len(part)) for name in names)
            continue
        whose = None if clusters is None else clusters[part]
        of_part = _within(part, statistics)
        taken = intervals_95(of_part, cases=len(part), rng=rng, draws=_DRAWS, clusters=whose)
        found[group] = tuple(
            Figure(name, float(value), float(low), float(high), len(part))
            for name, value, low, high in zip(names, *taken, strict=True)
        )
    return found


def _within(
    part: Int[ndarray, " m"], statistics: Callable[[Int[ndarray, " m"]], Float[ndarray, " s"]]
) -> Callable[[Int[ndarray, " m"]], Float[ndarray, " s"]]:
    return lambda n: statistics(part[n])


def _of_cases(part: ndarray, statistic: Callable[[ndarray], float]) -> Statistic:
    return lambda n: statistic(part[n])
