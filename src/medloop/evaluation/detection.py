"""Which marks found which findings, scan by scan.

Two rules of matching, for two ways of counting:

* `match_points`, by LUNA16's rules (Setio 2017, doi:10.1016/j.media.2017.06.015), for FROC
  curves: a mark nearer to a finding than its radius is a hit. The best of several hits counts,
  the others count nothing. Marks on irrelevant findings count nothing.
* `match_boxes`, by COCO's rules (Lin 2014), for average precision: marks choose in order of
  score; each finding is found once, further marks on it are false.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """One scan's marks, judged.

    `hits` has the score with which each relevant finding was found, -inf if it was missed;
    `alarms` the scores of false marks; `ignored` counts marks that count nothing.
    """

    hits: Float[ndarray, " f"]
    alarms: Float[ndarray, " a"]
    ignored: int = 0


def match_points(
    truth_mm: Float[ndarray, "f d"],
    radius_mm: Float[ndarray, " f"],
    marks_mm: Float[ndarray, "m d"],
    score: Float[ndarray, " m"],
    *,
    relevant: Bool[ndarray, " f"] | None = None,
) -> Matched:
    """Match marks with findings of one scan, center by center, by LUNA16's rules.

    A mark hits a finding if it is nearer than the radius (not at it). One mark may find two
    findings that overlap. `relevant` is False where a finding shall count nothing, such as
    nodules below 3 mm or seen by fewer than three readers; all count if it is not given.

    Raises
    ------
    ValueError
        If the arrays do not fit each other or a radius is not positive.
    """
    counts = np.ones(len(truth_mm), bool) if relevant is None else relevant
    if not len(truth_mm) == len(radius_mm) == len(counts):
        raise ValueError(f"{len(truth_mm)} findings, {len(radius_mm)} radii")
    _require_scores(marks_mm, score)
    if not (radius_mm > 0).all():
        raise ValueError(f"radii must be positive, got {radius_mm.min()} mm")
    if len(truth_mm) == 0 or len(marks_mm) == 0:
        return Matched(np.full(int(counts.sum()), -math.inf), score.astype(float))
    far_mm = np.linalg.norm(truth_mm[:, None] - marks_mm[None], axis=2)
    inside = far_mm < radius_mm[:, None]
    offered = np.where(inside, score, -math.inf)[counts]
    found = offered[np.isfinite(offered).any(axis=1)]
    free = ~inside.any(axis=0)
    used = len(np.unique(found.argmax(axis=1))) if len(found) else 0
    hits = offered.max(axis=1)
    return Matched(hits, score[free].astype(float), int(np.count_nonzero(~free)) - used)


def match_boxes(
    truth: Float[ndarray, "f c"],
    boxes: Float[ndarray, "m c"],
    score: Float[ndarray, " m"],
    *,
    least_iou: float,
    relevant: Bool[ndarray, " f"] | None = None,
) -> Matched:
    """Match boxes with findings of one scan by COCO's rules.

    Boxes are all lower corners, then all upper ones: (x0, y0, x1, y1) or (x0, y0, z0, x1, y1,
    z1). In order of score, each takes the free finding it overlaps most, from `least_iou` on;
    a box that overlaps only irrelevant findings so much counts nothing.

    Raises
    ------
    ValueError
        If the arrays do not fit each other or a box is turned inside out.
    """
    counts = np.ones(len(truth), bool) if relevant is None else relevant
    if len(truth) != len(counts):
        raise ValueError(f"{len(truth)} findings, {len(counts)} states")
    _require_scores(boxes, score)
    overlap = box_iou(truth, boxes)
    hits = np.full(len(truth), -math.inf)
    alarms, ignored = [], 0
    for m in np.argsort(-score, kind="stable"):
        allowed = overlap[:, m] >= least_iou
        free = allowed & counts & np.isneginf(hits)
        if free.any():
            hits[np.argmax(np.where(free, overlap[:, m], -1))] = score[m]
        elif (allowed & ~counts).any():
            ignored += 1
        else:
            alarms.append(float(score[m]))
    return Matched(hits[counts], np.array(alarms, float), ignored)


def box_iou(one: Float[ndarray, "n c"], other: Float[ndarray, "m c"]) -> Float[ndarray, "n m"]:
    """Divide the common part by the union, for each pair of boxes in any number of dimensions.

    Raises
    ------
    ValueError
        If a box has its lower corner above its upper one.
    """
    axes = one.shape[1] // 2
    for boxes in (one, other):
        if (boxes[:, :axes] > boxes[:, axes:]).any():
            raise ValueError("a box has its lower corner above its upper one")
    low = np.maximum(one[:, None, :axes], other[None, :, :axes])
    high = np.minimum(one[:, None, axes:], other[None, :, axes:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    sizes = [(boxes[:, axes:] - boxes[:, :axes]).prod(axis=1) for boxes in (one, other)]
    union = sizes[0][:, None] + sizes[1][None] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def average_precision(scans: Sequence[Matched]) -> float:
    """Area under precision against recall by COCO's rules: the mean at 101 levels of recall.

    At each level the best precision at that recall or beyond, 0 where it is not reached. Marks
    of one score are taken together. NaN without findings. Matched at IoU 0.5 this is AP50;
    COCO's AP is the mean of those at 0.50, 0.55 ... 0.95.
    """
    findings = sum(len(scan.hits) for scan in scans)
    if findings == 0:
        return math.nan
    found = np.concatenate([scan.hits[np.isfinite(scan.hits)] for scan in scans])
    false = np.concatenate([scan.alarms for scan in scans])
    levels = np.unique(np.concatenate([found, false]))[::-1]
    hits = len(found) - np.searchsorted(np.sort(found), levels, side="left")
    alarms = len(false) - np.searchsorted(np.sort(false), levels, side="left")
    precision = hits / (hits + alarms)
    ahead = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    at = np.searchsorted(hits / findings, np.linspace(0, 1, 101), side="left")
    return float(ahead[at].mean())


def _require_scores(marks: ndarray, score: Float[ndarray, " m"]) -> None:
    if len(marks) != len(score):
        raise ValueError(f"{len(marks)} marks, {len(score)} scores")
    if not np.isfinite(score).all():
        raise ValueError("a score is no finite number")
