"""A network that finds objects, measured by LUNA16's and COCO's rules."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.evaluation.bootstrap import Figure, intervals_95
from medloop.evaluation.comparison import Comparison, paired_bootstraps
from medloop.evaluation.detection import Matched, average_precision
from medloop.evaluation.froc import (
    CPM_FALSE_PER_SCAN,
    competition_metric,
    froc,
    froc_band,
    froc_figures,
)
from medloop.learning.data.labels import read_boxes
from medloop.learning.data.pixels import read_image
from medloop.learning.detection.figures import matched
from medloop.learning.evaluating.blocks import BOOTSTRAP, CaseTable, Curve, Listing, Row
from medloop.learning.evaluating.cases import Chosen, Count, class_number, fitted
from medloop.models.detect import detect
from medloop.models.detection_plan import DetectionPlan
from medloop.models.predict import Predictor
from medloop.models.segmentation_plan import PICTURES

_DRAWS = 1000
_DRAWN = tuple(2.0 ** (n / 4) for n in range(-12, 13))  # false marks per scan, 1/8 ... 8
_LABELS = ("1/8", "1/4", "1/2", "1", "2", "4", "8")
Told = Sequence[Mapping[str, Any]]  # objects of one case: box (lower corner, upper), class


@dataclass(frozen=True, slots=True, eq=False)
class Detected:
    """Objects and marks of each case, judged; one list of cases a class.

    `centers` are by LUNA16's rule (empty of pictures), `boxes` by COCO's; the score from which
    a mark counts as found is `threshold`.
    """

    classes: tuple[str, ...]
    centers: tuple[Sequence[Matched], ...]
    boxes: tuple[Sequence[Matched], ...]
    threshold: float
    unreadable: Mapping[int, str]

    @property
    def judged(self) -> tuple[Sequence[Matched], ...]:
        """By centers in volumes, by boxes in pictures."""
        return self.centers if self.centers[0] else self.boxes

    @property
    def is_flat(self) -> bool:
        """Whether these are pictures."""
        return not self.centers[0]

    @property
    def findings(self) -> tuple[int, ...]:
        """Objects of each class in all cases."""
        return tuple(sum(len(scan.hits) for scan in scans) for scans in self.boxes)


def run(
    plan: DetectionPlan,
    predictor: Predictor,
    chosen: Chosen,
    numbers: Sequence[int],
    report: Count,
) -> Detected:
    """Find objects in every case; `numbers` says which class each of the data is."""
    truth, marks, unreadable = [], [], {}
    for n, case in enumerate(chosen.cases):
        try:
            image = read_image(case)
            array = fitted(image.array, len(plan.channels))
            found = detect(predictor, array, image.grid, plan)
            objects = read_boxes(case, image)
            steps = np.array(image.grid.spacing_mm if image.grid else (1.0, 1.0))
            kinds = [numbers[class_number(chosen.dataset, int(v))] for v in objects.values]
            truth.append(_told(objects.edges * steps, kinds))
            marks.append(_told(found.edges * steps, found.classes.tolist(), found.score))
        except InputError as why:
            unreadable[n] = str(why)
        report(n + 1, len(chosen.cases))
    if not truth:
        first = next(iter(unreadable))
        raise InputError(
            f"no case of {chosen.dataset.name} can be measured; {chosen.names[first]}:"
            f" {unreadable[first]}"
        )
    return judge(plan, truth, marks, unreadable)


def judge(
    plan: DetectionPlan,
    truth: Sequence[Told],
    marks: Sequence[Told],
    unreadable: Mapping[int, str] = {},
) -> Detected:
    """Match marks with objects, case by case.

    Both are tables with ``class`` (a number) and ``box``, lower corner then upper, in mm or
    pixels; marks have a ``score``.
    """
    predictions = [{"truth": truth, "marks": marks}]
    pairs = [matched(plan, predictions, c) for c in range(len(plan.classes))]
    empty: tuple[list[Matched], ...] = tuple([] for _ in pairs)
    return Detected(
        plan.classes,
        empty if plan.frame == PICTURES else tuple(centers for centers, _ in pairs),
        tuple(boxes for _, boxes in pairs),
        plan.threshold,
        unreadable,
    )


def figures(
    found: Detected, chosen: Chosen, rng: np.random.Generator
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Measure each class that occurs: all rows, and those to show first."""
    rows = []
    for c, name in enumerate(found.classes):
        if not found.findings[c]:
            continue
        scans = found.judged[c]
        taken = intervals_95(
            lambda n, c=c: _summary(found, c, n),  # type: ignore[misc] # bound now
            cases=len(scans),
            rng=rng,
            draws=_DRAWS,
            clusters=chosen.clusters,
        )
        for key, value, low, high in zip(keys_of(found), *taken, strict=True):
            figure = Figure(f"{name} {key}", float(value), float(low), float(high), len(scans))
            rows.append(Row(key, figure, name))
        if not found.is_flat:
            for rate, each in zip(CPM_FALSE_PER_SCAN, froc_figures(scans, rng), strict=False):
                figure = Figure(
                    f"{name} froc_{rate:g}", each.value, each.low, each.high, len(scans)
                )
                rows.append(Row(f"froc_{rate:g}", figure, name))
    shown = [row for row in rows if not row.key.startswith("froc_")]
    return tuple(rows), tuple(shown[:4])


