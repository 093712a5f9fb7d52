"""From a folder of labelled images, or a MedMNIST file, to a task that can be trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from medloop.core.errors import InputError
from medloop.learning.affordable import affordable
from medloop.learning.classification.batches import load_images
from medloop.learning.classification.fingerprint import Fingerprint, class_of, fingerprint
from medloop.learning.classification.planning import Wanted, epochs_for, plan_for
from medloop.learning.classification.recipe import ClassificationRecipe
from medloop.learning.classification.task import ClassificationTask
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
    recognized,
    sides,
)
from medloop.learning.recipes import overruled
from medloop.models.architecture import Kind

MEDMNIST = "medmnist"
RECIPES = ("classification", MEDMNIST)


@dataclass(frozen=True, slots=True)
class Known:
    """What a MedMNIST file does not say of itself; without names, classes keep their number.

    `trained` are the settings of the recipe that other pictures than these do not have.
    """

    classes: tuple[str, ...] = ()
    ordinal: bool = False
    flips: tuple[int, ...] = (1,)
    trained: Mapping[str, Any] = field(default_factory=dict)


# By the beginning of the file's name; names and order as MedMNIST's authors give them.
KNOWN: Mapping[str, Known] = {
    "breastmnist": Known(("malignant", "normal or benign")),
    "pneumoniamnist": Known(("normal", "pneumonia")),
    # few, and graded by few: what ImageNet taught is hardly to be bettered
    "retinamnist": Known(
        ordinal=True, flips=(0, 1), trained={"epochs": 8, "rate": 1e-4, "balance": 0.0}
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A data set that was checked, dealt into folds and planned for."""

    dataset: Dataset
    sources: tuple[CaseSource, ...]
    fold_of: Mapping[str, int]
    fingerprint: Fingerprint
    recipe: ClassificationRecipe
    problems: tuple[Problem, ...]


def plan_classification(
    name: str,
    data: Path,
    settings: Mapping[str, str],
    *,
    report: Count = lambda _done, _all: None,
) -> Planned:
    """Recognize, check, divide and plan for the data of a classification.

    `settings` overrules fields of the recipe, and of its plan: ``size`` (``128x128``), ``kind``
    and ``variant`` and ``dropout`` (of the network), ``ordinal`` (``true`` where classes are
    grades) and ``flips`` (``0,1``: axes along which mirror images are as good).

    Raises
    ------
    InputError
        If a setting is unknown or wrong, or the data are none for a classification.
    DataProblemsError
        If a case is wrong.
    """
    dataset, known = _known(name, recognized(data, Task.CLASSIFICATION))
    if dataset.findings:
        count = len(dataset.findings)
        raise InputError(f"{dataset.name} gives a case {count} labels; one class is learnt")
    facts, problems = checked(dataset, report)
    asked, rest = divided(settings, _PLAN_KEYS)
    seen = fingerprint(dataset, dataset.trainable, report=report)
    recipe = replace(_recipe(name, seen, _wanted(known, asked)), **known.trained)
    recipe = overruled(recipe, rest, also=tuple(_PLAN_KEYS))
    if not 0 <= recipe.smoothing < 1:
        raise InputError(f"setting smoothing={recipe.smoothing} outside 0 ... 1")
    recipe = affordable(recipe)
    sources, fold_of = dealt(dataset, facts, recipe.of_folds)
    return Planned(dataset, sources, fold_of, seen, recipe, problems)


def open_classification(
    planned: Planned, work: Path, *, report: Count = lambda _done, _all: None
) -> ClassificationTask:
    """Prepare every case in `work`, or find it there."""
    recipe = planned.recipe
    images = load_images(planned.sources, recipe.plan, work / "cases", report)
    folds = folds_of(planned.fold_of, planned.sources)
    classes = np.array([class_of(planned.dataset, source) for source in planned.sources])
    return ClassificationTask(recipe, planned.dataset, planned.sources, folds, classes, images)


def _known(recipe: str, dataset: Dataset) -> tuple[Dataset, Known]:
    """Name the classes of a MedMNIST file by its name."""
    found = [known for start, known in KNOWN.items() if dataset.name.startswith(start)]
    if recipe != MEDMNIST or not found:
        return dataset, Known(flips=())
    known = found[0]
    if len(known.classes) != len(dataset.classes):
        return dataset, known
    values = dataset.classes.values()
    named = dict(zip(known.classes, values, strict=True))
    return replace(dataset, classes=named), known


def _wanted(known: Known, given: dict[str, Any]) -> Wanted:
    return replace(Wanted(ordinal=known.ordinal, flips=known.flips or None), **given)


def _recipe(name: str, seen: Fingerprint, wanted: Wanted) -> ClassificationRecipe:
    try:
        plan = plan_for(seen, wanted)
    except ValueError as why:
        raise InputError(f"a setting of the plan is wrong: {why}") from why
    return ClassificationRecipe(name, plan, epochs=epochs_for(sum(seen.cases)))


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


_PLAN_KEYS: Readers = {
    "size": sides,
    "kind": Kind,
    "variant": str,
    "dropout": float,
    "ordinal": _truth,
    "flips": axes,
}
