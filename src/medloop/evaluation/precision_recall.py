"""Precision against recall over millions of pixels, in bounded memory."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

_LEVELS = 0x3C01  # bit patterns of float16 from 0.0 to 1.0, which sort like their values


@dataclass(frozen=True, slots=True, eq=False)
class ScoreCounts:
    """How many positives and negatives got each float16 score in 0..1."""

    positives: Int[ndarray, " s"]
    negatives: Int[ndarray, " s"]

    def __add__(self, other: "ScoreCounts") -> "ScoreCounts":
        return ScoreCounts(
            self.positives + other.positives, self.negatives + other.negatives
        )


def score_counts(truth: Bool[ndarray, "*n"], score: Float[ndarray, "*n"]) -> ScoreCounts:
    """Count scores, rounded to float16, by truth."""
    level = np.clip(score, 0, 1).astype(np.float16).view(np.uint16)
    return ScoreCounts(
        np.bincount(level[truth], minlength=_LEVELS),
        np.bincount(level[~truth], minlength=_LEVELS),
    )


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
    level = _LEVELS - 1 - int(np.argmax(dice))
    return float(np.array([level], np.uint16).view(np.float16)[0])
