"""The networks of the retina, measured on labelled photographs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

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
from medloop.learning.evaluating.blocks import DELONG, Curve, Evaluation, Row, Table
from medloop.learning.evaluating.cases import Count, flattery, split_of
from medloop.learning.figures import (
    Predictions,
    grading_figures,
    lesion_figures,
    pooled_counts,
    read_grades,
)
from medloop.learning.placed import placed, placed_bits, with_field
from medloop.models.bundle import Bundle
from medloop.models.canvas import normalize, place
from medloop.models.evidence import SecondReader
from medloop.models.plan import Plan, Task
from medloop.models.predict import Predictor, open_predictor
from medloop.models.retina import grade_canvas, joined

_DRAWS = 1000
_SHOWN = 4


def measure_photographs(
    bundle: Bundle,
    data: Path,
    *,
    split: str | None,
    second: SecondReader | None,
    report: Count,
) -> tuple[Evaluation, int]:
    """Measure a bundle on labelled photographs; return how many they were, too.

    Raises
    ------
    InputError
        If the data are not what the bundle's task needs, or there is no such split.
    """
    plan = bundle.photograph_plan
    examples = gradings(data) if plan.task is Task.GRADING else outlines(data)
    trained = split_of(bundle)
    chosen = _chosen(examples, bundle, trained, split)
    measured = measure(plan, open_predictor(bundle), chosen, second=second, report=report)
    known = sum(example.name in trained for example in chosen)
    return replace(measured, warnings=flattery(known, len(chosen), "photographs")), len(chosen)


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
        "Calibration of referable",
        {"referable": (found.stated[full].tolist(), found.seen[full].tolist())},
        diagonal=True,
        across="stated",
        up="seen",
    )
    rows = (*_rows(figures), Row(auc.name, auc, interval=DELONG), *_rows([calibration]))
    counts = {"confusion": {table.title: table.rows for table in tables}}
    return Evaluation(rows, (*tables, curve), headline=rows[:_SHOWN], record=counts)


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
    curve = Curve("All pixels pooled", lines, across="recall", up="precision")
    rows = _rows(figures)
    shown = rows[: min(_SHOWN, len(plan.classes))]
    return Evaluation(rows, (curve,), headline=shown, record={"confusion": {}})


def _rows(figures: Sequence[Figure]) -> tuple[Row, ...]:
    return tuple(Row(figure.name, figure) for figure in figures)


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
