"""How far readers agree: what two of them said of the same things, counted and judged."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from medloop.annotation.draft import Draft
from medloop.annotation.matching import is_there, side_by_side
from medloop.core.finding import Assessment
from medloop.evaluation.agreement import Weights, cohen_kappa
from medloop.evaluation.bootstrap import Figure, interval_95
from medloop.evaluation.classification import confusion

MODEL: Final = "*model"  # no user's name begins so
DECIDED: Final = "*adjudicated"
_NUMBERED: Final = re.compile(r"[\s_#-]*\d+$")
FEW: Final = 20  # cases below which a figure is a first impression
# Scales of words that have an order; whole numbers have one anyway.
ORDERED: Final[Mapping[str, tuple[str, ...]]] = {
    "Lung-RADS": ("0", "1", "2", "3", "4A", "4B", "4X"),
}


class Measure(StrEnum):
    """What is compared, and by which number."""

    GRADE = "grade"  # Cohen's kappa, quadratic weights where grades have an order
    VERDICT = "verdict"  # kappa of accepting and rejecting what was proposed
    FINDINGS = "findings"  # positive agreement: twice the common findings over all of both
    MASK = "mask"  # mean Dice of a segment


@dataclass(frozen=True, slots=True)
class Task:
    """What readers do: `name` is a scale, a segment, or empty for findings."""

    analysis: str
    measure: Measure
    name: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What two said of one thing in one result.

    Grades and verdicts are the two values; findings 1 or 0 for there or not; masks twice the
    common voxels, and the voxels of both.
    """

    task: Task
    job: int
    names: tuple[str, str]
    values: tuple[Assessment, Assessment]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two agree on a task, or all readers (`names` empty); `jobs` is how many results.

    `figure` has the value, its 95 % interval from redrawing whole results, and how many things
    were compared. `is_constant` says that one of two gave one and the same answer throughout,
    by which kappa is 0 whatever the other says.
    """

    task: Task
    names: tuple[str, str] | tuple[()]
    figure: Figure
    jobs: int
    is_constant: bool = False

    @property
    def is_few(self) -> bool:
        """Whether so few results were compared that the figure is a first impression."""
        return self.jobs < FEW

    @property
    def is_known(self) -> bool:
        """Whether there is a value: none where all said one and the same throughout."""
        return math.isfinite(self.figure.value)


Voxels = Callable[[str | None, str | None], Mapping[str, tuple[int, int]]]


def seen_of(
    job: int, analysis: str, drafts: Mapping[str, Draft], voxels: Voxels | None = None
) -> Iterator[Seen]:
    """List what each two said of one result; `drafts` is by reader, `MODEL` and `DECIDED`.

    `voxels` compares two label maps, None being the analysis' own: for each segment twice the
    common voxels, and the voxels of both.
    """
    for names in combinations(drafts, 2):
        one, other = (drafts[name] for name in names)
        told = side_by_side({name: drafts[name] for name in names})
        for grade in told.grades:
            pair = (grade.said[names[0]], grade.said[names[1]])
            if None not in pair and grade.scale:
                yield Seen(Task(analysis, Measure.GRADE, grade.scale), job, names, pair)
        for row in told.rows:
            there = (int(is_there(row.said[names[0]])), int(is_there(row.said[names[1]])))
            is_verdict = not row.key.startswith("+") and MODEL not in names
            if is_verdict:  # the analysis rejects nothing of its own
                yield Seen(Task(analysis, Measure.VERDICT), job, names, there)
            if any(there):
                yield Seen(Task(analysis, Measure.FINDINGS), job, names, there)
        if voxels is not None:
            for segment, counts in voxels(one.mask, other.mask).items():
                yield Seen(Task(analysis, Measure.MASK, kind_of(segment)), job, names, counts)


def kind_of(segment: str) -> str:
    """Name what a numbered segment is one of: the third nodule is a nodule like the first."""
    return _NUMBERED.sub("", segment) or segment


def agreements(
    seen: Iterable[Seen], *, rng: np.random.Generator, draws: int = 1000
) -> tuple[Agreement, ...]:
    """Judge each task: all readers with each other first, then two by two, by name."""
    by_task: dict[Task, list[Seen]] = {}
    for each in seen:
        by_task.setdefault(each.task, []).append(each)
    found = []
    for task in sorted(by_task, key=_rank):
        of_task = by_task[task]
        people = [each for each in of_task if not any(n.startswith("*") for n in each.names)]
        pairs = sorted({each.names for each in of_task}, key=_nearness)
        if len({each.names for each in people}) > 1:
            found.append(_agreement(task, (), people, rng, draws))
        for names in pairs:
            of_pair = [each for each in of_task if each.names == names]
            found.append(_agreement(task, names, of_pair, rng, draws))
    return tuple(found)


def value_for(
    found: Sequence[Agreement], analysis: str, measure: Measure, name: str = ""
) -> float:
    """Return how far readers agree on a task, as `quality.gate` asks; NaN if nobody knows.

    Without a `name`, of masks and grades the worst segment or scale counts.
    """
    tasks: dict[Task, float] = {}
    for each in found:
        task = each.task
        is_asked = (task.analysis, task.measure) == (analysis, measure)
        if is_asked and name in ("", task.name) and _among_readers(each):
            tasks.setdefault(task, each.figure.value)
    known = [value for value in tasks.values() if math.isfinite(value)]
    return min(known, default=math.nan)


def _rank(task: Task) -> tuple[str, int, str]:
    return task.analysis, list(Measure).index(task.measure), task.name


def _nearness(names: tuple[str, str]) -> tuple[int, tuple[str, str]]:
    """Two readers come first, then readers and what was decided, then the analysis."""
    apart = (DECIDED in names) + 2 * (MODEL in names)
    return apart, names


def _among_readers(each: Agreement) -> bool:
    return not any(name.startswith("*") for name in each.names)


def _agreement(
    task: Task,
    names: tuple[str, str] | tuple[()],
    seen: Sequence[Seen],
    rng: np.random.Generator,
    draws: int,
) -> Agreement:
    jobs = np.array([each.job for each in seen])
    statistic = _statistic(task, seen, is_pooled=not names)
    count = len(set(jobs.tolist()))
    value, low, high = interval_95(
        statistic, cases=len(seen), rng=rng, draws=draws, clusters=jobs
    )
    if count < 2:  # one result redrawn is the same result
        low = high = math.nan
    figure = Figure(task.measure, value, low, high, len(seen))
    return Agreement(task, names, figure, count, bool(names) and _is_constant(task, seen))


def _is_constant(task: Task, seen: Sequence[Seen]) -> bool:
    sides = ({repr(each.values[n]) for each in seen} for n in (0, 1))
    return task.measure in (Measure.GRADE, Measure.VERDICT) and 1 in map(len, sides)


def _statistic(
    task: Task, seen: Sequence[Seen], *, is_pooled: bool
) -> Callable[[Int[ndarray, " n"]], float]:
    if task.measure in (Measure.GRADE, Measure.VERDICT):
        return _kappa(task, seen, is_pooled=is_pooled)
    pairs = np.array([[_number(value) for value in each.values] for each in seen], float)
    if task.measure is Measure.FINDINGS:
        return lambda n: _share(2 * float(pairs[n].prod(1).sum()), float(pairs[n].sum()))
    return lambda n: _mean_dice(pairs[n])


def _kappa(
    task: Task, seen: Sequence[Seen], *, is_pooled: bool
) -> Callable[[Int[ndarray, " n"]], float]:
    """Cohen's kappa; of several pairs, each counts both ways, so that none comes first."""
    order, weights = _order(task, [value for each in seen for value in each.values])
    index = {value: n for n, value in enumerate(order)}
    one, other = (np.array([index[_key(each.values[n])] for each in seen]) for n in (0, 1))

    def statistic(n: Int[ndarray, " n"]) -> float:
        table = confusion(one[n], other[n], classes=len(order))
        return cohen_kappa(table + table.T if is_pooled else table, weights=weights)

    return statistic


def _order(task: Task, values: Sequence[Assessment]) -> tuple[list[str | int], Weights]:
    """Return the categories in order, and how disagreement weighs."""
    if task.measure is Measure.VERDICT:
        return [0, 1], Weights.NONE
    keys = {_key(value) for value in values}
    known = ORDERED.get(task.name, ())
    if known and keys <= set(known):
        return list(known), Weights.QUADRATIC
    whole = [key for key in keys if isinstance(key, int)]
    if len(whole) == len(keys):
        return list(range(min(whole), max(whole) + 1)), Weights.QUADRATIC
    return sorted(keys, key=str), Weights.NONE


def _key(value: Assessment) -> str | int:
    if isinstance(value, int):  # truth, too, is a number here
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return str(value)


def _number(value: Assessment) -> float:
    assert isinstance(value, int | float)  # noqa: S101 - counts
    return float(value)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _mean_dice(counts: Float[ndarray, "n 2"]) -> float:
    """Mean over results in which either has drawn the segment."""
    drawn = counts[counts[:, 1] > 0]
    return float((drawn[:, 0] / drawn[:, 1]).mean()) if len(drawn) else math.nan
