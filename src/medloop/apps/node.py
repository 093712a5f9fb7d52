"""``medloop import`` and ``medloop worker``: into the store, and through it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from medloop.apps.analyze import gather_inputs
from medloop.apps.bootstrap import choose_analyses
from medloop.apps.console import Exit, note, progress, say
from medloop.apps.settings import Settings
from medloop.core.study import StudyUid
from medloop.store import Store, open_store
from medloop.workflow.ports import Analysis
from medloop.workflow.routing import Refusal, instances_of, route


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
            for done, study in enumerate(intake.studies):
                report(done, len(intake.studies))
                receipt = store.receive(study, now=_now())
                jobs = _queue(store, study.uid, analyses)
                say(f"{study.name}: {receipt.new} new, {receipt.known} known, {jobs} jobs")
                for conflict in receipt.conflicts:
                    note(f"{study.name}: another object has the UID {conflict.uid}; kept apart")
    return Exit.BAD_INPUT if intake.problems else Exit.DONE


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
