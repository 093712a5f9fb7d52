"""``medloop backup``, ``restore``, ``verify`` and ``prune``: what is kept, and for how long."""

import json
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from medloop.apps.console import Exit, UsageError, note, progress, say, whoami
from medloop.apps.opening import opened_store
from medloop.apps.settings import Settings


def backup_options(parser: ArgumentParser) -> None:
    """Declare the options of ``medloop backup``."""
    parser.add_argument("destination", metavar="DEST", type=Path, help="the backup's folder")


def backup(options: Namespace, settings: Settings) -> Exit:
    """Copy database, archive and results while the node runs.

    Raises
    ------
    UsageError
        If DEST is a file, or within the store.
    ServiceError
        If the store cannot be read, or DEST not written.
    """
    from medloop.store.backup import back_up

    destination: Path = options.destination
    if destination.exists() and not destination.is_dir():
        raise UsageError(f"{destination}: is a file, and a backup needs a folder")
    if destination.resolve().is_relative_to(settings.home.resolve()):
        raise UsageError(f"{destination}: is within the store that is to be backed up")
    with opened_store(settings) as store, progress("copying") as report:
        made = back_up(store, destination, now=_now(), report=report)
    for problem in made.problems:
        note(f"medloop: {problem}")
    say(f"{destination / 'snapshots' / made.name}: {made.files} files, {made.copied} new")
    return Exit.BAD_INPUT if made.problems else Exit.DONE


def restore_options(parser: ArgumentParser) -> None:
    """Declare the options of ``medloop restore``."""
    parser.add_argument("source", metavar="SRC", type=Path, help="the backup's folder")
    parser.add_argument(
        "--snapshot", default="", metavar="NAME", help="which one (default: the newest)"
    )


def restore(options: Namespace, settings: Settings) -> Exit:
    """Fill an empty store from a backup, and verify it.

    Raises
    ------
    InputError
        If the backup is damaged, or the store is not empty.
    ServiceError
        If the store cannot be written.
    """
    from medloop.store import Entry
    from medloop.store.restore import restore as fill
    from medloop.store.verify import verify as look

    url = settings.database or None
    with progress("restoring") as report:
        manifest = fill(
            options.source, settings.home, url, name=options.snapshot, report=report
        )
    with opened_store(settings) as store:
        differences = tuple(look(store, head=manifest.audit_head or None))
        details = {"made": manifest.made, "differences": str(len(differences))}
        store.audit.append(Entry(_now(), whoami(), "restored", "store", details))
    for line in differences:
        say(line)
    files = len(manifest.objects) + len(manifest.results)
    note(f"medloop: restored {files} files as of {manifest.made}")
    return Exit.BAD_INPUT if differences else Exit.DONE


def verify_options(parser: ArgumentParser) -> None:
    """Declare the options of ``medloop verify``."""
    parser.add_argument(
        "--head",
        metavar="HASH",
        help="a head of the audit log noted before: finds rows cut off since",
    )


def verify(options: Namespace, settings: Settings) -> Exit:
    """Print each difference between what is kept and what should be; exit 3 if there is one.

    Raises
    ------
    ServiceError
        If the store cannot be read.
    """
    from medloop.store.verify import verify as look

    count = 0
    with opened_store(settings) as store, progress("verifying") as report:
        for line in look(store, head=options.head, report=report):
            say(line)
            count += 1
    note(f"medloop: {count or 'no'} difference{'' if count == 1 else 's'}")
    return Exit.BAD_INPUT if count else Exit.DONE


def prune_options(parser: ArgumentParser) -> None:
    """Declare the options of ``medloop prune``."""
    parser.add_argument(
        "--keep-days",
        type=int,
        metavar="N",
        help="studies that grew last more than N days ago leave (default: [archive] keep_days)",
    )
    parser.add_argument(
        "--max-gb",
        type=float,
        metavar="G",
        help="the oldest leave while there is more than this (default: [archive] max_gb)",
    )
    parser.add_argument(
        "--apply", action="store_true", help="remove them; without it they are only listed"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def prune(options: Namespace, settings: Settings) -> Exit:
    """List, or remove, the studies that the rules let go.

    Raises
    ------
    UsageError
        If there is no rule, or one cannot be meant.
    ServiceError
        If the store cannot be read or written.
    """
    from medloop.apps.site import load_site
    from medloop.store import retention

    archive = load_site().archive
    days = archive.keep_days if options.keep_days is None else options.keep_days
    gigabytes = archive.max_gb if options.max_gb is None else options.max_gb
    if days < 0 or gigabytes < 0:
        raise UsageError("--keep-days and --max-gb may not be below 0")
    if not days and not gigabytes:
        raise UsageError("there is no rule: set [archive] keep_days, or say --keep-days")
    with opened_store(settings) as store:
        rules = retention.Rules(days, int(gigabytes * 1e9))
        if options.apply:
            gone = retention.prune(store, rules, actor=whoami(), now=_now())
        else:
            gone = retention.due(store, rules, now=_now())
    if options.json:
        rows = [
            {"study": each.study, "bytes": each.size_bytes, "rule": each.rule} for each in gone
        ]
        say(json.dumps({"removed": options.apply, "studies": rows}, indent=2))
        return Exit.DONE
    for each in gone:
        say(f"{each.study}: {each.size_bytes / 1e6:.1f} MB, {each.rule}")
    size = sum(each.size_bytes for each in gone) / 1e9
    what = "removed" if options.apply else "would leave; --apply removes them"
    note(f"medloop: {len(gone)} studies, {size:.2f} GB {what}")
    return Exit.DONE


def _now() -> datetime:
    return datetime.now(UTC)


BACKUP: Final = (
    "backup",
    "Copy database, archive and results, while the node runs; what is known is copied once.",
    backup_options,
    backup,
    ("/mnt/backup",),
)
RESTORE: Final = (
    "restore",
    "Fill an empty store from a backup.",
    restore_options,
    restore,
    ("/mnt/backup", "/mnt/backup --snapshot 20260301T040000Z"),
)
VERIFY: Final = (
    "verify",
    "Read everything kept and name each difference: archive, catalog, results, audit log.",
    verify_options,
    verify,
    ("", "--head 5f0c...e1"),
)
PRUNE: Final = (
    "prune",
    "List or remove studies whose time in the archive is over.",
    prune_options,
    prune,
    ("--keep-days 90", "--max-gb 500 --apply"),
)
