"""Precision against recall: of cases exactly, of millions of pixels in bounded memory."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

_STEPS_A_LOGIT = 8
_REACH = 12  # logits beyond this share the last level
LEVELS = 2 * _REACH * _STEPS_A_LOGIT + 1


@dataclass(frozen=True, slots=True, eq=False)
class ScoreCounts:
    """How many positives and negatives got a score of each level.

    Levels are steps of 1/8 in the logit of the score, from -12 to 12: a relative step of 12 %
    in the odds, finer than any threshold a person would set.
    """

    positives: Int[ndarray, " s"]
    negatives: Int[ndarray, " s"]

    def __add__(self, other: "ScoreCounts") -> "ScoreCounts":
        return ScoreCounts(self.positives + other.positives, self.negatives + other.negatives)


def score_counts(truth: Bool[ndarray, "*n"], score: Float[ndarray, "*n"]) -> ScoreCounts:
    """Count scores in 0..1 by truth."""
    inside = np.clip(score.astype(np.float32), 1e-7, 1 - 1e-7)
    logit = np.log(inside) - np.log1p(-inside)
    level = np.rint(np.clip(logit, -_REACH, _REACH) * _STEPS_A_LOGIT).astype(np.intp)
    level += _REACH * _STEPS_A_LOGIT
    return ScoreCounts(
        np.bincount(level[truth], minlength=LEVELS),
        np.bincount(level[~truth], minlength=LEVELS),
    )


def precision_recall(
    counts: ScoreCounts,
) -> tuple[Float[ndarray, " s"], Float[ndarray, " s"]]:
    """Precision and recall from the highest score level to the lowest; NaN recall of none."""
    hits = np.cumsum(counts.positives[::-1])
    alarms = np.cumsum(counts.negatives[::-1])
    with np.errstate(invalid="ignore"):
        recall = hits / hits[-1]
    return hits / np.maximum(hits + alarms, 1), recall


def dice_at(counts: ScoreCounts, threshold: float) -> float:
    """Pooled Dice (F1) of all scores from `threshold` on; NaN without positives."""
    odds = threshold / (1 - threshold) if threshold < 1 else np.inf
    first = int(np.ceil((np.log(max(odds, 1e-30)) + _REACH) * _STEPS_A_LOGIT - 1e-9))
    hits = int(counts.positives[max(first, 0) :].sum())
    alarms = int(counts.negatives[max(first, 0) :].sum())
    positives = int(counts.positives.sum())
    return 2 * hits / (positives + hits + alarms) if positives else float("nan")


def average_precision(counts: ScoreCounts) -> float:
    """Area under the precision-recall curve, as a step function; NaN without positives."""
    hits = np.cumsum(counts.positives[::-1])
    alarms = np.cumsum(counts.negatives[::-1])
    if hits[-1] == 0:
        return float("nan")
    recall = hits / hits[-1]
    precision = hits / np.maximum(hits + alarms, 1)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def best_threshold(counts: ScoreCounts) -> float:
    """Score at which Dice (F1) is highest."""
    hits = np.cumsum(counts.positives[::-1])
    alarms = np.cumsum(counts.negatives[::-1])
    dice = 2 * hits / np.maximum(hits[-1] + hits + alarms, 1)
    level = LEVELS - 1 - int(np.argmax(dice))
    logit = (level - 0.5) / _STEPS_A_LOGIT - _REACH
    return float(1 / (1 + np.exp(-logit)))


def precision_recall_of_cases(
    positive: Bool[ndarray, " n"], score: Float[ndarray, " n"]
) -> tuple[Float[ndarray, " t"], Float[ndarray, " t"]]:
    """Precision and recall at every score that occurs, the highest first.

    Raises
    ------
    ValueError
        If no case is positive.
    """
    if not positive.any():
        raise ValueError(f"a precision-recall curve needs positives, got none of {len(score)}")
    values, at = np.unique(-score, return_inverse=True)
    hits = np.cumsum(np.bincount(at[positive], minlength=len(values)))
    called = np.cumsum(np.bincount(at, minlength=len(values)))
    return hits / called, hits / hits[-1]


def average_precision_of_cases(
    positive: Bool[ndarray, " n"], score: Float[ndarray, " n"]
) -> float:
    """Area under the precision-recall curve, as a step function; NaN without positives."""
    if not positive.any():
        return float("nan")
    precision, recall = precision_recall_of_cases(positive, score)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))
