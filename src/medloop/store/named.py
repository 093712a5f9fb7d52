"""Which files the database names: objects of the archive, products of results, reports."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select, union

from medloop.store.reading import Version
from medloop.store.readings import version_of
from medloop.store.results import Kept, kept_of
from medloop.store.sql import ROWS
from medloop.store.tables import arrivals, conflicts, edits, instances, results, versions

# Where hashes of the archive's objects stand; masks that readers drew among them, and what
# they signed.
_OBJECTS = (
    arrivals.c.sha256,
    instances.c.sha256,
    conflicts.c.sha256,
    conflicts.c.kept_sha256,
    edits.c.mask,
    versions.c.record,
)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder below the results, whose it is, and the names of the files in it."""

    of: str
    path: str
    products: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """Everything a database names, at one moment; `signed` are reports by their reading."""

    objects: frozenset[str]
    results: tuple[Kept, ...]
    signed: tuple[tuple[int, Version], ...] = ()

    @property
    def folders(self) -> Iterator[Folder]:
        """The folders of all results and signed reports."""
        for kept in self.results:
            yield Folder(f"job {kept.job}: ", kept.folder, kept.products)
        for reading, version in self.signed:
            yield Folder(
                f"reading {reading}, version {version.number}: ",
                version.folder,
                version.products,
            )


def named_by(connection: Connection) -> Named:
    """List what the database names as the transaction sees it."""
    # What stays in a PACS has no hash.
    asked = union(*(select(c).where(c.is_not(None), c != "") for c in _OBJECTS))
    rows = connection.execute(select(results).order_by(results.c.job_id)).mappings()
    kept = tuple(kept_of(row) for row in rows)
    order = (versions.c.reading_id, versions.c.number)
    rows = connection.execute(select(versions).order_by(*order)).mappings()
    signed = tuple((row["reading_id"], version_of(row)) for row in rows)
    return Named(frozenset(connection.execute(asked).scalars()), kept, signed)


def still_named(connection: Connection, hashes: Collection[str]) -> frozenset[str]:
    """Choose the hashes that the database names."""
    found: set[str] = set()
    for chunk in _chunks(sorted(hashes)):
        for column in _OBJECTS:
            found.update(connection.execute(select(column).where(column.in_(chunk))).scalars())
    return frozenset(found)


def _chunks(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), ROWS):
        yield values[start : start + ROWS]
