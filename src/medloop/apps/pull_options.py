"""``medloop pull``: studies from a PACS that the settings name."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from medloop.apps.console import Exit, UsageError, note, progress, say, whoami
from medloop.apps.opening import opened
from medloop.apps.settings import Settings

if TYPE_CHECKING:
    from medloop.workflow.pull import Found, Pulled
    from medloop.workflow.reception import Reception

SUMMARY: Final = "Fetch studies from a PACS that the settings name, and queue what suits them."
EXAMPLES: Final = (
    "pacs --date today --modality CT",
    "pacs --date 2026-01-01..2026-01-31 --limit 20 --dry-run",
    "pacs --accession A1234567",
)


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", metavar="SOURCE", help="a [[source]] of medloop.toml")
    parser.add_argument(
        "--date",
        metavar="DAYS",
        help="days of the studies: today, yesterday, '7 days', 2026-01-31, 20260101-20260131;"
        " either end of a range may be left out",
    )
    parser.add_argument("--modality", default="", help="studies with a series of this modality")
    parser.add_argument("--patient", default="", metavar="ID", help="of this patient")
    parser.add_argument("--accession", default="", metavar="N", help="with this number")
    parser.add_argument("--study", default="", metavar="UID", help="this study")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="fetch at most N studies, the newest"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="list what matches, and fetch nothing"
    )


def answer(options: Namespace, settings: Settings) -> Exit:
    """Ask, and fetch what is not here.

    Raises
    ------
    UsageError
        If the source is unknown, or the query asks for everything.
    InputError
        If too many studies match.
    ServiceError
        If the PACS or the store cannot be reached.
    """
    from medloop.apps.site import load_site
    from medloop.apps.sources import named_source, wanted_days
    from medloop.core.retrieve import Wanted
    from medloop.workflow.pull import Pull, look

    if options.limit is not None and options.limit < 1:
        raise UsageError(f"--limit {options.limit} is below 1")
    today = datetime.now(UTC).astimezone().date()
    days = wanted_days(options.date, today=today) if options.date is not None else (None, None)
    wanted = Wanted(
        *days, options.modality.upper(), options.patient, options.accession, options.study
    )
    if wanted.is_everything:
        raise UsageError("pull needs --date, --modality, --patient, --accession or --study")
    site = load_site()
    source = named_source(options.source, site)
    with opened(settings, site) as (_, _, reception):
        found = look(source, wanted, reception.store)
        if options.dry_run:
            return _tell(found[: options.limit])
        due = [each for each in found if not each.is_complete][: options.limit]
        with progress("fetching", sum(each.held.instances or 0 for each in due)) as report:
            pulled = []
            for each in Pull(source, reception, whoami()).studies(due, report):
                _say(each)
                pulled.append(each)
        _settle(reception, settings, pulled)
    here = sum(each.is_complete for each in found)
    say(f"{len(found)} match, {here} were here, {len(due)} fetched")
    return _ending(pulled)


def _tell(found: "tuple[Found, ...]") -> Exit:
    for each in found:
        held = each.held
        total = "?" if held.instances is None else str(held.instances)
        kinds = "/".join(held.modalities) or "-"
        say(f"{held.study} {held.date or '-'} {kinds}: {each.here} of {total} here")
    say(f"{len(found)} match, {sum(each.is_complete for each in found)} are here")
    return Exit.DONE


def _say(pulled: "Pulled") -> None:
    told = f"{pulled.study}: {pulled.stored} new, {pulled.known} known"
    if pulled.sent:
        told += f", {pulled.sent} sent to the node's receiver"
    say(told)
    if pulled.conflicts:
        note(f"{pulled.study}: {pulled.conflicts} have the UID of others; kept apart")
    if pulled.refused:
        note(f"{pulled.study}: {pulled.refused} cannot be read")
    if pulled.reason:
        note(f"{pulled.study}: {pulled.reason}")


def _settle(reception: "Reception", settings: Settings, pulled: "list[Pulled]") -> None:
    """Route what came whole, as ``medloop import`` does: the node need not run."""
    from dataclasses import replace

    from medloop.apps.bootstrap import choose_analyses

    grown = [each.study for each in pulled if each.stored and not each.reason]
    if not grown:
        return
    knowing = replace(reception, analyses=choose_analyses((), settings))
    for study in grown:
        knowing.settle_study(study, knowing.now())


def _ending(pulled: "list[Pulled]") -> Exit:
    if any(each.reason for each in pulled):
        return Exit.TROUBLE
    return Exit.BAD_INPUT if any(each.refused for each in pulled) else Exit.DONE


PULL: Final = (SUMMARY, add_options, answer, EXAMPLES)
