"""Running jobs: one by hand, or all that wait in the store.

The class of an error decides how a job ends; this is the one place where a bug is caught.
"""

import logging
import re
import shutil
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from medloop.core.errors import InputError, ServiceError, UnsuitableError
from medloop.core.finding import Result
from medloop.core.record import from_json, from_record
from medloop.core.study import Case, Selection, Study
from medloop.workflow.heartbeat import Pulse, beating
from medloop.workflow.ports import Analysis, Archive
from medloop.workflow.prior import COMPARING, Comparing, stored_past
from medloop.workflow.room import RESERVE_BYTES, is_full, obstacle
from medloop.workflow.routing import folder_name, selection_from
from medloop.workflow.watchdog import look_after

if TYPE_CHECKING:  # the command line runs single jobs without a database
    from medloop.store import Job, Kept, Store

log = logging.getLogger(__name__)

Clock = Callable[[], float]
Read = tuple[Case, float]  # a case, and the seconds it took to read

# What has been analyzed is not given up because the database is away for a while.
PATIENCE_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0)
FULL_WAIT = timedelta(minutes=1)


class Ending(StrEnum):
    """How a run ended."""

    DONE = "done"
    SKIPPED = "skipped"  # the analysis does not suit the data
    FAILED = "failed"  # the data is bad, or we have a bug
    RETRY = "retry"  # the world is wrong just now


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, why (empty when done), and the result folder (None unless done).

    `is_full`: there was no room on the disk, so that the attempt should not count.
    """

    state: Ending
    reason: str = ""
    path: Path | None = None
    is_full: bool = False


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a worker works with: where studies are, how products are written, who gets them.

    `write` fills a result folder, result.json included. `name` tells workers apart. What is
    kept waits for the `destinations`, each with the analyses it wants (all, if it names none).
    No job is begun while the disk of the results has less than `reserve_bytes` free.
    """

    name: str
    archive: Archive
    write: Callable[[Case, Result, Path], None]
    destinations: Mapping[str, Collection[str]] = field(default_factory=dict)
    pulse: Pulse = field(default_factory=Pulse)
    reserve_bytes: int = RESERVE_BYTES
    idle_s: float = 0.25
    now: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep


def run(
    analysis: Analysis,
    archive: Archive,
    study: Study,
    selection: Selection,
    *,
    write: Callable[[Case, Result], Path],
    clock: Clock = time.perf_counter,
) -> Outcome:
    """Read, analyze and write one selection; never raises but for interruptions.

    `write` keeps the products and returns their folder. What reading took and had to say is
    added to the result that `write` gets.
    """

    def act() -> Path:
        case, read_s = read(archive, study, selection, clock=clock)
        return write(case, answer(analysis, case, read_s))

    return bounded(analysis.name, act)


def read(archive: Archive, study: Study, selection: Selection, *, clock: Clock) -> Read:
    """Read the pixels of a selection, and say how many seconds it took."""
    started = clock()
    case = archive.case(study, selection)
    return case, clock() - started


def answer(analysis: Analysis, case: Case, read_s: float) -> Result:
    """Analyze, and add what reading took and had to say."""
    result = analysis.analyze(case)
    return replace(
        result,
        warnings=tuple(dict.fromkeys(case.warnings + result.warnings)),
        timings_s={**result.timings_s, "read": read_s},
    )


def work(
    store: "Store",
    analyses: Sequence[Analysis],
    bench: Bench,
    *,
    once: bool,
    renewed: Callable[[], Sequence[Analysis]] | None = None,
) -> int:
    """Run the jobs that wait for these analyses; `once`: until none is due.

    Returns how many were handled. While the database is away, or the disk is full, jobs wait.
    Before each job `renewed` is asked for the same analyses, as they are to run by now.

    Raises
    ------
    ServiceError
        With `once`, if the database cannot be reached or there is no room for results.
    """
    by_name = {analysis.name: analysis for analysis in analyses}
    handled = 0
    said = ""
    while True:
        job = None
        trouble = ""
        try:
            _require_room(store, bench)
            if renewed is not None and store.jobs.has_due(now=bench.now()):
                by_name |= {each.name: each for each in renewed()}
            job = _next(store, bench, tuple(by_name))
            if job is not None:
                _handle(store, by_name[job.analysis], bench, job)
                handled += 1
        except ServiceError as error:
            if job is None and once:
                raise
            trouble = f"job {job.id}: {error}" if job else f"no job is begun: {error}"
        if trouble and trouble != said:  # once, not four times a second
            log.warning("%s", trouble)
        said = trouble
        if job is None:
            if once:
                return handled
            bench.sleep(bench.idle_s)


def _next(store: "Store", bench: Bench, names: Sequence[str]) -> "Job | None":
    """Claim a job; where none can be, see whether others have lost theirs."""
    if not store.jobs.has_due(now=bench.now()):
        return None
    job = store.jobs.claim(bench.name, names, now=bench.now())
    if job is None:
        look_after(store, now=bench.now())
    return job


def _require_room(store: "Store", bench: Bench) -> None:
    trouble = obstacle(store.results_folder, reserve_bytes=bench.reserve_bytes)
    if trouble:
        raise ServiceError(trouble)


