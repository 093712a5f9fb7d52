"""``medloop import``: into the store."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medloop.apps.analyze import gather_inputs
from medloop.apps.bootstrap import choose_analyses
from medloop.apps.console import Exit, note, progress, say
from medloop.apps.opening import opened
from medloop.apps.settings import Settings
from medloop.apps.site import load_site


def receive(inputs: Sequence[Path], settings: Settings) -> Exit:
    """Keep what arrived, and let a job wait for every analysis that suits it.

    Raises
    ------
    UsageError
        If settings cannot be meant.
    ServiceError
        If the store cannot be written now.
    """
    analyses = choose_analyses((), settings)
    with (
        opened(settings, load_site()) as (_, _, reception),
        tempfile.TemporaryDirectory(prefix="medloop-") as scratch,
    ):
        knowing = replace(reception, analyses=analyses)
        intake = gather_inputs(inputs, Path(scratch))
        for problem in intake.problems:
            note(f"{problem.source}: {problem.reason}")
        with progress("keeping", len(intake.studies)) as report:
            # Of one patient the earlier study waits first: later ones are compared with it.
            for done, study in enumerate(sorted(intake.studies, key=lambda each: each.date)):
                report(done, len(intake.studies))
                got = knowing.bring(study)
                say(f"{study.name}: {got.new} new, {got.known} known, {got.jobs} jobs")
                for uid in got.conflicts:
                    note(f"{study.name}: another object has the UID {uid}; kept apart")
    return Exit.BAD_INPUT if intake.problems else Exit.DONE
