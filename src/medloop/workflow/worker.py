"""Running jobs: one by hand, or all that wait in the store.

The class of an error decides how a job ends; this is the one place where a bug is caught.
"""

import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from medloop.core.errors import InputError, ServiceError, UnsuitableError
from medloop.core.finding import Result
from medloop.core.record import from_json
from medloop.core.study import Case, Selection, Study
from medloop.workflow.dispatch import dispatch
from medloop.workflow.ports import Analysis, Archive, Destination
from medloop.workflow.prior import COMPARING, Comparing, stored_past
from medloop.workflow.routing import folder_name, selection_from

if TYPE_CHECKING:  # the command line runs single jobs without a database
    from medloop.store import Job, Store

log = logging.getLogger(__name__)


class Ending(StrEnum):
    """How a run ended."""

    DONE = "done"
    SKIPPED = "skipped"  # the analysis does not suit the data
    FAILED = "failed"  # the data is bad, or we have a bug
    RETRY = "retry"  # the world is wrong just now


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, why (empty when done), and the result folder (None unless done)."""

    state: Ending
    reason: str = ""
    path: Path | None = None


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a worker works with: where studies are, how products are written and delivered.

    `write` fills a result folder, result.json included. `name` tells workers apart.
    """

    name: str
    archive: Archive
    write: Callable[[Case, Result, Path], None]
    destinations: Sequence[Destination] = ()
    idle_s: float = 2.0
    now: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep


def run(
    analysis: Analysis,
    archive: Archive,
    study: Study,
    selection: Selection,
    *,
    write: Callable[[Case, Result], Path],
    clock: Callable[[], float] = time.perf_counter,
) -> Outcome:
    """Read, analyze and write one selection; never raises but for interruptions.

    `write` keeps the products and returns their folder. What reading took and had to say is
    added to the result that `write` gets.
    """

    def answer() -> Path:
        started = clock()
        case = archive.case(study, selection)
        read_s = clock() - started
        result = analysis.analyze(case)
        result = replace(
            result,
            warnings=tuple(dict.fromkeys(case.warnings + result.warnings)),
            timings_s={**result.timings_s, "read": read_s},
        )
        return write(case, result)

    return _bounded(analysis.name, answer)


def work(store: "Store", analyses: Sequence[Analysis], bench: Bench, *, once: bool) -> int:
    """Run and deliver the jobs that wait for these analyses; `once`: until none is due.

    Returns how many were handled. Jobs that cannot be ended, because the database is away or
    somebody took them over, are left to their lease.

    Raises
    ------
    ServiceError
        With `once`, if the database cannot be reached.
    """
    by_name = {analysis.name: analysis for analysis in analyses}
    handled = 0
    while True:
        job = None
        try:
            job = store.jobs.claim(bench.name, tuple(by_name), now=bench.now())
            if job is not None:
                _handle(store, by_name, bench, job)
                handled += 1
        except ServiceError as trouble:
            if job is None and once:
                raise
            log.warning("job %s: %s", job.id if job else "none", trouble)
        if job is None:
            if once:
                return handled
            bench.sleep(bench.idle_s)


def _handle(store: "Store", analyses: Mapping[str, Analysis], bench: Bench, job: "Job") -> None:
    """Take a claimed job one step further; an interruption gives it back at once."""
    is_delivery = job.state == "sending"
    try:
        if is_delivery:
            outcome = _bounded("delivery", lambda: _deliver(store, bench, job))
        else:
            outcome = _analyze(store, analyses[job.analysis], bench, job)
    except BaseException:
        store.jobs.release(job, now=bench.now())
        raise
    log.info("job %d, %s: %s", job.id, job.analysis, outcome.state)
    _end(store, bench, job, outcome, is_delivery=is_delivery)


def _analyze(store: "Store", analysis: Analysis, bench: Bench, job: "Job") -> Outcome:
    folder = store.results_folder / folder_name(job.study) / f"{analysis.name}-{job.id}"

    def write(case: Case, result: Result) -> Path:
        bench.write(case, result, folder)
        return folder

    try:
        study = bench.archive.study(job.study)
        selection = selection_from(study, job.selection)
    except InputError as bad:
        return Outcome(Ending.FAILED, str(bad))
    archive = bench.archive
    if analysis.name in COMPARING:
        archive = Comparing(archive, lambda of: stored_past(store, of, analysis.name))
    return run(analysis, archive, study, selection, write=write)


def _deliver(store: "Store", bench: Bench, job: "Job") -> Path:
    products = store.results_folder / job.folder
    dispatch(bench.archive.study(job.study), products, bench.destinations)
    return products


def _end(
    store: "Store", bench: Bench, job: "Job", outcome: Outcome, *, is_delivery: bool
) -> None:
    from medloop.store import Entry, JobState  # noqa: PLC0415 - whoever has a store has loaded it

    now, reason = bench.now(), outcome.reason
    deed = "delivered" if is_delivery else "analyzed"
    match outcome.state:
        case Ending.DONE:
            folder = _keep(store, job, outcome, now) if not is_delivery else job.folder
            sends = bench.destinations and not is_delivery
            to = JobState.SENDING if sends else JobState.DONE
            store.jobs.move(job, to, now=now, folder=folder)
        case Ending.SKIPPED:
            store.jobs.move(job, JobState.SKIPPED, now=now, reason=reason)
        case Ending.FAILED:
            store.jobs.move(job, JobState.FAILED, now=now, reason=reason)
        case Ending.RETRY:
            store.jobs.retry(job, reason, now=now)
            return
        case _:
            assert_never(outcome.state)
    details = {"job": str(job.id), "analysis": job.analysis, "outcome": str(outcome.state)}
    store.audit.append(Entry(now, bench.name, deed, job.study, details))


def _keep(store: "Store", job: "Job", outcome: Outcome, now: datetime) -> str:
    """Put the record into the store; returns the folder relative to the store's results."""
    if outcome.path is None:
        raise ValueError("a run that is done has a folder")
    try:
        record = from_json((outcome.path / "result.json").read_text(encoding="utf-8"))
        products = [path.name for path in outcome.path.iterdir()]
    except OSError as error:
        raise ServiceError(f"result folder cannot be read: {error.strerror}") from error
    folder = outcome.path.relative_to(store.results_folder).as_posix()
    store.results.keep(job.id, record, folder, products, now=now)
    return folder


def _bounded(name: str, act: Callable[[], Path]) -> Outcome:
    """Let the class of an error decide, and log a bug once."""
    try:
        return Outcome(Ending.DONE, path=act())
    except UnsuitableError as unsuitable:
        return Outcome(Ending.SKIPPED, str(unsuitable))
    except InputError as bad:
        return Outcome(Ending.FAILED, str(bad))
    except ServiceError as trouble:
        return Outcome(Ending.RETRY, str(trouble))
    except Exception as bug:  # noqa: BLE001 (the one job boundary)
        # Where, but not what: the text of a foreign exception may quote the patient's data.
        frames = "".join(traceback.format_tb(bug.__traceback__))
        log.error("%s has a bug: %s\n%s", name, type(bug).__name__, frames)  # noqa: TRY400
        return Outcome(Ending.FAILED, f"internal error: {type(bug).__name__}")
