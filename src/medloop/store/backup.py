"""Copies of everything kept, made while the node runs, each as of one moment.

A backup folder holds ``objects/``, files by hash as the archive keeps them, and
``snapshots/NAME/``, each with a copy of the database and a manifest of the files it names. An
object is copied once, however many snapshots name it. A snapshot appears whole or not at all.

What was acknowledged but is not in the catalog yet lies in the spool; it is copied before the
database is, so that no object falls between the two.
"""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import medloop
from medloop.core.errors import InputError
from medloop.store.archive import Archive, sha256_of
from medloop.store.audit import Entry
from medloop.store.database import Store
from medloop.store.named import Named
from medloop.store.segments import disk, flush_folder
from medloop.store.snapshot import copy_database
from medloop.store.spool import Spool
from medloop.store.staging import staging

SCHEMA: Final = "medloop.backup/1"
MANIFEST: Final = "manifest.json"
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class File:
    """One file of a result, or one object of the spool (`path` is where it came from)."""

    path: str
    sha256: str
    size: int
    changed_ns: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot holds; `database` is the name of the copy, with its hash."""

    made: str
    medloop: str
    database: str
    database_sha256: str
    audit_head: str
    objects: tuple[str, ...]
    results: tuple[File, ...]
    spool: tuple[File, ...]

    def to_json(self) -> str:
        """Return the text of manifest.json."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class Made:
    """A snapshot that was made: its name, what was copied for it, and what could not be."""

    name: str
    files: int
    copied: int
    problems: tuple[str, ...]


def back_up(store: Store, destination: Path, *, now: datetime, report: Report) -> Made:
    """Make a snapshot in a backup folder, which is made if need be.

    Files that are damaged or missing are named in `problems`; all others are in the snapshot.

    Raises
    ------
    ServiceError
        If the database, or a disk, cannot be read or written.
    """
    name = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    part = destination / "snapshots" / f".{name}.part"
    before = _newest(destination)
    copier = _Copier(Archive(destination / "objects"))
    with disk("backup cannot be written"):
        shutil.rmtree(part, ignore_errors=True)
        destination.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (destination / "snapshots", destination / "objects"):
            folder.mkdir(mode=0o700, exist_ok=True)  # there are patients in it
        part.mkdir()
        try:
            spooled = tuple(copier.spool(store.root / "spool"))
            head = copier.head(store)  # before the copy, which then holds it
            copy, named = copy_database(store.database, part)
            objects = tuple(copier.objects(store.archive, named, report))
            results = tuple(copier.results(store.results_folder, named, before))
            manifest = Manifest(
                made=now.astimezone(UTC).isoformat(timespec="seconds"),
                medloop=medloop.__version__,
                database=copy.name,
                database_sha256=sha256_of(copy),
                audit_head=head,
                objects=objects,
                results=results,
                spool=tuple(each for each in spooled if each.sha256 not in named.objects),
            )
            (part / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
            for path in (copy, part / MANIFEST, part):
                flush_folder(path)
            part.rename(part.with_name(name))
            flush_folder(part.parent)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    count = len(objects) + len(results) + len(manifest.spool)
    details = {"snapshot": name, "files": str(count), "missing": str(len(copier.problems))}
    store.audit.append(Entry(now, "backup", "backed up", "store", details))
    return Made(name, count, copier.copied, tuple(copier.problems))


def snapshots(destination: Path) -> tuple[str, ...]:
    """Name the snapshots of a backup folder, oldest first."""
    with suppress(FileNotFoundError):
        return tuple(
            sorted(
                path.name
                for path in (destination / "snapshots").iterdir()
                if not path.name.startswith(".") and (path / MANIFEST).is_file()
            )
        )
    return ()


def read_manifest(destination: Path, name: str) -> Manifest:
    """Read what a snapshot holds.

    Raises
    ------
    InputError
        If it is not there, damaged, or of another schema.
    """
    try:
        text = (destination / "snapshots" / name / MANIFEST).read_text(encoding="utf-8")
        facts = json.loads(text)
        schema = facts.pop("schema")
        results, spool = (
            tuple(File(**each) for each in facts.pop(key)) for key in ("results", "spool")
        )
        objects = tuple(facts.pop("objects"))
        manifest = Manifest(objects=objects, results=results, spool=spool, **facts)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"snapshot {name} has no manifest that can be read") from error
    if schema != SCHEMA:
        raise InputError(f"snapshot {name} is {schema}, known: {SCHEMA}")
    return manifest


class _Copier:
    """Copies files into a backup, counts them, and lists what could not be copied."""

    def __init__(self, target: Archive) -> None:
        self._target = target
        self.copied = 0
        self.problems: list[str] = []

    def spool(self, folder: Path) -> Iterator[File]:
        """Copy the objects that wait in the spool; others may add to it meanwhile."""
        if not folder.is_dir():
            return
        spool = Spool(folder)
        with spool.reading():
            for waiting in spool.waiting(sys.maxsize):
                with staging(self._target) as (stage, added):
                    staged = stage.add(waiting.chunks())
                    added.append(staged)
                    if staged.sha256 != waiting.head.sha256:
                        continue  # it was never whole, so never acknowledged
                    stage.keep([staged])
                yield File(waiting.head.source, staged.sha256, staged.size)

    def head(self, store: Store) -> str:
        """Verify the audit log and return its head; empty if it is broken."""
        try:
            return store.audit.verify()
        except InputError as broken:
            self.problems.append(str(broken))
            return ""

    def objects(self, archive: Archive, named: Named, report: Report) -> Iterator[str]:
        """Copy what the catalog names."""
        for done, sha256 in enumerate(sorted(named.objects)):
            report(done, len(named.objects))
            path = archive.path(sha256)
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                self.problems.append(f"archive lacks object {sha256[:12]}")
                continue
            if self._put(path, sha256, size):
                yield sha256
            else:
                self.problems.append(f"archived object {sha256[:12]} is damaged")

    def results(self, folder: Path, named: Named, before: Mapping[str, File]) -> Iterator[File]:
        """Copy the products of results and reports; what has not changed is not read again."""
        for each in named.folders:
            for product in each.products:
                name = f"{each.path}/{product}"
                try:
                    facts = (folder / name).stat()
                except FileNotFoundError:
                    self.problems.append(f"{each.of}{product} of its result is missing")
                    continue
                known = before.get(name)
                size, changed = facts.st_size, facts.st_mtime_ns
                if known and (known.size, known.changed_ns) == (size, changed):
                    sha256 = known.sha256
                else:
                    sha256 = sha256_of(folder / name)
                if self._put(folder / name, sha256, size):
                    yield File(name, sha256, size, changed)
                else:
                    self.problems.append(f"{each.of}{product} changed meanwhile")

    def _put(self, source: Path | bytes, sha256: str, size: int) -> bool:
        """Copy unless it is there; False if the bytes are not those of the hash."""
        kept = self._target.path(sha256)
        with suppress(FileNotFoundError):
            if kept.stat().st_size == size:
                return True
        self.copied += 1
        found = self._target.put(source)
        if found != sha256:
            self._target.path(found).unlink(missing_ok=True)
        return found == sha256


def _newest(destination: Path) -> Mapping[str, File]:
    """Say what the newest snapshot knows of results, by path."""
    for name in reversed(snapshots(destination)):
        with suppress(InputError):
            return {each.path: each for each in read_manifest(destination, name).results}
    return {}
