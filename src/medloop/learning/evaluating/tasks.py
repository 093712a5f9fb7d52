"""Each task's evaluation, put together: run, figures, subgroups, comparison, page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.errors import InputError
from medloop.learning.evaluating import classification as classes
from medloop.learning.evaluating import detection as objects
from medloop.learning.evaluating import segmentation as voxels
from medloop.learning.evaluating.blocks import Block, Evaluation, Row, Scatter, Spread
from medloop.learning.evaluating.cases import Chosen, Count, match_classes
from medloop.learning.evaluating.decision import Operating, calibration, confused, decide
from medloop.learning.evaluating.pictures import worst_pictures
from medloop.learning.evaluating.sections import (
    by_groups,
    compared,
    left_out,
    omission,
    worst,
)
from medloop.learning.evaluating.words import Language
from medloop.models.bundle import Bundle
from medloop.models.evidence import SecondReader
from medloop.models.predict import open_predictor

_MOST_SHOWN = 6  # classes of the worst cases
_SEED = 0  # of the draws: the same data and bundle give the same bytes


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What an evaluation shall tell beyond its figures.

    Attributes
    ----------
    by
        Columns of the data's table whose groups are measured apart.
    operating, positive
        How the operating point is chosen, and which class it calls.
    against
        Another bundle that answers the same cases.
    second
        Reader of lesions, where the bundle asks for one (retina).
    language
        Of the page.
    """

    by: tuple[str, ...] = ()
    operating: Operating | None = None
    positive: str = ""
    against: Bundle | None = None
    second: SecondReader | None = None
    language: Language = Language.ENGLISH


def measure_segmentation(
    bundle: Bundle, chosen: Chosen, wanted: Wanted, report: Count
) -> tuple[Evaluation, Chosen]:
    """Measure a network that segments; return the cases that were measured, too.

    Raises
    ------
    InputError
        If classes do not match, no case can be measured, or the other bundle does not answer.
    """
    rng = np.random.default_rng(_SEED)
    plan, predictor = bundle.segmentation_plan, open_predictor(bundle)
    numbers, warnings = match_classes(plan.classes, chosen.dataset, bundle.name)
    found = voxels.run(plan, predictor, chosen, numbers, report)
    omitted = left_out(found.unreadable, chosen.names)
    chosen = chosen.without(tuple(found.unreadable))
    rows, headline = voxels.figures(found, chosen, rng)
    dice = [row for row in rows if row.key == "dice"]
    values = found.of("dice")
    groups, record = by_groups(lambda n: voxels.mean_of(values[n]), dice, chosen, rng)
    blocks: list[Block] = [*_case_plots(found)]
    if wanted.against is not None:
        other = wanted.against
        there, _ = match_classes(other.segmentation_plan.classes, chosen.dataset, other.name)
        again = voxels.run(
            other.segmentation_plan, open_predictor(other), chosen, there, report
        )
        _require_all(again.unreadable, chosen, other)
        told, more = compared(
            voxels.compare(found, again, chosen, rng), other.name, wanted.language
        )
        blocks, record = [*told, *blocks], {**record, **more}
    table = voxels.case_table(found, chosen)
    shown = {"case": "case", **{column: column for column in chosen.groups}}
    shown |= {"mean_dice": "mean_dice"} if len(found.classes) > 1 else {}
    shown |= {f"dice_{name}": f"Dice · {name}" for name in found.classes[:_MOST_SHOWN]}
    blocks += [*groups, worst(table, shown)]
    blocks.append(worst_pictures(plan, predictor, found, chosen, numbers))
    return (
        Evaluation(
            rows,
            (*blocks, *omission(omitted)),
            (*warnings, *chosen.warnings, *_omitted(omitted)),
            headline,
            table,
            {"classes": list(found.classes), **record},
            omitted,
        ),
        chosen,
    )


