"""``medloop predict`` with a network that gives an image a class: OUT/predictions.csv."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from medloop.apps.batch import Input, Job, run_batch
from medloop.apps.bundles import open_network
from medloop.apps.console import Exit
from medloop.apps.output import write_text
from medloop.apps.pixels import channels_of
from medloop.apps.settings import Settings
from medloop.core.image import Picture
from medloop.core.study import Content
from medloop.models.bundle import Bundle
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.classify import classify
from medloop.models.predict import Predictor, end_case
from medloop.models.segmentation_plan import PICTURES


def tell_classes(bundle: Bundle, inputs: Sequence[Path], out: Path, settings: Settings) -> Exit:
    """Run the network over every picture, or volume, among the inputs.

    Raises
    ------
    UsageError
        If there is nothing to read.
    """
    plan = bundle.classification_plan
    predictor = open_network(bundle, settings)
    wanted = Content.PICTURES if plan.frame == PICTURES else Content.VOLUME
    table = out / "predictions.csv"
    rows: list[list[str | int | float]] = []

    def one(item: Input) -> None:
        rows.append([item.name, *_one(item, predictor, plan)])
        end_case(predictor)

    def finish() -> Path:
        _write(table, plan, rows)
        return table

    return run_batch(
        inputs, wanted, Job("predicting", one, finish), channels=len(plan.channels)
    )


def _one(
    item: Input, predictor: Predictor, plan: ClassificationPlan
) -> list[str | int | float]:
    array, image = channels_of(item, len(plan.channels), flat=plan.frame == PICTURES)
    grid = None if isinstance(image, Picture) else image.grid
    shares = classify(predictor, array, grid, plan)
    best = int(shares.argmax())
    named = [plan.classes[best]] if _are_named(plan) else []
    return [best, *(round(float(share), 6) for share in shares), *named]


def _are_named(plan: ClassificationPlan) -> bool:
    return plan.classes != tuple(str(n) for n in range(len(plan.classes)))


def _write(
    path: Path, plan: ClassificationPlan, rows: Sequence[Sequence[str | int | float]]
) -> None:
    """Write input, prediction, p_0, p_1, ...; and the class's name, where classes have one."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    named = ["class"] if _are_named(plan) else []
    shares = [f"p_{n}" for n in range(len(plan.classes))]
    writer.writerow(["input", "prediction", *shares, *named])
    writer.writerows(rows)
    write_text(path, text.getvalue())
