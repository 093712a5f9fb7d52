"""Figures of parts of the cases: subgroups, sites, scanners."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray

from medloop.evaluation.bootstrap import Figure, Statistic, interval_95


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


def _of_cases(part: ndarray, statistic: Callable[[ndarray], float]) -> Statistic:
    return lambda n: statistic(part[n])
