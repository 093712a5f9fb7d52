"""A store as a snapshot of a backup holds it."""

import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Final

from medloop.core.errors import InputError
from medloop.store.archive import Archive, sha256_of
from medloop.store.backup import Manifest, Report, read_manifest, snapshots
from medloop.store.database import make_private
from medloop.store.segments import disk
from medloop.store.snapshot import is_empty, restore_database
from medloop.store.spool import Spool
from medloop.store.sql import connect

_TROUBLE: Final = "store cannot be written"


def restore(
    source: Path, root: Path, url: str | None, *, name: str = "", report: Report
) -> Manifest:
    """Fill an empty store from a snapshot, the newest unless `name`; returns what it holds.

    The database comes last, so that a restore which was interrupted is begun again. What is
    damaged in the backup ends it, before the database.

    Raises
    ------
    InputError
        If there is no such snapshot, it is damaged, or the store is not empty.
    ServiceError
        If the database or a disk fails.
    """
    known = snapshots(source)
    if not known or (name and name not in known):
        raise InputError(f"{source} holds no snapshot {name}".rstrip())
    name = name or known[-1]
    manifest = read_manifest(source, name)
    copy = source / "snapshots" / name / PurePosixPath(manifest.database).name
    with disk(_TROUBLE):
        make_private(root, has_file=not url)
        if not copy.is_file() or sha256_of(copy) != manifest.database_sha256:
            raise InputError(f"snapshot {name}: its copy of the database is damaged")
    database = connect(url or f"sqlite:///{root / 'medloop.db'}")
    try:
        if not is_empty(database):
            raise InputError("the store is not empty; a backup is restored into an empty one")
        with disk(_TROUBLE):
            _files(Archive(source / "objects"), root, manifest, report)
            restore_database(copy, database)
    finally:
        database.engine.dispose()
    return manifest


def _files(kept: Archive, root: Path, manifest: Manifest, report: Report) -> None:
    archive, spool = Archive(root / "archive"), Spool(root / "spool")
    total = len(manifest.objects) + len(manifest.results)
    for done, sha256 in enumerate(manifest.objects):
        report(done, total)
        if archive.put(_whole(kept, sha256)) != sha256:
            raise InputError(f"the backup's object {sha256[:12]} is damaged")
    for done, file in enumerate(manifest.results, start=len(manifest.objects)):
        report(done, total)
        target = _below(root / "results", file.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        shutil.copyfile(kept.checked(file.sha256), part)
        os.utime(part, ns=(file.changed_ns, file.changed_ns))
        part.replace(target)
    for file in manifest.spool:
        incoming = spool.open(file.path)
        incoming.write(kept.read(file.sha256))
        incoming.keep()
    spool.close()


def _whole(kept: Archive, sha256: str) -> Path:
    path = kept.path(sha256)
    if not path.is_file():
        raise InputError(f"the backup lacks object {sha256[:12]}")
    return path


def _below(folder: Path, name: str) -> Path:
    """Refuse a name that leads out of the folder."""
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts:
        raise InputError("the backup's manifest names a file outside the store")
    return folder / parts
