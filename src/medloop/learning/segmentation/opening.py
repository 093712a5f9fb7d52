"""From a folder of labelled images to a task that can be trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from medloop.core.errors import InputError
from medloop.learning.data.check import problems_of
from medloop.learning.data.description import CaseSource, Dataset, Task
from medloop.learning.data.recognize import open_dataset
from medloop.learning.data.split import make_split
from medloop.learning.data.survey import Problem, Severity, survey
from medloop.learning.recipes import overruled
from medloop.learning.segmentation.batches import load_cases
from medloop.learning.segmentation.fingerprint import Count, Fingerprint, fingerprint
from medloop.learning.segmentation.planning import Budget, Wanted, plan_for
from medloop.learning.segmentation.recipe import SegmentationRecipe
from medloop.learning.segmentation.task import SegmentationTask
from medloop.models.architecture import Kind, Norm
from medloop.models.segmentation_plan import SegmentationPlan

# What a recipe's data show, where they do not say it themselves: channels, classes.
SHOWN: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "hippocampus": (("T1",), ("anterior", "posterior")),
}
RECIPES = ("segmentation", *SHOWN)
_FOLDS_SEED = 0  # folds do not change with the seed of the weights


class DataProblemsError(InputError):
    """The data cannot be trained on; `problems` says why, each with its file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        errors = [each for each in problems if each.severity is Severity.ERROR]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{errors[0]}{more}")
        self.problems = problems


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
    dataset = _named(name, open_dataset(data))
    if dataset.task is not Task.SEGMENTATION:
        raise InputError(f"{dataset.name}: {dataset.layout} is for {dataset.task}")
    facts = survey(dataset, progress=report)
    problems = problems_of(dataset, facts)
    if any(each.severity is Severity.ERROR for each in problems):
        raise DataProblemsError(problems)
    known = {case.name for case in dataset.trainable}
    seen = fingerprint(
        dataset,
        [case for case in dataset.cases if case.name in known],
        report=report,
    )
    plan = _plan(seen, {k: v for k, v in settings.items() if k in _PLAN_KEYS})
    rest = {k: v for k, v in settings.items() if k not in _PLAN_KEYS}
    recipe = overruled(SegmentationRecipe(name, plan), rest, also=tuple(_PLAN_KEYS))
    split = make_split(dataset, facts, folds=recipe.of_folds, seed=_FOLDS_SEED)
    sources = tuple(case for case in dataset.cases if case.name in split.fold_of)
    return Planned(dataset, sources, split.fold_of, seen, recipe, problems)


def open_segmentation(
    planned: Planned, work: Path, *, report: Count = lambda _done, _all: None
) -> SegmentationTask:
    """Prepare every case in `work`, or find it there."""
    kept = work / "cases"
    recipe = planned.recipe
    prepared = load_cases(planned.dataset, planned.sources, recipe.plan, kept, report)
    folds = np.array([planned.fold_of[source.name] for source in planned.sources])
    return SegmentationTask(recipe, planned.dataset, planned.sources, folds, prepared)


def _named(recipe: str, dataset: Dataset) -> Dataset:
    """Name channels and classes as the recipe does; `InputError` if there are others."""
    channels, classes = SHOWN.get(recipe, (dataset.channels, tuple(dataset.classes)))
    if len(channels) != len(dataset.channels) or len(classes) != len(dataset.classes):
        raise InputError(
            f"recipe {recipe} is for channels {', '.join(channels)} and classes"
            f" {', '.join(classes)}; {dataset.describe()}"
        )
    values = dataset.classes.values()
    return replace(dataset, channels=channels, classes=dict(zip(classes, values, strict=True)))


def _plan(seen: Fingerprint, settings: Mapping[str, str]) -> SegmentationPlan:
    try:
        given: dict[str, Any] = {k: _PLAN_KEYS[k](text) for k, text in settings.items()}
    except ValueError as why:
        raise InputError(f"a setting of the plan is wrong: {why}") from why
    budget = Budget(**{k: given.pop(k) for k in ("voxels", "width") if k in given})
    asked = ("spacing_mm", "patch", "kind", "norm")
    wanted = Wanted(**{k: given.pop(k) for k in asked if k in given})
    try:
        return replace(plan_for(seen, budget, wanted), **given)
    except ValueError as why:
        raise InputError(f"no plan: {why}") from why


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split("x"))


def _sides(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("x"))


def _axes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part.strip())


_PLAN_KEYS: Mapping[str, Callable[[str], object]] = {
    "patch": _sides,
    "spacing_mm": _numbers,
    "voxels": int,
    "width": int,
    "kind": Kind,
    "norm": Norm,
    "flips": _axes,
    "overlap": float,
}
