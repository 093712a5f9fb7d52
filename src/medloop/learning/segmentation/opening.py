"""From a folder of labelled images to a task that can be trained."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medloop.core.errors import InputError, SettingError
from medloop.learning.affordable import affordable
from medloop.learning.data.description import CaseSource, Dataset, Task
from medloop.learning.data.openkbp import ORGANS
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
from medloop.learning.segmentation.fingerprint import Fingerprint, fingerprint
from medloop.learning.segmentation.planning import Budget, Wanted, plan_for
from medloop.learning.segmentation.prepared import load_cases
from medloop.learning.segmentation.recipe import ALL, SegmentationRecipe
from medloop.learning.segmentation.task import SegmentationTask
from medloop.models.architecture import Kind, Norm
from medloop.models.segmentation_plan import SegmentationPlan


@dataclass(frozen=True, slots=True)
class Known:
    """What the data of a recipe do not say of themselves, and the settings it trains with."""

    channels: tuple[str, ...]
    classes: tuple[str, ...]
    settings: Mapping[str, str]


KNOWN: Mapping[str, Known] = {
    "hippocampus": Known(("T1",), ("anterior", "posterior"), {"epochs": "50"}),
    "head_neck_oars": Known(
        ("CT",),
        ORGANS,
        {
            "spacing_mm": "2.5x3.9x3.9",
            "patch": "48x48x48",
            "width": "24",
            "widest": "192",
            "mirror": "2",
            "exchanged": "3-4",
            "flips": "",
            "filled": "0.3",
            "hidden": "0.1",
            "foreground": "0.8",
            "epochs": "48",
        },
    ),
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
    ``spacing_mm`` (``1x1x3``), ``voxels``, ``width`` and ``widest`` (of the budget), ``kind``
    and ``norm`` (of the network), ``flips`` (``0,2``: mirror images that are answered; those of
    ``mirror`` where it is given), ``exchanged`` (``3-4``: labels that are each other's mirror
    image) and ``overlap``.

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
    settings = {**(KNOWN[name].settings if name in KNOWN else {}), **settings}
    asked, rest = divided(settings, _PLAN_KEYS)
    asked = _answered_as_shown(settings.get("mirror", ALL)) | asked
    recipe = SegmentationRecipe(name, _plan(seen, asked))
    recipe = overruled(recipe, rest, also=tuple(_PLAN_KEYS))
    _mirrored(recipe)
    recipe = affordable(recipe, lambda most: _plan(seen, asked | {"voxels": most}))
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


def _answered_as_shown(mirror: str) -> dict[str, Any]:
    """Answer the mirror images that training shows, where only these were named."""
    return {} if mirror == ALL else {"flips": _axes(mirror)}


def _mirrored(recipe: SegmentationRecipe) -> None:
    """Refuse axes that the patches do not have."""
    dims = len(recipe.plan.patch)
    if recipe.mirror != ALL and any(not 0 <= n < dims for n in _axes(recipe.mirror)):
        raise SettingError(f"setting mirror={recipe.mirror} names an axis beyond {dims}")


def _axes(text: str) -> tuple[int, ...]:
    try:
        return axes(text)
    except ValueError as why:
        raise SettingError(f"setting mirror={text!r} is no list of axes such as 0,2") from why


def _plan(seen: Fingerprint, asked: Mapping[str, Any]) -> SegmentationPlan:
    given = dict(asked)
    budget = Budget(**{k: given.pop(k) for k in ("voxels", "width", "widest") if k in given})
    first = ("spacing_mm", "patch", "kind", "norm")
    wanted = Wanted(**{k: given.pop(k) for k in first if k in given})
    try:
        return replace(plan_for(seen, budget, wanted), **given)
    except ValueError as why:
        raise InputError(f"no plan: {why}") from why


def _pairs(text: str) -> tuple[tuple[int, int], ...]:
    """Read ``3-4,5-6``."""
    read = [tuple(int(n) for n in pair.split("-")) for pair in text.split(",") if pair.strip()]
    return tuple((a, b) for a, b in read)


_PLAN_KEYS: Readers = {
    "patch": sides,
    "spacing_mm": numbers,
    "voxels": int,
    "width": int,
    "widest": int,
    "kind": Kind,
    "norm": Norm,
    "flips": axes,
    "exchanged": _pairs,
    "overlap": float,
}
