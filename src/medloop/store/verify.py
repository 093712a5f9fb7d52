"""Looking whether everything is there and as it was: archive, catalog, results, audit log."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Final

from medloop.core.errors import InputError
from medloop.core.record import from_json
from medloop.store.audit import START
from medloop.store.database import Store
from medloop.store.named import named_by, still_named
from medloop.store.reading import SIGNED, Version
from medloop.store.results import Kept

Report = Callable[[int, int], None]
_SHORT: Final = 12


def _silent(_done: int, _total: int) -> None:
    """Report to nobody."""


def verify(store: Store, *, head: str | None = None, report: Report = _silent) -> Iterator[str]:
    """Read all that is kept, and yield a line for each difference; none if all is well.

    The node may run meanwhile. `head` is one of the audit log known from before, by which rows
    cut off its end are found.

    Raises
    ------
    ServiceError
        If the database or a disk cannot be read now.
    """
    there = frozenset(store.archive.objects())
    with store.database.reading() as connection:
        named = named_by(connection)
    for done, sha256 in enumerate(sorted(named.objects)):
        report(done, len(named.objects))
        yield from _object(store, sha256)
    yield from _strangers(store, there - named.objects)
    for kept in named.results:
        yield from _result(store, kept)
    for reading, version in named.signed:
        yield from _report(store, reading, version)
    try:
        store.audit.verify(head=head or START)
    except InputError as broken:
        yield str(broken)


def _object(store: Store, sha256: str) -> Iterator[str]:
    try:
        store.archive.checked(sha256)
    except InputError as damage:
        with store.database.reading() as connection:
            if still_named(connection, [sha256]):  # else it was removed meanwhile
                yield str(damage)


def _strangers(store: Store, strangers: frozenset[str]) -> Iterator[str]:
    """Name the objects that nothing names, after a second look: they may be arriving."""
    with store.database.reading() as connection:
        strangers -= still_named(connection, strangers)
    for sha256 in sorted(strangers):
        if store.archive.path(sha256).exists():
            yield f"archived object {sha256[:_SHORT]} is named by nothing"


def _result(store: Store, kept: Kept) -> Iterator[str]:
    folder = store.results_folder / kept.folder
    missing = [name for name in kept.products if not (folder / name).is_file()]
    if missing and not _is_kept(store, kept):
        return
    for name in missing:
        yield f"job {kept.job}: {name} of its result is missing"
    if "result.json" in kept.products and "result.json" not in missing:
        try:
            is_same = from_json((folder / "result.json").read_text("utf-8")) == kept.record
        except (InputError, OSError, UnicodeDecodeError):
            is_same = False
        if not is_same:
            yield f"job {kept.job}: result.json differs from the record in the database"


def _report(store: Store, reading: int, version: Version) -> Iterator[str]:
    folder = store.results_folder / version.folder
    of = f"reading {reading}: version {version.number}"
    missing = [name for name in version.products if not (folder / name).is_file()]
    if missing and version not in store.readings.versions(reading):
        return  # it left with its study meanwhile
    for name in missing:
        yield f"{of} lacks {name}"
    if SIGNED in version.products and SIGNED not in missing:
        data = (folder / SIGNED).read_bytes()
        if hashlib.sha256(data).hexdigest() != version.record:
            yield f"{of}: {SIGNED} is not what was signed"


def _is_kept(store: Store, kept: Kept) -> bool:
    """Whether this is still the job's result: another may have taken its place meanwhile."""
    try:
        return store.results.get(kept.job).folder == kept.folder
    except InputError:
        return False
