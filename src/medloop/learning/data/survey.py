"""Every case read once: what its pixels and its label hold, and what is wrong with them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.learning.data.description import (
    TEST,
    Balls,
    Bits,
    CaseSource,
    Dataset,
    Grades,
    Kind,
    Mask,
    Shapes,
    Task,
)
from medloop.learning.data.labels import Boxes, read_boxes, read_mask
from medloop.learning.data.pixels import Image, read_image

Progress = Callable[[int, int], None]
NO_OBJECT: Final = "no object is labelled"
_MOST_NAMED: Final = 6


class Severity(StrEnum):
    """Whether training can go on."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and in which file; `file` is relative to the data set's folder."""

    severity: Severity
    file: str
    text: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.file}: {self.text}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What reading a case found.

    Attributes
    ----------
    pixels, label
        SHA-256 of the values (and shape) of the image and of the label; empty where unread.
    shape
        Of the image, without channels.
    spacing_mm
        Between voxels along k, j, i; None for pictures.
    counts
        Voxels of each value in a mask, or objects of each class; background is not counted.
    """

    case: str
    pixels: str = ""
    label: str = ""
    shape: tuple[int, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None
    counts: Mapping[int, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the data set declares that one case must obey."""

    root: Path
    task: Task
    kind: Kind
    channels: int
    values: frozenset[int]
    ignored: int | None
    findings: int


