"""``medloop audit``: who did what, when, and whether the log is whole."""

import json
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from medloop.apps.console import Exit, UsageError, say, whoami
from medloop.apps.opening import opened_store
from medloop.apps.settings import Settings

if TYPE_CHECKING:
    from medloop.store.audit import Audit, Row, Wanted

SUMMARY: Final = "Look into the log of who did what, check that it is whole, copy it."
EXAMPLES: Final = (
    "list --actor li --since 2026-03-01",
    "verify",
    "export -o audit.jsonl --until 2026-04-01",
)


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", choices=("list", "verify", "export"))
    parser.add_argument("--actor", metavar="NAME", help="list, export: deeds of this user")
    parser.add_argument("--action", dest="deed", metavar="TEXT", help="list, export: this deed")
    parser.add_argument("--subject", metavar="UID", help="list, export: done to this")
    for name, what in (("since", "from this day on"), ("until", "before this day")):
        said = f"list, export: {what} (2026-03-01, or with time and zone), UTC"
        parser.add_argument(f"--{name}", metavar="TIME", type=moment, help=said)
    parser.add_argument(
        "--limit", type=int, default=100, metavar="N", help="list: the newest N (default 100)"
    )
    parser.add_argument("--json", action="store_true", help="list: print JSON lines")
    parser.add_argument(
        "--head", metavar="HASH", help="verify: a head from before, which must still be there"
    )
    parser.add_argument("-o", "--out", type=Path, help="export: file of JSON lines to write")


def answer(options: Namespace, settings: Settings) -> Exit:
    """Check that the options belong together, and do what they ask.

    Raises
    ------
    UsageError
        If they do not.
    InputError
        If the log was changed.
    """
    from medloop.store.audit import Wanted

    if options.action == "export" and options.out is None:
        raise UsageError("audit export needs -o FILE")
    if options.limit < 1:
        raise UsageError(f"--limit {options.limit} is below 1")
    wanted = Wanted(options.actor, options.deed, options.subject, options.since, options.until)
    with opened_store(settings) as store:
        if options.action == "verify":
            say(store.audit.verify(head=options.head))
        elif options.action == "list":
            for row in store.audit.page(wanted, limit=options.limit, newest=True):
                say(json.dumps(_facts(row), ensure_ascii=False) if options.json else _line(row))
        else:
            _export(store.audit, wanted, options.out)
    return Exit.DONE


AUDIT: Final = (SUMMARY, add_options, answer, EXAMPLES)


def moment(text: str) -> datetime:
    """Read a day or a moment; without a zone it is UTC.

    Raises
    ------
    UsageError
        If it is neither.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no time: write 2026-03-01 or 2026-03-01T12:00") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _export(audit: "Audit", wanted: "Wanted", out: Path) -> None:
    from medloop.apps.output import write_whole
    from medloop.store import Entry

    def write(part: Path) -> None:
        with part.open("w", encoding="utf-8") as lines:
            for row in audit.rows(wanted):
                lines.write(json.dumps(_facts(row), ensure_ascii=False) + "\n")

    write_whole(out, write)
    audit.append(Entry(datetime.now(UTC), whoami(), "exported", "audit log", {}))
    say(str(out))


def _facts(row: "Row") -> dict[str, object]:
    return {
        "id": row.number,
        "at": row.entry.at.isoformat(timespec="microseconds"),
        "actor": row.entry.actor,
        "action": row.entry.action,
        "subject": row.entry.subject,
        "details": dict(row.entry.details),
        "previous": row.previous,
        "hash": row.hash,
    }


def _line(row: "Row") -> str:
    entry = row.entry
    details = ", ".join(f"{key} {value}" for key, value in entry.details.items())
    said = f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.actor}  {entry.action}  {entry.subject}"
    return f"{row.number}  {said}  {details}".rstrip()
