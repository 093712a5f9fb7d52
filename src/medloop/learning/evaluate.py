"""``medloop evaluate``: a bundle's figures on labelled photographs, as it runs in the clinic.

Needs no torch: the bundle's ONNX weights answer, through the engine that answers patients.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from medloop.core.errors import InputError
from medloop.evaluation.bootstrap import Figure, interval_95
from medloop.evaluation.calibration import expected_calibration_error, reliability
from medloop.evaluation.classification import confusion, delong_95
from medloop.evaluation.precision_recall import (
    ScoreCounts,
    dice_at,
    precision_recall,
    score_counts,
)
from medloop.learning.datasets import Example, gradings, outlines
from medloop.learning.figures import (
    Predictions,
    grading_figures,
    lesion_figures,
    pooled_counts,
    read_grades,
)
from medloop.learning.keep import write_text
from medloop.learning.page import Curve, Page, Table, render
from medloop.learning.placed import placed, placed_bits, with_field
from medloop.models.bundle import Bundle
from medloop.models.canvas import normalize, place
from medloop.models.evidence import SecondReader
from medloop.models.plan import Plan, Task
from medloop.models.predict import Predictor, open_predictor
from medloop.models.retina import grade_canvas, joined

Count = Callable[[int, int], None]  # photographs done, of all
_DRAWS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What was measured; `warnings` say why the figures may flatter or mislead."""

    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    curves: tuple[Curve, ...]
    warnings: tuple[str, ...] = ()


def evaluate(
    bundle: Bundle,
    data: Path,
    out: Path,
    *,
    split: str | None = None,
    second: SecondReader | None = None,
    report: Count = lambda _done, _all: None,
) -> Evaluation:
    """Measure a bundle on labelled photographs; write ``metrics.json`` and ``report.html``.

    `split` names a fold of the bundle's ``folds/split.json``, such as ``"fold0"``; `second` is
    the reader of lesions that the bundle asks, if it asks one.

    Raises
    ------
    InputError
        If the data are not what the bundle's task needs, or there is no such split.
    ServiceError
        If the results cannot be written.
    """
    plan = bundle.photograph_plan
    examples = gradings(data) if plan.task is Task.GRADING else outlines(data)
    trained = _split_of(bundle)
    chosen = _chosen(examples, bundle, trained, split)
    predictor = open_predictor(bundle)
    measured = measure(plan, predictor, chosen, second=second, report=report)
    measured = replace(measured, warnings=_warnings(chosen, trained))
    record = _record(bundle, chosen, split, measured)
    write_text(out / "metrics.json", json.dumps(record, indent=2, allow_nan=False) + "\n")
    about = {
        "Bundle": f"{bundle.name} {bundle.version}",
        "Weights (SHA-256)": bundle.sha256,
        "Photographs": f"{len(chosen)}" + (f", part {split}" if split else ""),
    }
    page = Page(
        str(bundle.card.get("title", bundle.name)),
        about,
        measured.warnings,
        measured.figures,
        measured.tables,
        measured.curves,
    )
    write_text(out / "report.html", render(page))
    return measured


def measure(
    plan: Plan,
    predictor: Predictor,
    examples: Sequence[Example],
    *,
    second: SecondReader | None = None,
    report: Count = lambda _done, _all: None,
) -> Evaluation:
    """Run a network over labelled photographs and take its figures."""
    rng = np.random.default_rng(0)
    if plan.task is Task.GRADING:
        predictions = _grades(plan, predictor, second, examples, report)
        return _grading(plan, [predictions], rng)
    return _lesions(plan, [_scores(plan, predictor, examples, report)], rng)


def _grades(
    plan: Plan,
    predictor: Predictor,
    second: SecondReader | None,
    examples: Sequence[Example],
    report: Count,
) -> Predictions:
    logits = []
    for n, example in enumerate(examples):
        rgb, field = with_field(example)
        canvas, _ = place(rgb, field, plan)
        opinion = second.read(rgb, field) if second else None
        logits.append(joined(grade_canvas(predictor, canvas, plan)[0], opinion))
        report(n + 1, len(examples))
    return {"truth": [e.grades for e in examples], "logits": np.stack(logits)}


def _scores(
    plan: Plan, predictor: Predictor, examples: Sequence[Example], report: Count
) -> Predictions:
    positives, negatives = [], []
    for n, example in enumerate(examples):
        canvas, placement = placed(example, plan)
        bits = placed_bits(example, plan, placement, canvas.shape[:2])
        maps = predictor.run(normalize(canvas, plan))["probability"][0]
        counts = [
            score_counts(((bits >> c) & 1).astype(bool), maps[c])
            for c in range(len(plan.classes))
        ]
        positives.append([c.positives for c in counts])
        negatives.append([c.negatives for c in counts])
        report(n + 1, len(examples))
    return {"positives": positives, "negatives": negatives}


