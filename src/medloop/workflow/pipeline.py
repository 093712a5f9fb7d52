"""Several runs that overlap: while one case is analyzed, the next is read and the last written.

Analyses follow one another in the calling thread, so results, and the order of everything that
is said of them, are those of single runs. One thread reads and one writes: what they call
(decoders, compression, the disk) leaves the interpreter to the analysis for most of the time.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from medloop.core.finding import Result
from medloop.core.study import Case, Selection, Study
from medloop.workflow.ports import Analysis, Archive
from medloop.workflow.worker import Clock, Outcome, Read, answer, bounded, read

Act = Callable[[], Path]


@dataclass(frozen=True, slots=True)
class Run:
    """One selection to read, analyze and write, as `workflow.worker.run` does.

    Runs of one `line`, unless it is empty, read what those before them have written.
    """

    analysis: Analysis
    archive: Archive
    study: Study
    selection: Selection
    write: Callable[[Case, Result], Path]
    line: str = ""


def run_all(
    runs: Sequence[Run],
    done: Callable[[int, Outcome], None],
    *,
    clock: Clock = time.perf_counter,
) -> None:
    """Do all runs in order; `done` is told of each, in order, by its number.

    At most two cases are in memory: one is read only after the one two before it was written.
    A case that fails leaves the others as they are. After an interruption, the case that is
    being written is finished. One run alone uses no thread.
    """
    with _two_threads() as (reader, writer):
        ahead: Callable[[], Read] | None = None
        writing: Future[Path] | None = None  # of the run before
        for n, this in enumerate(runs):
            reading = ahead or partial(_read, this, clock)
            ahead = None
            if is_overlapping := n + 1 < len(runs) and _is_free(this, runs[n + 1]):
                ahead = reader.submit(_read_after, writing, runs[n + 1], clock).result
            act, is_answered = _answered(this, reading)
            del reading  # it would keep a case in memory, as would what follows
            if writing is not None:
                done(n - 1, bounded(runs[n - 1].analysis.name, writing.result))
                writing = None
            if is_overlapping and is_answered:
                writing = writer.submit(_once, [act])
            else:
                done(n, bounded(this.analysis.name, act))
            del act


def _is_free(this: Run, following: Run) -> bool:
    """Whether a run may be read before the one in front of it has been written."""
    return not following.line or following.line != this.line


def _read(run: Run, clock: Clock) -> Read:
    return read(run.archive, run.study, run.selection, clock=clock)


def _read_after(writing: Future[Path] | None, run: Run, clock: Clock) -> Read:
    if writing is not None:
        wait([writing])
    return _read(run, clock)


def _answered(run: Run, reading: Callable[[], Read]) -> tuple[Act, bool]:
    """Analyze; return what writes the products, or what raises the error, and which it is."""
    try:
        case, read_s = reading()
        return partial(run.write, case, answer(run.analysis, case, read_s)), True
    except Exception as error:  # noqa: BLE001 (for the job boundary, when it is this run's turn)
        return partial(_fail, error), False


def _once(acts: list[Act]) -> Path:
    """Act, and let go of the case before anybody hears that it is written."""
    return acts.pop()()


def _fail(error: Exception) -> Path:
    raise error


@contextmanager
def _two_threads() -> Iterator[tuple[ThreadPoolExecutor, ThreadPoolExecutor]]:
    reader = ThreadPoolExecutor(1, "medloop-read")
    writer = ThreadPoolExecutor(1, "medloop-write")
    try:
        yield reader, writer
    finally:
        writer.shutdown(wait=False, cancel_futures=True)
        reader.shutdown(cancel_futures=True)
        writer.shutdown()
