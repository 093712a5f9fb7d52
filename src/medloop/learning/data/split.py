"""Folds by patient, stratified, stored: the same cases meet again, or are named."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.learning.data.check import alike
from medloop.learning.data.description import TEST, CaseSource, Dataset, Grades
from medloop.learning.data.listing import read_json
from medloop.learning.data.survey import Facts
from medloop.learning.folds import stratified_folds

_SCHEMA: Final = "medloop.split/1"
_MOST_NAMED: Final = 5
_PARTS: Final = 3  # of the range of volumes within a stratum


@dataclass(frozen=True, slots=True)
class Split:
    """Which fold each case is held out in.

    Attributes
    ----------
    fold_of
        Fold, from 0, of each case that is trained on.
    held_out
        Cases that no fold trains on: the test part, copies of its pictures, its patients, and
        cases without a label or that cannot be read.
    digests
        Hash of the pixels and label of each case in a fold.
    """

    dataset: str
    seed: int
    folds: int
    fold_of: Mapping[str, int]
    held_out: tuple[str, ...]
    digests: Mapping[str, str]

    def training(self, fold: int) -> tuple[str, ...]:
        """Return the cases that `fold` trains on."""
        return tuple(name for name, held in self.fold_of.items() if held != fold)

    def validation(self, fold: int) -> tuple[str, ...]:
        """Return the cases that `fold` is measured on."""
        return tuple(name for name, held in self.fold_of.items() if held == fold)


def make_split(dataset: Dataset, facts: Sequence[Facts], *, folds: int, seed: int) -> Split:
    """Deal patients into folds, stratified by class, or by what labels hold and how much.

    Cases of one patient, and cases with the same pixels, share a fold. The same data and seed
    give the same folds.

    Raises
    ------
    InputError
        If there are fewer patients than folds.
    """
    known = {each.case: each for each in facts}
    group = _groups(dataset.cases, facts)
    tested = {group[case.name] for case in dataset.cases if case.split == TEST}
    usable = [
        case
        for case in dataset.trainable
        if group[case.name] not in tested and known[case.name].label
    ]
    groups = np.array([group[case.name] for case in usable], int)
    if folds < 2 or len(np.unique(groups)) < folds:
        raise InputError(
            f"{len(np.unique(groups))} patients do not make {folds} folds of one or more"
        )
    strata = _strata(usable, known)
    fold = stratified_folds(groups, strata, folds=folds, seed=seed)
    fold_of = {case.name: int(f) for case, f in zip(usable, fold, strict=True)}
    return Split(
        dataset.name,
        seed,
        folds,
        fold_of,
        tuple(case.name for case in dataset.cases if case.name not in fold_of),
        {name: _digest(known[name]) for name in fold_of},
    )


def write_split(split: Split, path: Path) -> None:
    """Store a split as JSON."""
    text = json.dumps({"schema": _SCHEMA, **asdict(split)}, indent=1)
    hidden = path.with_name(f".{path.name}")
    hidden.write_text(text + "\n", encoding="utf-8")
    hidden.replace(path)


def read_split(path: Path, facts: Sequence[Facts]) -> Split:
    """Read a stored split for data that have not changed since.

    Raises
    ------
    InputError
        If the file is damaged, or cases were changed, removed or added; names them.
    """
    data = read_json(path)
    try:
        if data["schema"] != _SCHEMA:
            raise InputError(f"{path.name} has schema {data['schema']}, not {_SCHEMA}")
        split = Split(
            str(data["dataset"]),
            int(str(data["seed"])),
            int(str(data["folds"])),
            {str(k): int(v) for k, v in _mapping(data["fold_of"]).items()},
            tuple(str(name) for name in _list(data["held_out"])),
            {str(k): str(v) for k, v in _mapping(data["digests"]).items()},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path.name} is no split: {type(error).__name__} {error}") from error
    _compare(split, facts, path)
    return split


def _compare(split: Split, facts: Sequence[Facts], path: Path) -> None:
    now = {each.case: _digest(each) for each in facts}
    known = set(split.fold_of) | set(split.held_out)
    changes = {
        "changed": [n for n, digest in split.digests.items() if now.get(n, digest) != digest],
        "removed": sorted(known - set(now)),
        "added": sorted(set(now) - known),
    }
    told = [f"{_named(names)} {word}" for word, names in changes.items() if names]
    if told:
        raise InputError(f"data are not those of {path.name}: {'; '.join(told)}")


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _digest(facts: Facts) -> str:
    return f"{facts.pixels[:32]}.{facts.label[:32]}"


def _groups(cases: Sequence[CaseSource], facts: Sequence[Facts]) -> Mapping[str, int]:
    """Give cases one number that share a patient or pixels, directly or by others."""
    parent = {case.name: case.name for case in cases}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    first: dict[str, str] = {}
    for case in cases:
        parent[root(case.name)] = root(first.setdefault(case.patient, case.name))
    for group in alike(facts).values():
        for copy in group[1:]:
            parent[root(copy.case)] = root(group[0].case)
    number: dict[str, int] = {}
    return {name: number.setdefault(root(name), len(number)) for name in parent}


def _strata(cases: Sequence[CaseSource], known: Mapping[str, Facts]) -> list[tuple[int, ...]]:
    """Return the class, or which classes occur and in which third of volumes; then the site."""
    sites = sorted({case.site for case in cases})
    values = sorted({value for case in cases for value in known[case.name].counts})
    kinds = []
    for case in cases:
        if isinstance(case.label, Grades):
            kinds.append(case.label.values)
        else:
            kinds.append(tuple(int(v in known[case.name].counts) for v in values))
    third = _thirds(kinds, [_amount(known[case.name]) for case in cases])
    return [
        (*kind, int(part), sites.index(case.site))
        for case, kind, part in zip(cases, kinds, third, strict=True)
    ]


def _thirds(kinds: Sequence[tuple[int, ...]], amounts: Sequence[float]) -> Int[ndarray, " n"]:
    """Return the third that each amount belongs to among those of its kind."""
    third = np.zeros(len(kinds), int)
    for kind in set(kinds):
        members = np.array([n for n, other in enumerate(kinds) if other == kind])
        order = np.argsort([amounts[n] for n in members], kind="stable")
        if amounts[members[order[0]]] < amounts[members[order[-1]]]:
            third[members[order]] = np.arange(len(members)) * _PARTS // len(members)
    return third


def _amount(facts: Facts) -> float:
    voxel = float(np.prod(facts.spacing_mm)) if facts.spacing_mm else 1.0
    return sum(facts.counts.values()) * voxel


def _mapping(value: object) -> Mapping[str, int | str]:
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value


def _list(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value
