"""From a folder of labelled images to a task that can be trained."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medloop.core.errors import InputError
from medloop.learning.affordable import affordable
from medloop.learning.data.description import CaseSource, Dataset, Task
from medloop.learning.data.survey import Problem
from medloop.learning.opening import (
    Count,
    Readers,
    axes,
    checked,
    dealt,
    divided,
    folds_of,
    numbers,
    recognized,
    sides,
)
from medloop.learning.recipes import overruled
from medloop.learning.segmentation.batches import load_cases
from medloop.learning.segmentation.fingerprint import Fingerprint, fingerprint
from medloop.learning.segmentation.planning import Budget, Wanted, plan_for
from medloop.learning.segmentation.recipe import SegmentationRecipe
from medloop.learning.segmentation.task import SegmentationTask
from medloop.models.architecture import Kind, Norm
from medloop.models.segmentation_plan import SegmentationPlan


@dataclass(frozen=True, slots=True)
class Known:
    """What the data of a recipe do not say of themselves, and how long it trains.

    `flips` are the axes along which a mirror image is as good.
    """

    channels: tuple[str, ...]
    classes: tuple[str, ...]
    flips: tuple[int, ...]
    epochs: int


KNOWN: Mapping[str, Known] = {
    # mirrored front to back, anterior is posterior
    "hippocampus": Known(("T1",), ("anterior", "posterior"), flips=(0, 2), epochs=30),
}
RECIPES = ("segmentation", *KNOWN)


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A data set that was checked, dealt into folds and planned for."""

    dataset: Dataset
    sources: tuple[CaseSource, ...]
    fold_of: Mapping[str, int]
    fingerprint: Fingerprint
    recipe: SegmentationRecipe
    problems: tuple[Problem, ...]


def plan_segmentation(
    name: str,
    data: Path,
    settings: Mapping[str, str],
    *,
    report: Count = lambda _done, _all: None,
) -> Planned:
    """Recognize, check, divide and plan for the data of a segmentation.

    `settings` overrules fields of the recipe, and of its plan: ``patch`` (``40x56x40``),
    ``spacing_mm`` (``1x1x3``), ``voxels`` and ``width`` (of the budget), ``kind`` and ``norm``
    (of the network), ``flips`` (``0,2``) and ``overlap``.

    Raises
    ------
    InputError
        If a setting is unknown or wrong, or the data are none for a segmentation.
    DataProblemsError
        If a case is wrong.
    """
    dataset = _named(name, recognized(data, Task.SEGMENTATION))
    facts, problems = checked(dataset, report)
    seen = fingerprint(dataset, dataset.trainable, report=report)
    asked, rest = divided(settings, _PLAN_KEYS)
    recipe = SegmentationRecipe(name, _plan(seen, _beforehand(name) | asked))
    if name in KNOWN:
        recipe = replace(recipe, epochs=KNOWN[name].epochs)
    recipe = overruled(recipe, rest, also=tuple(_PLAN_KEYS))
    known = _beforehand(name) | asked
    recipe = affordable(recipe, lambda most: _plan(seen, known | {"voxels": most}))
    sources, fold_of = dealt(dataset, facts, recipe.of_folds)
    return Planned(dataset, sources, fold_of, seen, recipe, problems)


def open_segmentation(
    planned: Planned, work: Path, *, report: Count = lambda _done, _all: None
) -> SegmentationTask:
    """Prepare every case in `work`, or find it there."""
    kept = work / "cases"
    recipe = planned.recipe
    prepared = load_cases(planned.dataset, planned.sources, recipe.plan, kept, report)
    folds = folds_of(planned.fold_of, planned.sources)
    return SegmentationTask(recipe, planned.dataset, planned.sources, folds, prepared)


def _named(recipe: str, dataset: Dataset) -> Dataset:
    """Name channels and classes as the recipe does; `InputError` if there are others."""
    if recipe not in KNOWN:
        return dataset
    channels, classes = KNOWN[recipe].channels, KNOWN[recipe].classes
    if len(channels) != len(dataset.channels) or len(classes) != len(dataset.classes):
        raise InputError(
            f"recipe {recipe} is for channels {', '.join(channels)} and classes"
            f" {', '.join(classes)}; {dataset.describe()}"
        )
    values = dataset.classes.values()
    return replace(dataset, channels=channels, classes=dict(zip(classes, values, strict=True)))


def _beforehand(recipe: str) -> dict[str, Any]:
    return {"flips": KNOWN[recipe].flips} if recipe in KNOWN else {}


def _plan(seen: Fingerprint, given: dict[str, Any]) -> SegmentationPlan:
    budget = Budget(**{k: given.pop(k) for k in ("voxels", "width") if k in given})
    asked = ("spacing_mm", "patch", "kind", "norm")
    wanted = Wanted(**{k: given.pop(k) for k in asked if k in given})
    try:
        return replace(plan_for(seen, budget, wanted), **given)
    except ValueError as why:
        raise InputError(f"no plan: {why}") from why


_PLAN_KEYS: Readers = {
    "patch": sides,
    "spacing_mm": numbers,
    "voxels": int,
    "width": int,
    "kind": Kind,
    "norm": Norm,
    "flips": axes,
    "overlap": float,
}
