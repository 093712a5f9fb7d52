"""The latest earlier result of the same analysis on the same patient, for those that compare.

On the command line earlier results stand in the result folders, and the SR beside each record
says whose it is; in the node the store's catalog does.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from medloop.core.errors import InputError
from medloop.core.prior import Prior, days_between
from medloop.core.record import Record, from_json, from_record
from medloop.core.study import Case, Notice, Patient, Selection, Study, StudyUid
from medloop.workflow.ports import Archive
from medloop.workflow.routing import Refusal, Route

if TYPE_CHECKING:  # the command line runs without a database
    from medloop.store import Kept, Store

COMPARING: Final = frozenset({"lung"})  # analyses that make use of an earlier result
_UNDATED: Final = Notice(
    "prior-undated", "The patient has another result, but a study has no date: not compared."
)
_SAME_DAY: Final = Notice(
    "prior-same-day", "The patient's other study is of the same day: not compared."
)
_UNREADABLE: Final = Notice(
    "prior-unreadable", "An earlier result of the patient cannot be read: not compared with it."
)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A result that stands somewhere: whose, of which study and day, and how to read it."""

    patient: Patient
    study: StudyUid
    date: str
    read: Callable[[], Record]


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a patient from before; `notices` say why it is less than it could be."""

    prior: Prior | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparing:
    """An archive whose cases hold what `find` knows from before."""

    archive: Archive
    find: Callable[[Study], Past]

    def study(self, uid: StudyUid) -> Study:
        """Look a study up."""
        return self.archive.study(uid)

    def case(self, study: Study, selection: Selection) -> Case:
        """Read the pixels of a selection, and what is known from before.

        Raises
        ------
        InputError
            If the pixels cannot be read, or an earlier result that somebody named does not fit.
        """
        past = self.find(study)
        case = self.archive.case(study, selection)
        return replace(case, prior=past.prior, prior_notices=past.notices)


def latest(study: Study, analysis: str, results: Iterable[Earlier]) -> Past:
    """Choose the result of the patient's latest study before this one; its own is none.

    Of two on one day the one whose UID sorts last. One that cannot be read is passed over, with
    a notice.
    """
    others = [
        each
        for each in results
        if each.study != study.uid and study.patient.is_same(each.patient)
    ]
    if not others:
        return Past()
    ago = [(days_between(each.date, study.date), each) for each in others]
    dated = [(days, each) for days, each in ago if days is not None]
    before = [(days, each) for days, each in dated if days > 0]
    notices: tuple[Notice, ...] = ()
    for days, each in sorted(before, key=lambda pair: (-pair[0], pair[1].study), reverse=True):
        try:
            return Past(_prior(each, analysis, days), notices)
        except InputError:
            notices = (_UNREADABLE,)
    if not before and len(dated) < len(others):
        notices = (_UNDATED,)
    elif not before and any(days == 0 for days, _ in dated):
        notices = (_SAME_DAY,)
    return Past(None, notices)


def _prior(earlier: Earlier, analysis: str, days: int) -> Prior:
    from medloop.dicom.write.tracking import named  # noqa: PLC0415 - loads what writes DICOM

    recorded = from_record(earlier.read())
    if recorded.study != earlier.study or recorded.result.provenance.analysis != analysis:
        raise InputError("the record is of another study or analysis")
    return Prior(earlier.study, earlier.date, days, named(recorded.result))


class Shelf:
    """Results in the folder that a command writes to, those of earlier runs included.

    One thread may look while another adds.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._known: dict[str, dict[Path, Earlier]] = {}
        self._lock = Lock()

    def find(self, study: Study, analysis: str) -> Past:
        """Find what is known of the study's patient."""
        if not study.patient.identifier.strip():
            return Past()
        with self._lock:
            results = tuple(self._results(analysis).values())
        return latest(study, analysis, results)

    def add(self, study: Study, analysis: str, folder: Path) -> None:
        """Take in a result that was just written."""
        earlier = Earlier(study.patient, study.uid, study.date, lambda: _record(folder))
        with self._lock:
            self._results(analysis)[folder] = earlier

    def _results(self, analysis: str) -> dict[Path, Earlier]:
        if analysis not in self._known:
            self._known[analysis] = {
                folder: earlier
                for file in sorted(self._out.glob(f"*/{analysis}*/result.json"))
                if (earlier := _opened(folder := file.parent)) is not None
            }
        return self._known[analysis]


