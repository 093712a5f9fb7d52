"""The figures of a detecting bundle's card, from cases its networks never saw."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from medloop.evaluation.bootstrap import Figure, Statistic, interval_95
from medloop.evaluation.detection import (
    Matched,
    average_precision,
    match_boxes,
    match_points,
)
from medloop.evaluation.froc import froc_figures
from medloop.learning.figures import Predictions
from medloop.models.detection_plan import DetectionPlan
from medloop.models.segmentation_plan import PICTURES

_DRAWS = 1000
_LEAST_IOU = {2: 0.5, 3: 0.1}  # COCO's, and that of nnDetection (Baumgartner 2021) in space


def detection_figures(
    plan: DetectionPlan, predictions: Sequence[Predictions], rng: np.random.Generator
) -> list[Figure]:
    """Measure out-of-fold marks, class by class; intervals are by bootstrap over cases.

    Of volumes: FROC and CPM by LUNA16's rules, where a mark nearer to a center than the
    object's radius is a hit. Of both: average precision by COCO's rules. The last two figures
    are at the plan's threshold, by the rule that chose it (`best_threshold`).
    """
    figures = []
    for c, name in enumerate(plan.classes):
        prefix = f"{name} " if len(plan.classes) > 1 else ""
        centers, boxes = matched(plan, predictions, c)
        if not any(len(scan.hits) for scan in boxes):
            continue
        if plan.frame != PICTURES:
            figures += _prefixed(prefix, froc_figures(centers, rng, draws=_DRAWS))
        figures.append(_precision(f"{prefix}{_title(plan)}", boxes, rng))
        judged = boxes if plan.frame == PICTURES else centers
        figures += _at_threshold(prefix, judged, plan.threshold, rng)
    if len(plan.classes) > 1 and figures:
        every = [matched(plan, predictions, c)[1] for c in range(len(plan.classes))]
        figures.append(_mean_precision(f"mean {_title(plan)}", every, rng))
    return figures


def main_figure(plan: DetectionPlan) -> str:
    """How the names of the figures end that tell most."""
    in_space = plan.frame != PICTURES
    return "sensitivity at 1 false marks per scan" if in_space else _title(plan)


def best_threshold(plan: DetectionPlan, predictions: Sequence[Predictions]) -> float:
    """Score at which all classes' marks have the best F1; the plan's if nothing was found.

    In pictures a mark is right if it overlaps by half, in volumes if its center is nearer than
    the object's radius.
    """
    scans = []
    for c in range(len(plan.classes)):
        centers, boxes = matched(plan, predictions, c)
        scans += boxes if plan.frame == PICTURES else centers
    hits = np.concatenate([scan.hits for scan in scans])
    alarms = np.concatenate([scan.alarms for scan in scans])
    levels = np.unique(hits[np.isfinite(hits)])
    if not len(levels):
        return plan.threshold
    found = (hits[None] >= levels[:, None]).sum(axis=1)
    false = (alarms[None] >= levels[:, None]).sum(axis=1)
    return float(levels[np.argmax(2 * found / (found + false + len(hits)))])


def matched(
    plan: DetectionPlan, predictions: Sequence[Predictions], number: int
) -> tuple[list[Matched], list[Matched]]:
    """Match the marks of one class in each case: by their centers, and by their boxes."""
    centers, boxes = [], []
    for part in predictions:
        for truth, marks in zip(part["truth"], part["marks"], strict=True):
            objects = _rows(truth, number, plan)
            found = _rows(marks, number, plan)
            score = np.array([m["score"] for m in marks if m["class"] == number], float)
            low, high = np.split(objects, 2, axis=1)
            radius = np.cbrt((high - low).prod(axis=1)) / 2 if len(plan.patch) == 3 else None
            if radius is not None:
                middles = [(each[:, :3] + each[:, 3:]) / 2 for each in (objects, found)]
                centers.append(match_points(middles[0], radius, middles[1], score))
            least = _LEAST_IOU[len(plan.patch)]
            boxes.append(match_boxes(objects, found, score, least_iou=least))
    return centers, boxes


def _rows(
    items: Sequence[dict[str, Any]], number: int, plan: DetectionPlan
) -> Float[ndarray, "n c"]:
    rows = [item["box"] for item in items if item["class"] == number]
    return np.array(rows, float).reshape(-1, 2 * len(plan.patch))


def _title(plan: DetectionPlan) -> str:
    return f"average precision at IoU {_LEAST_IOU[len(plan.patch)]:g}"


def _prefixed(prefix: str, figures: Sequence[Figure]) -> list[Figure]:
    return [Figure(f"{prefix}{f.name}", f.value, f.low, f.high, f.cases) for f in figures]


def _precision(name: str, scans: Sequence[Matched], rng: np.random.Generator) -> Figure:
    def precision(which: Int[ndarray, " n"]) -> float:
        return average_precision([scans[n] for n in which])

    return _figure(name, precision, len(scans), rng)


def _mean_precision(
    name: str, classes: Sequence[Sequence[Matched]], rng: np.random.Generator
) -> Figure:
    def precision(which: Int[ndarray, " n"]) -> float:
        each = [average_precision([scans[n] for n in which]) for scans in classes]
        known = [value for value in each if np.isfinite(value)]
        return float(np.mean(known)) if known else float("nan")

    return _figure(name, precision, len(classes[0]), rng)


def _at_threshold(
    prefix: str, scans: Sequence[Matched], threshold: float, rng: np.random.Generator
) -> list[Figure]:
    found = np.array([(scan.hits >= threshold).sum() for scan in scans])
    whole = np.array([len(scan.hits) for scan in scans])
    false = np.array([(scan.alarms >= threshold).sum() for scan in scans])

    def sensitivity(which: Int[ndarray, " n"]) -> float:
        total = whole[which].sum()
        return float(found[which].sum() / total) if total else float("nan")

    def rate(which: Int[ndarray, " n"]) -> float:
        return float(false[which].mean())

    at = f"at a score of {threshold:.2f}"
    return [
        _figure(f"{prefix}sensitivity {at}", sensitivity, len(scans), rng),
        _figure(f"{prefix}false marks per case {at}", rate, len(scans), rng),
    ]


def _figure(name: str, statistic: Statistic, cases: int, rng: np.random.Generator) -> Figure:
    value, low, high = interval_95(statistic, cases=cases, rng=rng, draws=_DRAWS)
    return Figure(name, value, low, high, cases)
