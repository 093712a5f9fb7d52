"""What any data set passes on its way to a training: check, division, settings, description."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.learning.card import Purpose
from medloop.learning.data.check import problems_of
from medloop.learning.data.description import CaseSource, Dataset, Task
from medloop.learning.data.recognize import open_dataset
from medloop.learning.data.split import make_split
from medloop.learning.data.survey import Facts, Problem, Severity, survey

Count = Callable[[int, int], None]  # cases done, of all
Readers = Mapping[str, Callable[[str], object]]  # how each setting of a plan is read

_FOLDS_SEED = 0  # folds do not change with the seed of the weights


class DataProblemsError(InputError):
    """The data cannot be trained on; `problems` says why, each with its file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        errors = [each for each in problems if each.severity is Severity.ERROR]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{errors[0]}{more}")
        self.problems = problems


def recognized(data: Path, task: Task) -> Dataset:
    """Recognize a folder, or file, of data for `task`.

    Raises
    ------
    InputError
        If it is none that is known, or is for something else.
    """
    dataset = open_dataset(data)
    require_task(dataset, task)
    return dataset


def require_task(dataset: Dataset, task: Task) -> None:
    """Refuse data whose labels ask for something else; `InputError` says what for."""
    if dataset.task is not task:
        raise InputError(f"{dataset.name}: {dataset.layout} is for {dataset.task}")


def checked(dataset: Dataset, report: Count) -> tuple[tuple[Facts, ...], tuple[Problem, ...]]:
    """Read every case; what is left of problems are warnings.

    Raises
    ------
    DataProblemsError
        If a case is wrong.
    """
    facts = survey(dataset, progress=report)
    problems = problems_of(dataset, facts)
    if any(each.severity is Severity.ERROR for each in problems):
        raise DataProblemsError(problems)
    return facts, problems


def dealt(
    dataset: Dataset, facts: Sequence[Facts], folds: int
) -> tuple[tuple[CaseSource, ...], Mapping[str, int]]:
    """Deal the cases to train on into folds; they come in the data's order.

    Raises
    ------
    InputError
        If there are fewer patients than folds.
    """
    split = make_split(dataset, facts, folds=folds, seed=_FOLDS_SEED)
    return tuple(c for c in dataset.cases if c.name in split.fold_of), split.fold_of


def divided(
    settings: Mapping[str, str], readers: Readers
) -> tuple[dict[str, Any], Mapping[str, str]]:
    """Read the settings of a plan; return them, and those that are not of a plan.

    Raises
    ------
    InputError
        If a setting cannot be read.
    """
    rest = {key: text for key, text in settings.items() if key not in readers}
    try:
        read = {k: readers[k](text) for k, text in settings.items() if k in readers}
    except (KeyError, ValueError) as why:
        raise InputError(f"a setting of the plan is wrong: {why}") from why
    return read, rest


def sides(text: str) -> tuple[int, ...]:
    """Read ``40x56x40``."""
    return tuple(int(part) for part in text.split("x"))


def numbers(text: str) -> tuple[float, ...]:
    """Read ``1x1x2.5``."""
    return tuple(float(part) for part in text.split("x"))


def axes(text: str) -> tuple[int, ...]:
    """Read ``0,2``; nothing is no axis."""
    return tuple(int(part) for part in text.split(",") if part.strip())


def names_of(sources: Sequence[CaseSource]) -> tuple[str, ...]:
    """Names of the cases, in order."""
    return tuple(source.name for source in sources)


def folds_of(planned: Mapping[str, int], sources: Sequence[CaseSource]) -> Int[ndarray, " n"]:
    """Fold of each case, in order."""
    return np.array([planned[source.name] for source in sources])


def require_folds(count: int, planned: int) -> None:
    """Refuse another number of folds than the cases were dealt into.

    Raises
    ------
    ValueError
        If it is another.
    """
    if count != planned:
        raise ValueError(f"the cases are in {planned} folds, not {count}")


def purpose_for(
    dataset: Dataset, cases: int, *, title: str, answer: str, classes: Mapping[str, str]
) -> Purpose:
    """Say what can be said of a bundle for any data: what it was shown, and no more.

    `answer` is what it gives, such as "labels of spleen in images".
    """
    return Purpose(
        title=title,
        intended_use=(
            f"Research: {answer} like those of {dataset.name}, looked at by a qualified person."
        ),
        not_for=(
            "diagnosis, treatment or any decision about a patient before validation for it",
            "images of another kind, region or resolution than those it was trained on",
        ),
        training_data=f"{dataset.name} ({dataset.layout}), {cases} labelled cases",
        cases=cases,
        license="that of the data",
        limits=("measured on held-out cases of the same data only: expect less elsewhere",),
        classes=classes,
    )
