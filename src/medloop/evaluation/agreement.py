"""How far readers agree beyond chance, from counts alone."""

import math
from enum import StrEnum

import numpy as np
from jaxtyping import Float, Integer
from numpy import ndarray

_Z = 1.959963984540054  # 97.5 % of the normal distribution lie below


class Weights(StrEnum):
    """How much a disagreement of several grades weighs."""

    NONE = "none"  # any disagreement weighs 1: categories without order
    LINEAR = "linear"  # number of grades between
    QUADRATIC = "quadratic"  # its square


def cohen_kappa(table: Integer[ndarray, "c c"], *, weights: Weights = Weights.NONE) -> float:
    """Agreement of two readers beyond chance (Cohen 1960, weighted: Cohen 1968).

    `table` counts each pair of grades, as `classification.confusion` does. NaN if both
    readers gave one and the same grade throughout: no disagreement is possible.
    """
    weight = _disagreement(len(table), weights)
    observed = table.astype(float)
    by_chance = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / max(observed.sum(), 1)
    chance = float((weight * by_chance).sum())
    return 1 - float((weight * observed).sum()) / chance if chance > 0 else math.nan


def cohen_kappa_95(
    table: Integer[ndarray, "c c"], *, weights: Weights = Weights.NONE
) -> tuple[float, float, float]:
    """Cohen's kappa and its 95 % interval from the variance of large samples.

    Fleiss, Cohen & Everitt 1969 (doi:10.1037/h0028106), formula 13; cut to -1..1. With few
    cases or kappa near 1 a bootstrap (`bootstrap.interval_95`) is safer.
    """
    kappa = cohen_kappa(table, weights=weights)
    if math.isnan(kappa):
        return kappa, math.nan, math.nan
    share = table / table.sum()
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    weight = _disagreement(len(table), weights)
    agreement = 1 - weight / weight.max()
    by_chance = float((agreement * np.outer(rows, columns)).sum())
    marginal = (agreement @ columns)[:, None] + (rows @ agreement)[None]
    spread = float((share * (agreement - marginal * (1 - kappa)) ** 2).sum())
    variance = spread - (kappa - by_chance * (1 - kappa)) ** 2
    deviation = math.sqrt(max(variance, 0) / table.sum()) / (1 - by_chance)
    return kappa, max(-1.0, kappa - _Z * deviation), min(1.0, kappa + _Z * deviation)


def fleiss_kappa(counts: Integer[ndarray, "n c"]) -> float:
    """Agreement of several readers beyond chance (Fleiss 1971, doi:10.1037/h0031619).

    `counts` holds, for each case, how many readers chose each category; the readers may
    differ from case to case, not their number. NaN if all chose one category throughout. An
    interval comes from resampling the rows with `bootstrap.interval_95`.

    Raises
    ------
    ValueError
        If cases have different numbers of readers, or fewer than two.
    """
    readers = counts.sum(axis=1)
    if len(counts) == 0 or readers.min() != readers.max() or readers.min() < 2:
        found = sorted(set(readers.tolist()))
        raise ValueError(
            f"each case needs the same number of readers, two or more, got {found}"
        )
    n = int(readers[0])
    share = counts.sum(axis=0) / counts.sum()
    by_chance = float((share**2).sum())
    observed = float(((counts.astype(float) ** 2).sum(axis=1) - n).mean() / (n * (n - 1)))
    return (observed - by_chance) / (1 - by_chance) if by_chance < 1 else math.nan


def _disagreement(classes: int, weights: Weights) -> Float[ndarray, "c c"]:
    k = np.arange(classes)
    apart = np.abs(k[:, None] - k[None]).astype(float)
    match weights:
        case Weights.NONE:
            return (apart > 0).astype(float)
        case Weights.LINEAR:
            return apart
        case Weights.QUADRATIC:
            return apart**2
