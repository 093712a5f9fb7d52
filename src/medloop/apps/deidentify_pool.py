"""Files cleaned by several processes, a few at a time; one that dies takes one file with it."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from jaxtyping import Bool
from numpy import ndarray

from medloop.apps.deidentify_journal import Row
from medloop.apps.deidentify_others import clean_nifti, clean_picture
from medloop.apps.deidentify_processes import processes
from medloop.core.errors import InputError, UnsuitableError
from medloop.dicom.deidentify import Patient, Task, deidentify
from medloop.dicom.deidentify.faces import face_masks
from medloop.files.sniff import Kind
from medloop.imaging.deface import face_mask

log = logging.getLogger(__name__)

_AHEAD = 4  # units in hand for each process

Rows = list[tuple["Unit", Row]]


@dataclass(frozen=True, slots=True)
class Unit:
    """A file to clean, or with `others` a series whose slices are looked at together."""

    path: Path
    target: Path
    name: Path
    stamp: str
    kind: Kind | None
    problem: str
    is_named: bool
    patient: Patient | None
    others: "tuple[Unit, ...]" = ()
    is_head: bool = False

    def with_others(self, others: "Sequence[Unit]") -> "Unit":
        """Return the series of a head."""
        return replace(self, others=tuple(others), is_head=True)


def outcomes(units: Iterable[Unit], task: Task, jobs: int) -> Iterator[Rows]:
    """Clean units in any order, and yield what became of each.

    Raises
    ------
    ServiceError
        If a part is missing, or the disk is full.
    """
    if jobs == 1:
        yield from (run(unit, task) for unit in units)
    else:
        yield from _parallel(iter(units), task, jobs)


def _parallel(units: Iterator[Unit], task: Task, jobs: int) -> Iterator[Rows]:
    """Clean units in several processes; after a crash, those in hand one by one."""
    in_hand: dict[Future[Rows], Unit] = {}
    is_over = False
    dropped: list[Unit] = []
    while not is_over:
        with processes(jobs) as pool:
            try:
                while not is_over:
                    for unit in islice(units, _AHEAD * jobs - len(in_hand)):
                        dropped.append(unit)
                        in_hand[pool.submit(run, unit, task)] = dropped.pop()
                    for future in wait(in_hand, return_when=FIRST_COMPLETED).done:
                        rows = future.result()
                        del in_hand[future]
                        yield rows
                    is_over = not in_hand
            except BrokenProcessPool:
                log.warning("a process ended; what it had in hand is cleaned file by file")
        for unit in (*in_hand.values(), *dropped):
            yield _alone(unit, task)
        in_hand, dropped = {}, []


def _alone(unit: Unit, task: Task) -> Rows:
    with processes(1) as pool:
        try:
            return pool.submit(run, unit, task).result()
        except BrokenProcessPool:
            reason = "a decoder ended the process on it"
            return [(each, _refused(each, reason)) for each in (unit, *unit.others)]


def run(unit: Unit, task: Task) -> Rows:
    """Clean one unit."""
    faces: Mapping[Path, Bool[ndarray, "j i"]] = {}
    warning = ""
    units = (unit, *unit.others)
    if unit.is_head:
        try:
            faces = face_masks([each.path for each in units], face_mask)
        except (InputError, UnsuitableError) as error:
            warning = f"the face was not removed: {error}"
    return [(each, _one(each, task, faces.get(each.path), warning)) for each in units]


def _one(unit: Unit, task: Task, face: Bool[ndarray, "j i"] | None, warning: str) -> Row:
    if unit.problem:
        return _refused(unit, unit.problem)
    out = unit.target / unit.name
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        row = _cleaned(unit, task, out, face)
    except (InputError, UnsuitableError) as error:
        return _refused(unit, str(error))
    warnings = (*row.warnings, warning) if warning else row.warnings
    return replace(row, size=out.stat().st_size, warnings=warnings)


def _cleaned(unit: Unit, task: Task, out: Path, face: Bool[ndarray, "j i"] | None) -> Row:
    row = Row(str(unit.name), unit.stamp, "done")
    if unit.kind is Kind.NIFTI:
        return replace(row, **clean_nifti(unit.path, out, task.profile))
    if unit.kind is not Kind.DICOM or unit.patient is None:
        return replace(row, **clean_picture(unit.path, out, task.read))
    told = deidentify(unit.path, out, task, unit.patient, face=face)
    return replace(
        row,
        sop_class=told.sop_class,
        removed=told.removed,
        replaced=told.replaced,
        cleaned=told.cleaned,
        text_sought=told.text_sought,
        text_boxes=told.boxes,
        defaced=told.defaced,
        warnings=told.warnings,
        uids=told.uids,
    )


def _refused(unit: Unit, reason: str) -> Row:
    return Row(str(unit.name), unit.stamp, "refused", reason)
