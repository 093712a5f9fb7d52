"""Sensitivity against false marks per scan (FROC), by LUNA16's rules.

The curve's points are the scores that occur; between them it is a straight line, from nothing
found at no false mark; beyond its last point it stays level. LUNA16 keeps at most 100 marks a
scan; drop the others before matching if figures shall compare.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from medloop.evaluation.bootstrap import Figure, intervals_95
from medloop.evaluation.detection import Matched

CPM_FALSE_PER_SCAN = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)


@dataclass(frozen=True, slots=True, eq=False)
class Froc:
    """Operating points, the highest score first."""

    threshold: Float[ndarray, " t"]
    false_per_scan: Float[ndarray, " t"]
    sensitivity: Float[ndarray, " t"]


@dataclass(frozen=True, slots=True, eq=False)
class FrocBand:
    """A curve read at given rates, with 95 % bootstrap limits."""

    false_per_scan: Float[ndarray, " r"]
    sensitivity: Float[ndarray, " r"]
    low: Float[ndarray, " r"]
    high: Float[ndarray, " r"]


def froc(scans: Sequence[Matched]) -> Froc:
    """Make the curve of all scans, those without findings included.

    Raises
    ------
    ValueError
        If there is no finding in any scan.
    """
    pooled = _pool(scans)
    if pooled.findings.sum() == 0:
        raise ValueError(f"no finding in {len(scans)} scans")
    false, found = _curve(pooled, np.ones(len(scans), int))
    last = _last_of_ties(pooled.score)
    return Froc(
        np.concatenate([[math.inf], pooled.score[last]]),
        np.concatenate([[0.0], false[last]]),
        np.concatenate([[0.0], found[last]]),
    )


def sensitivity_at(curve: Froc, false_per_scan: float) -> float:
    """Sensitivity at a rate of false marks per scan."""
    return float(np.interp(false_per_scan, curve.false_per_scan, curve.sensitivity))


def competition_metric(curve: Froc) -> float:
    """Mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false marks per scan (CPM).

    Niemeijer 2011 (doi:10.1109/TMI.2010.2072789).
    """
    return float(np.mean([sensitivity_at(curve, rate) for rate in CPM_FALSE_PER_SCAN]))


def froc_figures(
    scans: Sequence[Matched],
    rng: np.random.Generator,
    *,
    false_per_scan: Sequence[float] = CPM_FALSE_PER_SCAN,
    draws: int = 1000,
) -> tuple[Figure, ...]:
    """Sensitivity at each rate and their mean, with intervals from resampling scans.

    At the seven rates of `CPM_FALSE_PER_SCAN` the mean is the CPM.

    Raises
    ------
    ValueError
        If there is no finding in any scan.
    """
    band = _resampled(scans, rng, false_per_scan, draws)
    names = [f"sensitivity at {rate:g} false marks per scan" for rate in false_per_scan]
    names.append("CPM" if tuple(false_per_scan) == CPM_FALSE_PER_SCAN else "mean sensitivity")
    return tuple(
        Figure(name, float(value), float(low), float(high), len(scans))
        for name, value, low, high in zip(names, *band, strict=True)
    )


def froc_band(
    scans: Sequence[Matched],
    rng: np.random.Generator,
    *,
    false_per_scan: Sequence[float],
    draws: int = 1000,
) -> FrocBand:
    """Read the curve at given rates, with limits from resampling scans, to be drawn.

    Raises
    ------
    ValueError
        If there is no finding in any scan.
    """
    value, low, high = _resampled(scans, rng, false_per_scan, draws)
    return FrocBand(np.array(false_per_scan, float), value[:-1], low[:-1], high[:-1])


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    score: Float[ndarray, " m"]  # of hits and alarms, the highest first
    is_hit: Int[ndarray, " m"]
    scan: Int[ndarray, " m"]
    findings: Int[ndarray, " s"]  # of each scan, missed ones too


def _pool(scans: Sequence[Matched]) -> _Pool:
    found = [scan.hits[np.isfinite(scan.hits)] for scan in scans]
    parts = [
        np.concatenate([hits, scan.alarms]) for hits, scan in zip(found, scans, strict=True)
    ]
    score = np.concatenate([np.zeros(0), *parts])
    firsts = [np.arange(len(p)) < len(h) for p, h in zip(parts, found, strict=True)]
    is_hit = np.concatenate([np.zeros(0, bool), *firsts])
    owner = np.repeat(np.arange(len(scans)), [len(part) for part in parts])
    order = np.argsort(-score, kind="stable")
    findings = np.array([len(scan.hits) for scan in scans], int)
    return _Pool(score[order], is_hit[order].astype(int), owner[order], findings)


def _curve(
    pool: _Pool, times: Int[ndarray, " s"]
) -> tuple[Float[ndarray, " m"], Float[ndarray, " m"]]:
    """Count false marks per scan and sensitivity down to each mark, scans with their weight."""
    weight = times[pool.scan]
    false = np.cumsum(weight * (1 - pool.is_hit)) / times.sum()
    with np.errstate(invalid="ignore"):
        return false, np.cumsum(weight * pool.is_hit) / (times * pool.findings).sum()


def _last_of_ties(score: Float[ndarray, " m"]) -> Bool[ndarray, " m"]:
    """Mark the points of the curve: marks of one score make one."""
    return np.append(score[1:] != score[:-1], True)[: len(score)]


def _resampled(
    scans: Sequence[Matched],
    rng: np.random.Generator,
    rates: Sequence[float],
    draws: int,
) -> tuple[Float[ndarray, " r"], Float[ndarray, " r"], Float[ndarray, " r"]]:
    """Sensitivity at each rate and their mean: value, low, high."""
    pool = _pool(scans)
    if pool.findings.sum() == 0:
        raise ValueError(f"no finding in {len(scans)} scans")
    last = _last_of_ties(pool.score)

    def statistic(drawn: Int[ndarray, " s"]) -> Float[ndarray, " r"]:
        false, found = _curve(pool, np.bincount(drawn, minlength=len(scans)))
        read = np.interp(rates, np.append(0, false[last]), np.append(0, found[last]))
        return np.append(read, read.mean())

    return intervals_95(statistic, cases=len(scans), rng=rng, draws=draws)
