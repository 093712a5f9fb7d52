"""Whether one model is better than another on the same cases."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.stats import binomtest, norm

from medloop.evaluation.bootstrap import Statistic, picker
from medloop.evaluation.classification import placements

Statistics = Callable[[Int[ndarray, " m"]], Float[ndarray, " s"]]
_Z = 1.959963984540054  # 97.5 % of the normal distribution lie below


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the first model has over the second, its 95 % interval and a two-sided p."""

    one: float
    other: float
    difference: float
    low: float
    high: float
    p: float


def paired_bootstrap(
    one: Statistic,
    other: Statistic,
    *,
    cases: int,
    rng: np.random.Generator,
    draws: int = 2000,
    clusters: Int[ndarray, " n"] | None = None,
) -> Comparison:
    """Compare two statistics of the same case numbers, drawn together (Efron 1993).

    p is twice the smaller share of draws on either side of no difference, counting one draw
    more so that it is never 0. Draws where a statistic is NaN are left out. `clusters` is as
    in `bootstrap.interval_95`.
    """
    (found,) = paired_bootstraps(
        lambda n: np.array([one(n)]),
        lambda n: np.array([other(n)]),
        cases=cases,
        rng=rng,
        draws=draws,
        clusters=clusters,
    )
    return found


def paired_bootstraps(
    one: Statistics,
    other: Statistics,
    *,
    cases: int,
    rng: np.random.Generator,
    draws: int = 2000,
    clusters: Int[ndarray, " n"] | None = None,
) -> tuple[Comparison, ...]:
    """Compare several statistics at once, on the same draws; see `paired_bootstrap`."""
    everyone = np.arange(cases)
    pairs = zip(one(everyone).tolist(), other(everyone).tolist(), strict=True)
    pick = picker(cases, rng, clusters)
    drawn = np.array([one(n) - other(n) for n in (pick() for _ in range(draws))])
    return tuple(
        _judged(*pair, column[np.isfinite(column)])
        for pair, column in zip(pairs, drawn.T, strict=True)
    )


def _judged(first: float, second: float, drawn: Float[ndarray, " d"]) -> Comparison:
    if len(drawn) == 0:
        return Comparison(first, second, first - second, math.nan, math.nan, math.nan)
    low, high = np.percentile(drawn, [2.5, 97.5])
    tail = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    p = min(1.0, 2 * (tail + 1) / (len(drawn) + 1))
    return Comparison(first, second, first - second, float(low), float(high), float(p))


def delong_test(
    positive: Bool[ndarray, " n"], one: Float[ndarray, " n"], other: Float[ndarray, " n"]
) -> Comparison:
    """Compare the areas under two ROC curves of the same cases (DeLong 1988).

    p is 1 where both order the cases alike; all is NaN with fewer than two cases of a class.
    """
    if min(int(positive.sum()), int((~positive).sum())) < 2:
        return Comparison(*[math.nan] * 6)
    above, below = zip(placements(positive, one), placements(positive, other), strict=True)
    areas = float(above[0].mean()), float(above[1].mean())
    gap = areas[0] - areas[1]
    variance = sum(
        float((part[0] - part[1]).var(ddof=1)) / len(part[0]) for part in (above, below)
    )
    if variance == 0:
        return Comparison(*areas, gap, gap, gap, 1.0 if gap == 0 else 0.0)
    deviation = math.sqrt(variance)
    p = float(2 * norm.sf(abs(gap) / deviation))
    return Comparison(*areas, gap, gap - _Z * deviation, gap + _Z * deviation, p)


def mcnemar_test(one_right: Bool[ndarray, " n"], other_right: Bool[ndarray, " n"]) -> float:
    """Two-sided exact p that two models are right equally often (McNemar 1947)."""
    only_one = int(np.count_nonzero(one_right & ~other_right))
    only_other = int(np.count_nonzero(~one_right & other_right))
    if only_one + only_other == 0:
        return 1.0
    return float(binomtest(only_one, only_one + only_other).pvalue)