def named_prior(path: Path, analyses: Sequence[str]) -> tuple[str, Callable[[Study], Past]]:
    """Open a result that somebody named, a folder or its result.json.

    Returns its analysis, and what finds it for a study.

    The finder raises `InputError` for a study that it cannot be the earlier one of.

    Raises
    ------
    InputError
        If it is no result, does not say whose it is, or its analysis compares nothing.
    """
    folder = path if path.is_dir() else path.parent
    record = _record(folder)
    analysis = from_record(record).result.provenance.analysis
    if analysis not in COMPARING or analysis not in analyses:
        raise InputError(f"{path}: a result of {analysis}, which is not compared here")
    earlier = _opened(folder)
    if earlier is None:
        raise InputError(f"{path}: no sr.dcm beside it says whose result it is")

    def find(study: Study) -> Past:
        days = days_between(earlier.date, study.date)
        if not study.patient.is_same(earlier.patient):
            raise InputError("the earlier result is of another patient, or one states no ID")
        if days is None:
            raise InputError("the earlier result's study or this one has no date")
        if days <= 0:
            raise InputError(f"the earlier result's study is {-days} days later, not earlier")
        return Past(_prior(earlier, analysis, days))

    return analysis, find


def stored_past(store: "Store", study: Study, analysis: str) -> Past:
    """Find what the store knows of a study's patient."""
    if not study.patient.identifier.strip():
        return Past()
    results = (
        Earlier(each.patient, each.study, each.date, partial(_kept_record, store, each.kept))
        for each in store.results.of_patient(study.patient.identifier, analysis)
    )
    return latest(study, analysis, results)


def _kept_record(store: "Store", kept: "Kept") -> Record:
    """Return what was signed last of a result as final, else what the analysis said."""
    signed = [
        version
        for reading in store.readings.of_job(kept.job)
        for version in store.readings.versions(reading.id)
        if version.meaning.is_verified and "result.json" in version.products
    ]
    if not signed:
        return kept.record
    last = max(signed, key=lambda version: version.at)
    return _record(store.results_folder / last.folder)


def in_order_of_date(answers: Sequence[Route | Refusal]) -> list[int]:
    """Order runs so that of one patient's studies the earlier come first; others keep place."""
    order = list(range(len(answers)))
    places: dict[str, list[int]] = {}
    for n, each in enumerate(answers):
        if line := line_of(each):
            places.setdefault(line, []).append(n)
    for taken in places.values():
        by_date = sorted(taken, key=lambda n: answers[n].study.date)
        for place, n in zip(taken, by_date, strict=True):
            order[place] = n
    return order


def line_of(answer: Route | Refusal) -> str:
    """Name the runs whose results are compared: of one patient and analysis; or nothing."""
    patient, name = answer.study.patient.identifier.strip(), answer.analysis.name
    return f"{name} {patient}" if patient and name in COMPARING else ""


def _opened(folder: Path) -> Earlier | None:
    """Tell whose result a folder holds, by its SR; None where that is not told."""
    from medloop.dicom.header import read_header  # noqa: PLC0415 (pictures need no DICOM)

    try:
        header = read_header(folder / "sr.dcm")
    except InputError:
        return None
    uid = StudyUid(header.study_uid)
    return Earlier(header.patient, uid, header.study_date, lambda: _record(folder))


def _record(folder: Path) -> Record:
    try:
        return from_json((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not text"
        raise InputError(f"{folder / 'result.json'}: {reason}") from error
