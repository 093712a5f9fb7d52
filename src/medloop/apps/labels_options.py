"""``medloop labels``: what readers said, as data sets to train on; and what to label next."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from medloop.apps.console import Exit, UsageError, note, progress, say, whoami
from medloop.apps.opening import opened_store
from medloop.apps.settings import Settings

SUMMARY: Final = "Write what readers corrected as data sets to train on; say what to read next."
EXAMPLES: Final = (
    "export -o labels",
    "export -o labels --analysis lung --state signed",
    "export -o labels --reader li",
    "next --analysis lung --strategy uncertainty",
)
STATES: Final = ("done", "signed")
STRATEGIES: Final = ("first", "random", "uncertainty", "diversity")


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", choices=("export", "next"))
    parser.add_argument(
        "-o", "--out", type=Path, help="export: folder for OUT/<analysis>/masks, grades, boxes"
    )
    parser.add_argument(
        "--analysis",
        dest="analyses",
        metavar="NAME",
        action="append",
        default=[],
        help="only this analysis (may be repeated)",
    )
    parser.add_argument(
        "--reader",
        dest="readers",
        metavar="NAME",
        action="append",
        default=[],
        help="export: only what this reader handed in (may be repeated), whatever others say; "
        "next: what this reader has not read",
    )
    parser.add_argument(
        "--state",
        choices=STATES,
        default="done",
        help="export: readings that were handed in, or only those signed as final",
    )
    parser.add_argument(
        "--strategy",
        choices=STRATEGIES,
        default="diversity",
        help="next: the oldest, any, what the model is least sure of, or (usual) of that what "
        "is least like what was read",
    )


def answer(options: Namespace, settings: Settings) -> Exit:
    """Do what was asked.

    Raises
    ------
    UsageError
        If an option is missing.
    InputError
        If there is nothing to write.
    ServiceError
        If the store cannot be reached.
    """
    if options.action == "next":
        return _next(options, settings)
    if options.out is None:
        raise UsageError("say where to write: -o DIR")
    return _export(options, settings)


def _export(options: Namespace, settings: Settings) -> Exit:
    from medloop.apps.site import load_site
    from medloop.apps.sources import archive_of
    from medloop.workflow.labels import Asked, agreement_of, export_labels

    site = load_site()
    reading = site.reading
    with opened_store(settings) as store:
        archive = archive_of(store, site)
        names = {each.analysis for each in store.readings.all()}
        wanted = {name: reading.wanted(name) for name in names}
        is_apart = any(count > 1 for count in wanted.values())
        asked = Asked(
            analyses=tuple(options.analyses),
            readers=tuple(options.readers),
            is_signed=options.state == "signed",
            wanted=wanted,
            agreement=agreement_of(store, reading.wanted, archive=archive) if is_apart else {},
            kappa_min=reading.kappa_min,
        )
        now = datetime.now(UTC)
        with progress("writing labels") as report:
            found = export_labels(
                store,
                options.out,
                asked,
                actor=whoami(),
                now=now,
                archive=archive,
                report=report,
            )
    for why in found.left_out:
        note(f"left out: {why}")
    for analysis, kinds in found.cases.items():
        for kind, cases in kinds.items():
            say(f"{options.out / analysis / kind}: {len(cases)} cases")
    return Exit.DONE


def _next(options: Namespace, settings: Settings) -> Exit:
    import numpy as np

    from medloop.annotation.queue import Strategy
    from medloop.store import JobState
    from medloop.workflow.labeling import next_job

    with opened_store(settings) as store:
        readers = set(options.readers)
        read = {
            each.job
            for each in store.readings.all()
            if (each.number or each.state == "done") and (not readers or each.reader in readers)
        }
        wanted = set(options.analyses)
        jobs = [
            each
            for state in (JobState.DONE, JobState.SENDING, JobState.REVIEWED)
            for each in store.jobs.all(state=state)
            if not wanted or each.analysis in wanted
        ]
        chosen = next_job(
            store,
            [each.id for each in jobs if each.id not in read],
            Strategy(options.strategy),
            rng=np.random.default_rng(),
            known=[each.id for each in jobs if each.id in read],
        )
    if chosen is None:
        note("nothing is left to read")
        return Exit.DONE
    say(str(chosen))
    return Exit.DONE
