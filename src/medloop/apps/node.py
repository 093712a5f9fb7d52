"""``medloop import`` and ``medloop worker``: into the store, and through it."""

import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from medloop.apps.analyze import gather_inputs
from medloop.apps.bootstrap import choose_analyses
from medloop.apps.console import Exit, note, progress, say
from medloop.apps.settings import Settings
from medloop.core.finding import Result
from medloop.core.study import Case, StudyUid
from medloop.store import Store, open_store
from medloop.workflow.ports import Analysis
from medloop.workflow.products import Makers, write_products
from medloop.workflow.routing import Refusal, instances_of, route
from medloop.workflow.stored import StoreArchive
from medloop.workflow.worker import Bench
from medloop.workflow.worker import work as run_jobs


def receive(inputs: Sequence[Path], settings: Settings) -> Exit:
    """Keep what arrived, and let a job wait for every analysis that suits it.

    Raises
    ------
    ServiceError
        If the store cannot be written now.
    """
    analyses = choose_analyses((), settings)
    with _store(settings) as store, tempfile.TemporaryDirectory(prefix="medloop-") as scratch:
        intake = gather_inputs(inputs, Path(scratch))
        for problem in intake.problems:
            note(f"{problem.source}: {problem.reason}")
        with progress("keeping", len(intake.studies)) as report:
            # Of one patient the earlier study waits first: later ones are compared with it.
            for done, study in enumerate(sorted(intake.studies, key=lambda each: each.date)):
                report(done, len(intake.studies))
                receipt = store.receive(study, now=_now())
                jobs = _queue(store, study.uid, analyses)
                say(f"{study.name}: {receipt.new} new, {receipt.known} known, {jobs} jobs")
                for conflict in receipt.conflicts:
                    note(f"{study.name}: another object has the UID {conflict.uid}; kept apart")
    return Exit.BAD_INPUT if intake.problems else Exit.DONE


def work(settings: Settings, *, once: bool) -> Exit:
    """Do the jobs of the store as they come, or with `once` until none is due.

    Raises
    ------
    ServiceError
        With `once`, if the database cannot be reached.
    """
    analyses = choose_analyses((), settings)
    makers = Makers.real()

    def write(case: Case, result: Result, folder: Path) -> None:
        write_products(case, result, folder, language=settings.language, makers=makers)

    with _store(settings) as store:
        bench = Bench(f"{socket.gethostname()}-{os.getpid()}", StoreArchive(store), write)
        handled = run_jobs(store, analyses, bench, once=once)
        counts = store.jobs.counts()
        told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        say(f"{handled} handled; in the store: {told or 'no jobs'}")
        say(str(store.results_folder))
    return Exit.DONE


def _queue(store: Store, uid: StudyUid, analyses: Sequence[Analysis]) -> int:
    """Let every analysis that suits the study as it is now wait; return how many are new."""
    waiting = 0
    for answer in route([store.catalog.study(uid)], analyses):
        name = answer.analysis.name
        if isinstance(answer, Refusal):
            store.jobs.refuse(uid, name, answer.reason, now=_now(), is_bad=answer.is_bad)
        else:
            waiting += store.jobs.add(uid, name, instances_of(answer.selection), now=_now())
    return waiting


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings.home, settings.database or None)
    try:
        yield store
    finally:
        store.close()


def _now() -> datetime:
    return datetime.now(UTC)