def survey(
    dataset: Dataset, *, workers: int = 1, progress: Progress | None = None
) -> tuple[Facts, ...]:
    """Read every case; none raises for bad data.

    Parameters
    ----------
    workers
        Processes to read in; more than 1 start new interpreters, so a script that asks for
        them needs ``if __name__ == "__main__"``.
    progress
        Is told how many cases are done, of how many.
    """
    rules = _Rules(
        dataset.root,
        dataset.task,
        dataset.kind,
        len(dataset.channels),
        frozenset(value for values in dataset.classes.values() for value in values),
        dataset.ignored,
        len(dataset.findings) or 1,
    )
    total = len(dataset.cases)
    each = [rules] * total
    if workers <= 1:
        return _collect(map(inspect, dataset.cases, each), total, progress)
    size = max(1, min(64, total // (4 * workers)))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        results = pool.map(inspect, dataset.cases, each, chunksize=size)
        return _collect(results, total, progress)


def inspect(case: CaseSource, rules: _Rules) -> Facts:
    """Read one case and say what it holds."""
    try:
        image = read_image(case)
    except InputError as error:
        return Facts(case.name, problems=(_of_image(case, rules, str(error)),))
    problems = _image_problems(case, image, rules)
    digest, counts, more = _label(case, image, rules)
    return Facts(
        case.name,
        digest_of(image.array),
        digest,
        image.array.shape[1:],
        image.grid.spacing_mm if image.grid is not None else None,
        counts,
        tuple(problems + more),
    )


def digest_of(array: ndarray) -> str:
    """Return a hash of values and shape that does not depend on how numbers are stored."""
    plain = np.ascontiguousarray(array, "<f4")
    return hashlib.sha256(str(plain.shape).encode() + plain.data).hexdigest()


def file_of(case: CaseSource, root: Path, path: Path | None = None) -> str:
    """Name a file of a case as a person would: below the data set's folder."""
    channel = case.channels[0]
    path = path or channel.path
    name = str(path.relative_to(root)) if path.is_relative_to(root) else path.name
    return f"{name} {case.name}" if channel.member else name


def _collect(
    results: Iterable[Facts], total: int, progress: Progress | None
) -> tuple[Facts, ...]:
    found: list[Facts] = []
    for facts in results:
        found.append(facts)
        if progress is not None:
            progress(len(found), total)
    return tuple(found)


def _of_image(case: CaseSource, rules: _Rules, text: str) -> Problem:
    for channel in case.channels:
        if text.startswith(f"{channel.path.name}: "):
            rest = text.removeprefix(f"{channel.path.name}: ")
            return Problem(Severity.ERROR, file_of(case, rules.root, channel.path), rest)
    return Problem(Severity.ERROR, file_of(case, rules.root), text)


def _image_problems(case: CaseSource, image: Image, rules: _Rules) -> list[Problem]:
    file = file_of(case, rules.root)
    problems = []
    if case.kind is not rules.kind:
        text = f"{case.kind} in a data set that is {rules.kind}"
        problems.append(Problem(Severity.ERROR, file, text))
    if len(image.array) != rules.channels:
        text = f"{len(image.array)} channels; the data set has {rules.channels}"
        problems.append(Problem(Severity.ERROR, file, text))
    if image.missing:
        text = f"{image.missing} values are NaN or infinite; they count as the minimum"
        problems.append(Problem(Severity.WARNING, file, text))
    flat = [c for c, channel in enumerate(image.array) if channel.min() == channel.max()]
    if len(flat) == len(image.array):
        text = f"every value is {float(image.array.flat[0]):g}"
        problems.append(Problem(Severity.ERROR, file, text))
    elif flat:
        text = f"channel {flat[0]} holds one value only"
        problems.append(Problem(Severity.WARNING, file, text))
    return problems


def _label(
    case: CaseSource, image: Image, rules: _Rules
) -> tuple[str, Mapping[int, int], list[Problem]]:
    """Return the digest of the label, what it counts, and its problems."""
    label = case.label
    if label is None:
        if case.split == TEST:
            return "", {}, []
        text = "nobody labelled it; it is not trained on"
        return "", {}, [Problem(Severity.WARNING, file_of(case, rules.root), text)]
    if isinstance(label, Grades):
        problems = _grade_problems(case, label, rules)
        return digest_of(np.array(label.values)), dict.fromkeys(label.values, 1), problems
    path = label.source if isinstance(label, Balls | Shapes) else label.path
    file = file_of(case, rules.root, path)
    where = file if isinstance(label, Mask | Bits) else f"{file} ({case.name})"
    try:
        if isinstance(label, Balls | Shapes) and rules.task is Task.DETECTION:
            return _objects(read_boxes(case, image), image, where, rules)
        return _voxels(read_mask(case, image), where, rules)
    except InputError as error:
        return "", {}, [Problem(Severity.ERROR, where, str(error))]


def _grade_problems(case: CaseSource, label: Grades, rules: _Rules) -> list[Problem]:
    file = file_of(case, rules.root)
    problems = []
    if len(label.values) != rules.findings:
        text = f"{len(label.values)} labels; the data set has {rules.findings} each"
        problems.append(Problem(Severity.ERROR, file, text))
    foreign = sorted(set(label.values) - rules.values)
    if foreign:
        text = f"label {foreign[0]} is outside the classes {_listed(rules.values)}"
        problems.append(Problem(Severity.ERROR, file, text))
    return problems


def _voxels(
    mask: ndarray, file: str, rules: _Rules
) -> tuple[str, Mapping[int, int], list[Problem]]:
    values, times = np.unique(mask, return_counts=True)
    counts = {int(v): int(n) for v, n in zip(values, times, strict=True) if v}
    if rules.ignored is not None:
        counts.pop(rules.ignored, None)
    problems = []
    foreign = sorted(set(counts) - rules.values)
    if foreign:
        outside = sum(counts[value] for value in foreign)
        text = (
            f"labels {_listed(foreign)} ({outside} voxels) are outside the classes"
            f" {_listed(rules.values | {0})}"
        )
        problems.append(Problem(Severity.ERROR, file, text))
    if not counts:
        problems.append(Problem(Severity.WARNING, file, "no voxel is labelled"))
    return digest_of(mask), counts, problems


def _objects(
    boxes: Boxes, image: Image, file: str, rules: _Rules
) -> tuple[str, Mapping[int, int], list[Problem]]:
    values, times = np.unique(boxes.values, return_counts=True)
    counts = {int(v): int(n) for v, n in zip(values, times, strict=True)}
    problems = []
    nowhere = int((~np.isfinite(boxes.edges)).any(axis=(1, 2)).sum())
    if nowhere:
        text = f"{nowhere} objects have a place or size that is no number"
        problems.append(Problem(Severity.ERROR, file, text))
    foreign = sorted(set(counts) - rules.values)
    if foreign:
        text = f"classes {_listed(foreign)} are outside {_listed(rules.values)}"
        problems.append(Problem(Severity.ERROR, file, text))
    size = np.array(image.array.shape[1:])
    middle = boxes.edges.mean(axis=1)
    outside = int(((middle < -0.5) | (middle > size - 0.5)).any(axis=1).sum())
    if outside:
        text = f"{outside} of {len(middle)} objects lie outside the image"
        problems.append(Problem(Severity.ERROR, file, text))
    empty = int((boxes.edges[:, 1] <= boxes.edges[:, 0]).any(axis=1).sum())
    if empty:
        problems.append(Problem(Severity.ERROR, file, f"{empty} objects have no extent"))
    if not len(middle):
        problems.append(Problem(Severity.WARNING, file, NO_OBJECT))
    table = np.column_stack([boxes.edges[:, 0], boxes.edges[:, 1], boxes.values])
    return digest_of(table), counts, problems


def _listed(values: Iterable[int]) -> str:
    ordered = sorted(values)
    more = "" if len(ordered) <= _MOST_NAMED else f" and {len(ordered) - _MOST_NAMED} more"
    return ", ".join(map(str, ordered[:_MOST_NAMED])) + more
