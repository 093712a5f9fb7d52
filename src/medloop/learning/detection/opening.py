"""From a folder of images with boxes to a task that can be trained."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medloop.core.errors import InputError
from medloop.learning.data.description import Balls, CaseSource, Dataset, Shapes, Task
from medloop.learning.data.recognize import open_dataset
from medloop.learning.data.survey import NO_OBJECT, Problem, Severity
from medloop.learning.detection.batches import load_cases
from medloop.learning.detection.fingerprint import Fingerprint, fingerprint
from medloop.learning.detection.planning import Budget, Wanted, plan_for
from medloop.learning.detection.recipe import DetectionRecipe
from medloop.learning.detection.task import DetectionTask
from medloop.learning.opening import (
    Count,
    Readers,
    axes,
    checked,
    dealt,
    divided,
    folds_of,
    numbers,
    require_task,
    sides,
)
from medloop.learning.recipes import overruled
from medloop.models.architecture import Norm
from medloop.models.detection_plan import DetectionPlan, what_is_wrong

RECIPES = ("detection",)


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A data set that was checked, dealt into folds and planned for."""

    dataset: Dataset
    sources: tuple[CaseSource, ...]
    fold_of: Mapping[str, int]
    fingerprint: Fingerprint
    recipe: DetectionRecipe
    problems: tuple[Problem, ...]


def plan_detection(
    name: str,
    data: Path,
    settings: Mapping[str, str],
    *,
    report: Count = lambda _done, _all: None,
) -> Planned:
    """Recognize, check, divide and plan for the data of a detection.

    `settings` overrules fields of the recipe, and of its plan: ``patch`` (``64x96x96``),
    ``spacing`` (``2.5x1x1``, of pictures in pixels), ``voxels`` and ``width`` (of the budget),
    ``norm``, ``flips`` (``0,2``), ``overlap``, ``least_score``, ``most_marks`` and
    ``most_overlap``.

    Raises
    ------
    InputError
        If a setting is unknown or wrong, or the data are none for a detection.
    DataProblemsError
        If a case is wrong.
    """
    dataset = _as_objects(open_dataset(data))
    require_task(dataset, Task.DETECTION)
    facts, problems = checked(dataset, report)
    seen = fingerprint(dataset, dataset.trainable, report=report)
    asked, rest = divided(settings, _PLAN_KEYS)
    plan = replace(_plan(seen, asked), numbers=dataset.numbers)
    recipe = DetectionRecipe(name, plan)
    recipe = overruled(recipe, rest, also=tuple(_PLAN_KEYS))
    sources, fold_of = dealt(dataset, facts, recipe.of_folds)
    return Planned(dataset, sources, fold_of, seen, recipe, _in_short(dataset, problems))


def open_detection(
    planned: Planned, work: Path, *, report: Count = lambda _done, _all: None
) -> DetectionTask:
    """Prepare every case in `work`, or find it there."""
    recipe = planned.recipe
    cases = load_cases(planned.dataset, planned.sources, recipe.plan, work / "cases", report)
    folds = folds_of(planned.fold_of, planned.sources)
    return DetectionTask(recipe, planned.dataset, planned.sources, folds, cases)


def _as_objects(dataset: Dataset) -> Dataset:
    """Take objects with outlines for their boxes."""
    labels = [case.label for case in dataset.cases if case.label is not None]
    if labels and all(isinstance(label, Shapes | Balls) for label in labels):
        return replace(dataset, task=Task.DETECTION)
    return dataset


def _in_short(dataset: Dataset, problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Say in one line how many cases have no object: it is no fault of theirs."""
    told = tuple(problem for problem in problems if problem.text != NO_OBJECT)
    empty = len(problems) - len(told)
    if not empty:
        return told
    text = f"{empty} of {len(dataset.cases)} cases have no object"
    return (*told, Problem(Severity.WARNING, dataset.name, text))


def _plan(seen: Fingerprint, given: dict[str, Any]) -> DetectionPlan:
    budget = Budget(**{k: given.pop(k) for k in ("voxels", "width") if k in given})
    asked = ("spacing", "patch", "norm")
    wanted = Wanted(**{k: given.pop(k) for k in asked if k in given})
    try:
        plan = replace(plan_for(seen, budget, wanted), **given)
    except ValueError as why:
        raise InputError(f"no plan: {why}") from why
    if wrong := what_is_wrong(plan):
        raise InputError(f"no plan: {wrong}")
    return plan


_PLAN_KEYS: Readers = {
    "patch": sides,
    "spacing": numbers,
    "voxels": int,
    "width": int,
    "norm": Norm,
    "flips": axes,
    "overlap": float,
    "least_score": float,
    "most_marks": int,
    "most_overlap": float,
}
