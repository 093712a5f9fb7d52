"""``medloop evaluate``: a bundle's figures on labelled data, as it runs in the clinic.

Needs no torch: the bundle's ONNX weights answer, through the engine that answers patients.
"""

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medloop.learning.data.description import Task as Labels
from medloop.learning.evaluating.blocks import CaseTable, Evaluation
from medloop.learning.evaluating.cases import Chosen, Count, choose
from medloop.learning.evaluating.page import Page, render
from medloop.learning.evaluating.retina import measure, measure_photographs
from medloop.learning.evaluating.sections import record_of
from medloop.learning.evaluating.tasks import (
    Wanted,
    measure_classification,
    measure_detection,
    measure_segmentation,
)
from medloop.learning.whole import write_text
from medloop.models.bundle import Bundle
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.detection_plan import DetectionPlan
from medloop.models.plan import Plan

__all__ = ["Evaluation", "Wanted", "evaluate", "measure"]

METRICS, REPORT, CASES = "metrics.json", "report.html", "cases.csv"
_PLAIN = Wanted()


def evaluate(
    bundle: Bundle,
    data: Path,
    out: Path,
    *,
    split: str | None = None,
    wanted: Wanted = _PLAIN,
    report: Count = lambda _done, _all: None,
) -> Evaluation:
    """Measure a bundle on labelled data; write ``metrics.json`` and ``report.html``.

    Except of the retina's networks also ``cases.csv``. `split` names a part that the data
    state, such as ``"test"``, or a fold of the bundle's ``folds/split.json``, such as
    ``"fold0"``.

    Raises
    ------
    InputError
        If the data are not what the bundle's task needs, or there is no such split.
    ServiceError
        If the results cannot be written.
    """
    if isinstance(bundle.plan, Plan):
        measured, count = measure_photographs(
            bundle, data, split=split, second=wanted.second, report=report
        )
        about: Mapping[str, str] = {
            "photographs": f"{count}" + (f", part {split}" if split else "")
        }
        stated: dict[str, Any] = {"cases": count, "split": split}
    else:
        measured, chosen = _of_task(bundle, data, split, wanted, report)
        about, stated = _about(chosen), _stated(chosen, measured)
    record = _record(bundle, stated, measured)
    write_text(out / METRICS, json.dumps(record, indent=2, allow_nan=False) + "\n")
    if measured.cases.rows:
        write_text(out / CASES, _table(measured.cases))
    identity = {"bundle": f"{bundle.name} {bundle.version}", "weights": bundle.sha256}
    page = Page(
        str(bundle.card.get("title", bundle.name)),
        {**identity, **about},
        measured.warnings,
        measured.rows,
        measured.blocks,
        measured.headline,
        wanted.language,
    )
    write_text(out / REPORT, render(page))
    return measured


def _of_task(
    bundle: Bundle, data: Path, split: str | None, wanted: Wanted, report: Count
) -> tuple[Evaluation, Chosen]:
    if isinstance(bundle.plan, ClassificationPlan):
        chosen = choose(bundle, data, Labels.CLASSIFICATION, split=split, by=wanted.by)
        return measure_classification(bundle, chosen, wanted, report)
    if isinstance(bundle.plan, DetectionPlan):
        chosen = choose(bundle, data, Labels.DETECTION, split=split, by=wanted.by)
        return measure_detection(bundle, chosen, wanted, report)
    bundle.segmentation_plan  # noqa: B018 (another kind is refused in one line)
    chosen = choose(bundle, data, Labels.SEGMENTATION, split=split, by=wanted.by)
    return measure_segmentation(bundle, chosen, wanted, report)


def _about(chosen: Chosen) -> Mapping[str, str]:
    one_each = chosen.clusters is None
    about = {"data": f"{chosen.dataset.name} ({chosen.dataset.layout})"}
    if chosen.split:
        about["split"] = chosen.split
    about["measured_cases"] = str(len(chosen.cases))
    if not one_each:
        about["patients"] = str(chosen.patients)
    return about | {"how": "how_cases" if one_each else "how_patients"}


def _stated(chosen: Chosen, measured: Evaluation) -> dict[str, Any]:
    return {
        "name": chosen.dataset.name,
        "layout": chosen.dataset.layout,
        "cases": len(chosen.cases),
        "left_out": len(measured.left_out),
        "patients": chosen.patients,
        "split": chosen.split,
    }


def _record(bundle: Bundle, data: Mapping[str, Any], measured: Evaluation) -> Mapping[str, Any]:
    return {
        "schema": "medloop.metrics/1",
        "task": str(bundle.plan.task),
        "bundle": {
            "name": bundle.name,
            "version": bundle.version,
            "weights_sha256": bundle.sha256,
        },
        "data": data,
        "figures": [record_of(row, row.figure) for row in measured.rows],
        **measured.record,
        "warnings": list(measured.warnings),
    }


def _table(table: CaseTable) -> str:
    """Write cases as CSV; what cannot be measured is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.heads)
    for row in table.rows:
        writer.writerow([_cell(cell) for cell in row])
    return text.getvalue()


def _cell(cell: str | float) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell:.6g}" if math.isfinite(cell) else ""
