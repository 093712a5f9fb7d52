"""Whether probabilities mean what they say."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Cases binned by probability; `stated` and `seen` are NaN in an empty bin."""

    cases: Int[ndarray, " b"]
    stated: Float[ndarray, " b"]  # mean probability
    seen: Float[ndarray, " b"]  # share that was positive


def reliability(
    positive: Bool[ndarray, " n"], probability: Float[ndarray, " n"], *, bins: int = 10
) -> Reliability:
    """Bin probabilities in equal steps from 0 to 1; 1 belongs to the last bin.

    Raises
    ------
    ValueError
        If a probability lies outside 0..1.
    """
    if len(probability) and not (probability.min() >= 0 and probability.max() <= 1):
        raise ValueError(f"probability {probability.min()} ... {probability.max()} beyond 0..1")
    at = np.minimum((probability * bins).astype(int), bins - 1)
    cases = np.bincount(at, minlength=bins)
    with np.errstate(invalid="ignore"):
        stated = np.bincount(at, probability, minlength=bins) / cases
        seen = np.bincount(at, positive, minlength=bins) / cases
    return Reliability(cases, stated, seen)


def expected_calibration_error(
    positive: Bool[ndarray, " n"], probability: Float[ndarray, " n"], *, bins: int = 10
) -> float:
    """Mean gap of stated and seen, weighted by a bin's cases (Naeini 2015); NaN of no cases."""
    if len(probability) == 0:
        return float("nan")
    found = reliability(positive, probability, bins=bins)
    full = found.cases > 0
    gap = np.abs(found.stated - found.seen)[full]
    return float((gap * found.cases[full]).sum() / found.cases.sum())


def brier_score(positive: Bool[ndarray, " n"], probability: Float[ndarray, " n"]) -> float:
    """Mean squared gap of probability and outcome, 0 best, 1 worst; NaN of no cases.

    Of two classes, half of what Brier 1950 sums over both; this is the usual form.
    """
    return float(np.mean((probability - positive) ** 2)) if len(positive) else float("nan")


def brier_score_of_classes(
    truth: Int[ndarray, " n"], probability: Float[ndarray, "n c"]
) -> float:
    """Squared gaps summed over the classes, mean over cases (Brier 1950); 0 best, 2 worst."""
    if len(truth) == 0:
        return float("nan")
    outcome = np.arange(probability.shape[1]) == truth[:, None]
    return float(np.mean(((probability - outcome) ** 2).sum(axis=1)))