def measure_classification(
    bundle: Bundle, chosen: Chosen, wanted: Wanted, report: Count
) -> tuple[Evaluation, Chosen]:
    """Measure a network that classifies; return the cases that were measured, too.

    Raises
    ------
    InputError
        If classes do not match, no case can be measured, there is no such operating point, or
        the other bundle does not answer.
    """
    rng = np.random.default_rng(_SEED)
    plan = bundle.classification_plan
    numbers, warnings = match_classes(plan.classes, chosen.dataset, bundle.name)
    found = classes.run(plan, open_predictor(bundle), chosen, numbers, report)
    omitted = left_out(found.unreadable, chosen.names)
    chosen = chosen.without(tuple(found.unreadable))
    decision = decide(found, wanted.operating, wanted.positive)
    rows, headline = classes.figures(found, chosen, rng)
    of_all = [Row(key, rows[n].figure) for n, key in enumerate(classes.names_of(found)[:4])]
    groups, record = by_groups(lambda n: classes.overall(found, n)[:4], of_all, chosen, rng)
    table, matrix = classes.case_table(found, chosen), confused(found)
    reliable, bins = calibration(found)
    record = {**record, **decision.record, **bins, "confusion": {"classes": matrix.rows}}
    blocks: list[Block] = [*decision.blocks, reliable[0], matrix, reliable[1]]
    if wanted.against is not None:
        other = wanted.against
        there, _ = match_classes(other.classification_plan.classes, chosen.dataset, other.name)
        again = classes.run(
            other.classification_plan, open_predictor(other), chosen, there, report
        )
        _require_all(again.unreadable, chosen, other)
        if len(again.classes) != len(found.classes) or (again.truth != found.truth).any():
            raise InputError(f"bundle {other.name} has other classes than {bundle.name}")
        told, more = compared(
            classes.compare(found, again, chosen, rng), other.name, wanted.language
        )
        blocks, record = [*told, *blocks], {**record, **more}
    shown = {"case": "case", **{column: column for column in chosen.groups}}
    shown |= {"true": "true_class", "given": "given_class", "p_true": "p_true"}
    blocks += [*groups, worst(table, shown)]
    return (
        Evaluation(
            (*rows, *decision.rows),
            (*blocks, *omission(omitted)),
            (*warnings, *chosen.warnings, *decision.warnings, *_omitted(omitted)),
            headline,
            table,
            {"classes": list(found.classes), **record},
            omitted,
        ),
        chosen,
    )


def measure_detection(
    bundle: Bundle, chosen: Chosen, wanted: Wanted, report: Count
) -> tuple[Evaluation, Chosen]:
    """Measure a network that finds objects; return the cases that were measured, too.

    Raises
    ------
    InputError
        If classes do not match, no case can be measured, or the other bundle does not answer.
    """
    rng = np.random.default_rng(_SEED)
    plan = bundle.detection_plan
    numbers, warnings = match_classes(plan.classes, chosen.dataset, bundle.name)
    found = objects.run(plan, open_predictor(bundle), chosen, numbers, report)
    omitted = left_out(found.unreadable, chosen.names)
    chosen = chosen.without(tuple(found.unreadable))
    if not any(found.findings):
        raise InputError(f"{chosen.dataset.name} has no object in {len(chosen.cases)} cases")
    rows, headline = objects.figures(found, chosen, rng)
    key = objects.keys_of(found)[0]
    first = [Row(key, rows[0].figure, name) for name in found.classes]
    groups, record = by_groups(lambda n: objects.summary(found, n), first, chosen, rng)
    blocks: list[Block] = [*objects.curves(found, rng), objects.counted(found)]
    if wanted.against is not None:
        other = wanted.against
        there, _ = match_classes(other.detection_plan.classes, chosen.dataset, other.name)
        again = objects.run(other.detection_plan, open_predictor(other), chosen, there, report)
        _require_all(again.unreadable, chosen, other)
        if again.classes != found.classes:
            raise InputError(f"bundle {other.name} has other classes than {bundle.name}")
        told, more = compared(
            objects.compare(found, again, chosen, rng), other.name, wanted.language
        )
        blocks, record = [*told, *blocks], {**record, **more}
    table = objects.case_table(found, chosen)
    blocks += [*groups, worst(table, {head: head for head in table.heads})]
    counts = dict(zip(found.classes, found.findings, strict=True))
    record = {"objects": counts, "threshold": found.threshold, **record}
    return (
        Evaluation(
            rows,
            (*blocks, *omission(omitted)),
            (*warnings, *chosen.warnings, *_omitted(omitted)),
            headline,
            table,
            {"classes": list(found.classes), **record},
            omitted,
        ),
        chosen,
    )


def _case_plots(found: voxels.Segmented) -> tuple[Block, ...]:
    dice, true = found.values["dice"], found.values["true_volume"]
    volume = found.values["found_volume"]
    unit = voxels.unit_of("true_volume", is_flat=found.is_flat)
    return (
        Spread(
            "dice_by_case",
            {name: dice[:, c].tolist() for c, name in enumerate(found.classes)},
        ),
        Scatter(
            "volumes",
            {
                name: (true[:, c].tolist(), volume[:, c].tolist())
                for c, name in enumerate(found.classes)
            },
            "true_volume",
            "found_volume",
            unit,
        ),
    )


def _omitted(lines: Sequence[str]) -> tuple[str, ...]:
    if not lines:
        return ()
    plural = "case was" if len(lines) == 1 else "cases were"
    return (f"{len(lines)} {plural} left out: {lines[0]}",)


def _require_all(unreadable: Mapping[int, str], chosen: Chosen, other: Bundle) -> None:
    if unreadable:
        n, why = next(iter(unreadable.items()))
        raise InputError(
            f"bundle {other.name} does not answer {chosen.names[n]} ({why}): bundles are"
            " compared on the same cases"
        )