def _grading(
    plan: Plan, predictions: Sequence[Predictions], rng: np.random.Generator
) -> Evaluation:
    figures = grading_figures(plan, predictions, rng)
    graded = read_grades(plan, predictions)
    cases = len(graded.truth)
    auc = Figure("referable AUC (DeLong)", *delong_95(graded.referable, graded.score), cases)
    error = interval_95(
        lambda n: expected_calibration_error(graded.referable[n], graded.score[n]),
        cases=cases,
        rng=rng,
        draws=_DRAWS,
    )
    calibration = Figure("referable expected calibration error", *error, cases)
    tables = [
        Table(
            f"{scale.name}: true grade (rows) against grade given (columns)",
            tuple(str(k) for k in range(scale.grades)),
            confusion(graded.truth[:, n], graded.given[:, n], classes=scale.grades).tolist(),
        )
        for n, scale in enumerate(plan.scales)
    ]
    found = reliability(graded.referable, graded.score)
    full = found.cases > 0
    curve = Curve(
        "Referable: probability stated (across) and share seen (up)",
        {"referable": (found.stated[full].tolist(), found.seen[full].tolist())},
        diagonal=True,
    )
    return Evaluation((*figures, auc, calibration), tuple(tables), (curve,))


def _lesions(
    plan: Plan, predictions: Sequence[Predictions], rng: np.random.Generator
) -> Evaluation:
    figures = lesion_figures(plan, predictions, rng)
    lines = {}
    for name, counts in zip(plan.classes, pooled_counts(predictions), strict=True):
        precision, recall = precision_recall(counts)
        lines[name] = (recall.tolist(), precision.tolist())
    positives = np.array(predictions[0]["positives"])
    negatives = np.array(predictions[0]["negatives"])
    for c, (name, threshold) in enumerate(zip(plan.classes, plan.thresholds, strict=False)):

        def dice(n: np.ndarray, c: int = c, threshold: float = threshold) -> float:
            pooled = ScoreCounts(positives[n, c].sum(axis=0), negatives[n, c].sum(axis=0))
            return dice_at(pooled, threshold)

        interval = interval_95(dice, cases=len(positives), rng=rng, draws=_DRAWS)
        title = f"{name} pooled Dice at threshold {threshold:g}"
        figures.append(Figure(title, *interval, len(positives)))
    curve = Curve("Recall (across) and precision (up), all pixels pooled", lines)
    return Evaluation(tuple(figures), (), (curve,))


def _split_of(bundle: Bundle) -> Mapping[str, int]:
    """Name the photographs the bundle was made with, and the fold of each."""
    path = bundle.folder / "folds" / "split.json"
    if not path.is_file():
        return {}
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): int(fold) for name, fold in raw.items()}
    except (AttributeError, TypeError, ValueError) as why:
        raise InputError(f"{path} is no division into folds: {type(why).__name__}") from why


def _chosen(
    examples: Sequence[Example], bundle: Bundle, trained: Mapping[str, int], split: str | None
) -> Sequence[Example]:
    if split is None:
        if not examples:
            raise InputError("the data hold no labelled photograph")
        return examples
    names = [f"fold{n}" for n in sorted(set(trained.values()))]
    if split not in names:
        known = ", ".join(names) or "none"
        raise InputError(f"bundle {bundle.name} has no part {split!r}; its parts are: {known}")
    fold = int(split.removeprefix("fold"))
    chosen = [example for example in examples if trained.get(example.name) == fold]
    if not chosen:
        raise InputError(f"none of the {len(examples)} photographs belongs to {split}")
    return chosen


def _warnings(chosen: Sequence[Example], trained: Mapping[str, int]) -> tuple[str, ...]:
    known = sum(example.name in trained for example in chosen)
    if known == 0:
        return ()
    return (
        f"{known} of {len(chosen)} photographs have names of photographs this bundle was made"
        " with: these figures flatter it; its card has figures out of fold",
    )


def _record(
    bundle: Bundle, chosen: Sequence[Example], split: str | None, measured: Evaluation
) -> Mapping[str, Any]:
    figures = [dict(figure.as_table()) for figure in measured.figures]
    for figure in figures:
        figure["value"] = _number(figure["value"])
        figure["interval_95"] = [_number(v) for v in figure["interval_95"]]
    return {
        "schema": "medloop.metrics/1",
        "bundle": {
            "name": bundle.name,
            "version": bundle.version,
            "weights_sha256": bundle.sha256,
        },
        "data": {"cases": len(chosen), "split": split},
        "figures": figures,
        "confusion": {table.title: table.rows for table in measured.tables},
        "warnings": list(measured.warnings),
    }


def _number(value: float) -> float | None:
    """JSON knows no NaN; a figure that cannot be taken is null."""
    return value if math.isfinite(value) else None
