"""Which result should be looked at next, so that what a reader says teaches most."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from medloop.core.finding import Assessment, Result

_SURE: Final = 4  # of the unsure, a quarter is compared with what was read
_LEAST: Final = 8
_SHARES: Final = "_probabilities"  # how assessments with a number a class are named
_SHARE: Final = "_probability"


class Strategy(StrEnum):
    """How the next one is chosen."""

    FIRST = "first"  # the oldest
    RANDOM = "random"
    UNSURE = "uncertainty"  # where the model is least sure
    UNLIKE = "diversity"  # of the least sure, the one least like what was read


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A result that could be read, by its job."""

    job: int
    result: Result


def next_sample(
    candidates: Sequence[Candidate],
    strategy: Strategy,
    *,
    rng: np.random.Generator,
    known: Sequence[Result] = (),
) -> Candidate | None:
    """Choose the result to read next; None where none is left.

    `known` are results that were read: the choice by `Strategy.UNLIKE` keeps away from them
    (first the unsure, then the different: Yang 2017, doi:10.1007/978-3-319-66179-7_46). Of
    equals the oldest job goes first.
    """
    waiting = sorted(candidates, key=lambda each: each.job)
    if not waiting:
        return None
    match strategy:
        case Strategy.FIRST:
            return waiting[0]
        case Strategy.RANDOM:
            return waiting[int(rng.integers(len(waiting)))]
        case Strategy.UNSURE:
            return max(waiting, key=lambda each: uncertainty(each.result))
        case Strategy.UNLIKE:
            return _unlike(waiting, known)


def uncertainty(result: Result) -> float:
    """Say how unsure a model was, 0 to 1, by its least sure answer.

    The entropy of each finding's probability, and of the classes of each grade, as a share of
    the most it could be. A result that states no probability counts as sure.
    """
    found = [_binary(each.probability) for each in result.findings]
    for name, value in result.assessments.items():
        if name.endswith(_SHARES) and isinstance(value, tuple):
            found.append(_entropy(value))
        elif name.endswith(_SHARE) and isinstance(value, float):
            found.append(_binary(value))
    return max(found, default=0.0)


def _unlike(waiting: Sequence[Candidate], known: Sequence[Result]) -> Candidate:
    by_doubt = sorted(waiting, key=lambda each: -uncertainty(each.result))
    unsure = by_doubt[: max(len(by_doubt) // _SURE, _LEAST)]
    if not known:
        return unsure[0]
    table = _standardized([*known, *(each.result for each in unsure)])
    read, open_ = table[: len(known)], table[len(known) :]
    away = np.array([np.square(read - row).sum(axis=1).min() for row in open_])
    return unsure[int(away.argmax())]


def _standardized(results: Sequence[Result]) -> Float[ndarray, "n f"]:
    """Describe results by numbers of one spread: probabilities, grades, counts and sizes."""
    described = [_described(each) for each in results]
    names = sorted({name for each in described for name in each})
    table = np.array([[each.get(name, 0.0) for name in names] for each in described], float)
    spread = table.std(axis=0)
    return (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _described(result: Result) -> dict[str, float]:
    facts: dict[str, float] = {}
    for finding in result.findings:
        name = finding.concept.value
        facts[f"count {name}"] = facts.get(f"count {name}", 0.0) + 1
        sure = finding.probability or 0.0
        facts[f"sure {name}"] = max(facts.get(f"sure {name}", 0.0), sure)
        for each in finding.measurements:
            if math.isfinite(each.value) and each.value > 0:
                key = f"{name} {each.concept.value}"
                facts[key] = max(facts.get(key, -math.inf), math.log(each.value))
    for name, value in result.assessments.items():
        facts |= _numbers(name, value)
    return facts


def _numbers(name: str, value: Assessment) -> dict[str, float]:
    if isinstance(value, tuple):
        return {f"{name} {n}": each for n, each in enumerate(value) if math.isfinite(each)}
    if isinstance(value, int | float) and math.isfinite(value):
        return {name: float(value)}
    return {f"{name} {value}": 1.0} if isinstance(value, str) else {}


def _binary(probability: float | None) -> float:
    if probability is None or not 0 < probability < 1:
        return 0.0
    return _entropy((probability, 1 - probability))


def _entropy(shares: Sequence[float]) -> float:
    """Entropy of a distribution, as a share of that of an even one; 0 if it is none."""
    values = np.array([each for each in shares if math.isfinite(each) and each > 0])
    if len(shares) < 2 or values.sum() <= 0:
        return 0.0
    even = values / values.sum()
    return float(-(even * np.log(even)).sum() / math.log(len(shares)))