def _handle(store: "Store", analysis: Analysis, bench: Bench, job: "Job") -> None:
    """Run a claimed job and end it; an interruption gives it back at once."""
    try:
        with beating(store, job, bench.pulse, bench.now) as settle:
            outcome = _analyze(store, analysis, bench, job)
            settle()
            outcome, kept = _with_record(store, job, outcome, bench.now())
            log.info("job %d, %s: %s", job.id, job.analysis, outcome.state)
            _end_patiently(store, bench, job, outcome, kept)
    except BaseException:
        with suppress(ServiceError):  # it is somebody else's, or its lease will run out
            store.jobs.release(job, now=bench.now())
        raise


def _analyze(store: "Store", analysis: Analysis, bench: Bench, job: "Job") -> Outcome:
    # A worker that comes back from the dead must not write where another has written since.
    name = f"{analysis.name}-{job.id}" + (f"-{job.claims}" if job.claims > 1 else "")
    folder = store.results_folder / folder_name(job.study) / name

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


def _end_patiently(
    store: "Store", bench: Bench, job: "Job", outcome: Outcome, kept: "Kept | None"
) -> None:
    """End a job, and wait for a database that is away for less than some minutes.

    Raises
    ------
    ServiceError
        If the job was taken over meanwhile, or the database stays away.
    """
    from medloop.store import TakenOverError  # noqa: PLC0415 - whoever has a store has loaded it

    for wait_s in PATIENCE_S:
        try:
            _end(store, bench, job, outcome, kept)
        except TakenOverError:
            if outcome.path is not None:
                shutil.rmtree(outcome.path, ignore_errors=True)
            raise
        except ServiceError as trouble:
            log.warning("job %d is done, but cannot be ended now: %s", job.id, trouble)
            bench.sleep(wait_s)
        else:
            if outcome.path is not None:
                _clear(job, outcome.path)
            return
    _end(store, bench, job, outcome, kept)


def _clear(job: "Job", kept: Path) -> None:
    """Remove what earlier claims of a job, whose workers were lost, have left beside it."""
    name = re.escape(f"{job.analysis}-{job.id}")
    left = re.compile(rf"\.?{name}(-\d+)?(\.[0-9a-f]+\.(part|old))?")
    for path in kept.parent.iterdir():
        if path != kept and left.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


def _end(
    store: "Store", bench: Bench, job: "Job", outcome: Outcome, kept: "Kept | None"
) -> None:
    from medloop.store import Entry, JobState, end_job  # noqa: PLC0415 - as above
    from medloop.workflow.filing import file_products  # noqa: PLC0415 - as above

    now = bench.now()
    details = {"job": str(job.id), "analysis": job.analysis, "outcome": str(outcome.state)}
    entry = Entry(now, bench.name, "analyzed", job.study, details)
    match outcome.state:
        case Ending.DONE:
            wanted = bench.destinations.items()
            recipients = [name for name, them in wanted if not them or job.analysis in them]
            to = JobState.SENDING if recipients else JobState.DONE
            if outcome.path is not None:
                file_products(store, outcome.path, now=now)
            end_job(store, job, to, entry, kept=kept, destinations=recipients)
        case Ending.SKIPPED:
            end_job(store, job, JobState.SKIPPED, entry, reason=outcome.reason)
        case Ending.FAILED:
            end_job(store, job, JobState.FAILED, entry, reason=outcome.reason)
        case Ending.RETRY:
            if outcome.is_full:
                store.jobs.postpone(job, outcome.reason, now=now, wait=FULL_WAIT)
            elif store.jobs.retry(job, outcome.reason, now=now).state is JobState.FAILED:
                store.audit.append(entry)
        case _:
            assert_never(outcome.state)


def _with_record(
    store: "Store", job: "Job", outcome: Outcome, now: datetime
) -> tuple[Outcome, "Kept | None"]:
    """Read the record of a result that was just written; without it, the run went wrong."""
    from medloop.clinical.urgency import triage  # noqa: PLC0415 - as above
    from medloop.store import Kept  # noqa: PLC0415 - as above

    if outcome.path is None:
        return outcome, None
    try:
        record = from_json((outcome.path / "result.json").read_text(encoding="utf-8"))
        products = tuple(path.name for path in outcome.path.iterdir())
        found = triage(from_record(record).result)
    except OSError as error:
        reason = f"result folder cannot be read: {error.strerror}"
        return Outcome(Ending.RETRY, reason, is_full=is_full(error)), None
    except InputError as bad:
        return Outcome(Ending.FAILED, str(bad)), None
    folder = outcome.path.relative_to(store.results_folder).as_posix()
    urgency, because = int(found.urgency), found.because
    kept = Kept(job.id, folder, products, record, now, urgency=urgency, because=because)
    return outcome, kept


def bounded(name: str, act: Callable[[], Path]) -> Outcome:
    """Let the class of an error decide, and log a bug once."""
    try:
        return Outcome(Ending.DONE, path=act())
    except UnsuitableError as unsuitable:
        return Outcome(Ending.SKIPPED, str(unsuitable))
    except InputError as bad:
        return Outcome(Ending.FAILED, str(bad))
    except ServiceError as trouble:
        return Outcome(Ending.RETRY, str(trouble), is_full=is_full(trouble))
    except Exception as bug:  # noqa: BLE001 (the one job boundary)
        # Where, but not what: the text of a foreign exception may quote the patient's data.
        frames = "".join(traceback.format_tb(bug.__traceback__))
        log.error("%s has a bug: %s\n%s", name, type(bug).__name__, frames)  # noqa: TRY400
        return Outcome(Ending.FAILED, f"internal error: {type(bug).__name__}")