def keys_of(found: Detected) -> tuple[str, ...]:
    """Keys of what is measured of a class: with CPM where there are volumes."""
    at = ("sensitivity_at_threshold", "false_at_threshold")
    return ("ap", *at) if found.is_flat else ("cpm", "ap", *at)


def summary(found: Detected, n: Int[ndarray, " m"]) -> Float[ndarray, " c"]:
    """CPM, or of pictures the average precision, of each class in some cases."""
    return np.array([_summary(found, c, n)[0] for c in range(len(found.classes))])


def curves(found: Detected, rng: np.random.Generator) -> tuple[Curve, ...]:
    """Draw the FROC curve of each class, with its band."""
    lines, bands = {}, {}
    for name, scans in zip(found.classes, found.judged, strict=True):
        if any(len(scan.hits) for scan in scans):
            band = froc_band(scans, rng, false_per_scan=_DRAWN)
            across = ((np.log2(band.false_per_scan) + 3) / 6).tolist()
            lines[name] = (across, band.sensitivity.tolist())
            bands[name] = (across, band.low.tolist(), band.high.tolist())
    if not lines:
        return ()
    steps = tuple((n / 6, label) for n, label in enumerate(_LABELS))
    return (
        Curve(
            "froc",
            lines,
            across="false_per_scan",
            up="sensitivity",
            steps=steps,
            bands=bands,
        ),
    )


def compare(
    one: Detected, other: Detected, chosen: Chosen, rng: np.random.Generator
) -> tuple[tuple[str, str, Comparison, str], ...]:
    """Compare two bundles on the same cases: key, class, result, test."""
    results = paired_bootstraps(
        lambda n: summary(one, n),
        lambda n: summary(other, n),
        cases=len(one.boxes[0]),
        rng=rng,
        draws=_DRAWS,
        clusters=chosen.clusters,
    )
    key = keys_of(one)[0]
    return tuple(
        (key, name, result, BOOTSTRAP)
        for name, result in zip(one.classes, results, strict=True)
    )


def case_table(found: Detected, chosen: Chosen) -> CaseTable:
    """Count objects, those missed and false marks of each case; most errors first."""
    rows: list[list[str | float]] = []
    for n, name in enumerate(chosen.names):
        scans = [of[n] for of in found.judged]
        whole = sum(len(scan.hits) for scan in scans)
        hits = sum(int((scan.hits >= found.threshold).sum()) for scan in scans)
        false = sum(int((scan.alarms >= found.threshold).sum()) for scan in scans)
        groups = [of[n] for of in chosen.groups.values()]
        rows.append([name, *groups, str(whole), str(whole - hits), str(false)])
    rows.sort(key=lambda row: -int(row[-1]) - int(row[-2]))
    return CaseTable(("case", *chosen.groups, "objects", "missed_objects", "false_marks"), rows)


def counted(found: Detected) -> Listing:
    """Say how many objects the figures rest on."""
    rows = [
        (name, str(n), str(sum(len(scan.hits) > 0 for scan in scans)), str(len(scans)))
        for name, n, scans in zip(found.classes, found.findings, found.boxes, strict=True)
    ]
    return Listing("objects", ("class", "objects", "cases_with", "cases"), rows)


def _summary(found: Detected, c: int, n: Int[ndarray, " m"]) -> Float[ndarray, " s"]:
    boxes, judged = found.boxes[c], found.judged[c]
    precision = average_precision([boxes[i] for i in n])
    scans = [judged[i] for i in n]
    whole = sum(len(scan.hits) for scan in scans)
    hits = sum(int((scan.hits >= found.threshold).sum()) for scan in scans)
    false = sum(int((scan.alarms >= found.threshold).sum()) for scan in scans)
    at = [hits / whole if whole else math.nan, false / len(scans)]
    if found.is_flat:
        return np.array([precision, *at])
    return np.array([competition_metric(froc(scans)) if whole else math.nan, precision, *at])


def _told(
    edges: Float[ndarray, "n 2 d"],
    classes: Sequence[int],
    score: Float[ndarray, " n"] | None = None,
) -> list[dict[str, Any]]:
    rows = [
        {"class": kind, "box": box.ravel().tolist()}
        for kind, box in zip(classes, edges, strict=True)
    ]
    if score is None:
        return rows
    return [{**row, "score": float(s)} for row, s in zip(rows, score, strict=True)]
