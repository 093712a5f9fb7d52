"""Which labelled cases a bundle is measured on, and what speaks against it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int, Shaped
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.learning.data.description import CaseSource, Dataset, Shapes, Task
from medloop.learning.data.recognize import open_dataset
from medloop.learning.evaluating.parts import groups_of
from medloop.models.bundle import Bundle

Count = Callable[[int, int], None]  # cases done, of all
_FEW = 10  # cases below which an interval means little
_COLORS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Cases to measure on; `groups` names the group of each case, by column."""

    dataset: Dataset
    cases: tuple[CaseSource, ...]
    split: str | None
    groups: Mapping[str, tuple[str, ...]]
    warnings: tuple[str, ...] = ()

    def without(self, dropped: Sequence[int]) -> "Chosen":
        """Leave out cases by number."""
        gone = set(dropped)
        kept = [n for n in range(len(self.cases)) if n not in gone]
        return Chosen(
            self.dataset,
            tuple(self.cases[n] for n in kept),
            self.split,
            {column: tuple(of[n] for n in kept) for column, of in self.groups.items()},
            self.warnings,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the cases."""
        return tuple(case.name for case in self.cases)

    @property
    def patients(self) -> int:
        """How many patients there are, as far as the data name them."""
        return len({case.patient for case in self.cases})

    @property
    def clusters(self) -> Int[ndarray, " n"] | None:
        """Number of each case's patient; None where each case is another one's."""
        if self.patients == len(self.cases):
            return None
        return np.unique([case.patient for case in self.cases], return_inverse=True)[1]


def choose(
    bundle: Bundle, data: Path, task: Task, *, split: str | None, by: Sequence[str]
) -> Chosen:
    """Recognize the data, and take the labelled cases of a part of them.

    `split` names a part that the data state (``test``), or a fold of the bundle's training
    (``fold0``).

    Raises
    ------
    InputError
        If the data are for something else, there is no such part, or no such column.
    """
    dataset = open_dataset(data)
    labels = [case.label for case in dataset.cases if case.label is not None]
    if task is Task.DETECTION and labels and all(isinstance(x, Shapes) for x in labels):
        dataset = replace(dataset, task=task)  # outlines have boxes, too
    if dataset.task is not task:
        raise InputError(
            f"{dataset.name}: {dataset.layout} is for {dataset.task}; bundle {bundle.name} is"
            f" for {task}"
        )
    trained = split_of(bundle)
    cases = _of_part([c for c in dataset.cases if c.label is not None], trained, split)
    groups, remarks = groups_of(cases, data, by)
    known = sum(case.name in trained for case in cases)
    return Chosen(
        dataset, cases, split, groups, (*flattery(known, len(cases)), *remarks, *_few(cases))
    )


def flattery(known: int, cases: int, unit: str = "cases") -> tuple[str, ...]:
    """Warn of cases that the bundle was made with."""
    if known == 0:
        return ()
    return (
        f"{known} of {cases} {unit} have names of {unit} this bundle was made"
        " with: these figures flatter it; its card has figures out of fold",
    )


def split_of(bundle: Bundle) -> Mapping[str, int]:
    """Name the cases a bundle was made with, and the fold of each.

    Raises
    ------
    InputError
        If the list is damaged.
    """
    path = bundle.folder / "folds" / "split.json"
    if not path.is_file():
        return {}
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): int(fold) for name, fold in raw.items()}
    except (AttributeError, TypeError, ValueError) as why:
        raise InputError(f"{path} is no division into folds: {type(why).__name__}") from why


def match_classes(
    classes: Sequence[str], dataset: Dataset, bundle: str
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return which of a bundle's classes each class of the data is, and warnings.

    By name where the bundle knows all names of the data; else in order.

    Raises
    ------
    InputError
        If neither fits.
    """
    ours = [name.strip().lower() for name in classes]
    theirs = [name.strip().lower() for name in dataset.classes]
    if set(theirs) <= set(ours):
        return tuple(ours.index(name) for name in theirs), ()
    if len(ours) != len(theirs):
        raise InputError(
            f"{dataset.name} has {len(theirs)} classes ({', '.join(dataset.classes)}), bundle"
            f" {bundle} {len(ours)} ({', '.join(classes)}), and the names do not tell which is"
            " which"
        )
    if all(name.isdigit() for name in (*ours, *theirs)) or not any(map(str.isalpha, theirs)):
        return tuple(range(len(ours))), ()
    pairs = ", ".join(f"{a} as {b}" for a, b in zip(dataset.classes, classes, strict=True))
    return tuple(range(len(ours))), (f"classes were matched by order, not by name: {pairs}",)


def class_number(dataset: Dataset, value: int) -> int:
    """Return the number of the class that a value stands for, 0 for the first.

    Raises
    ------
    InputError
        If it is none.
    """
    for number, values in enumerate(dataset.classes.values()):
        if value in values:
            return number
    raise InputError(f"value {value} is of no class of {dataset.name}")


def fitted(image: Shaped[ndarray, "c ..."], channels: int) -> Shaped[ndarray, "c ..."]:
    """Show a gray picture to a network of color, and a colorless one to a network of gray."""
    if image.ndim == _COLORS and len(image) == 1 and channels == _COLORS:
        return np.repeat(image, channels, axis=0)
    if image.ndim == _COLORS and len(image) == _COLORS and channels == 1:
        return image[:1] if (image == image[:1]).all() else image
    return image


def _of_part(
    cases: Sequence[CaseSource], trained: Mapping[str, int], split: str | None
) -> tuple[CaseSource, ...]:
    if split is None:
        found = tuple(cases)
    else:
        folds = {f"fold{n}": n for n in sorted(set(trained.values()))}
        parts = sorted({case.split for case in cases if case.split})
        if split in parts:
            found = tuple(case for case in cases if case.split == split)
        elif split in folds:
            found = tuple(case for case in cases if trained.get(case.name) == folds[split])
        else:
            known = ", ".join((*parts, *folds)) or "none"
            raise InputError(f"there is no part {split!r}; the parts are: {known}")
    if not found:
        where = f" in {split}" if split else ""
        raise InputError(f"the data hold no labelled case{where}")
    return found


def _few(cases: Sequence[CaseSource]) -> tuple[str, ...]:
    if len(cases) >= _FEW:
        return ()
    plural = "case" if len(cases) == 1 else "cases"
    return (f"{len(cases)} {plural}: intervals of so few mean little",)
