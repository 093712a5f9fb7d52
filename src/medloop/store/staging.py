"""Many files into the archive at once, flushed together: many times faster than singly."""

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medloop.core.errors import InputError
from medloop.store.archive import Archive
from medloop.store.segments import disk, flush_folder

_TROUBLE: Final = "archive cannot be written"
_FLUSHES: Final = 8  # at once: the file system answers them together
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that is about to enter the archive, to be looked at first."""

    path: Path
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Staging:
    """Files written beside the archive; what is not kept is removed in the end."""

    archive: Archive

    def add(self, chunks: Iterable[bytes]) -> Staged:
        """Write a file, not flushed yet.

        Raises
        ------
        ServiceError
            If the archive cannot be written, for instance because the disk is full.
        """
        digest, size = hashlib.sha256(), 0
        with disk(_TROUBLE):
            part = self._folder() / secrets.token_hex(8)
            try:
                with part.open("xb", buffering=0) as file:
                    for chunk in chunks:
                        digest.update(chunk)
                        file.write(chunk)
                        size += len(chunk)
                    os.fchmod(file.fileno(), 0o444)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        return Staged(part, digest.hexdigest(), size)

    def keep(self, staged: Sequence[Staged]) -> None:
        """Let files enter the archive; they are on the disk when this returns.

        Raises
        ------
        ServiceError
            If the archive cannot be written.
        """
        new = [each for each in staged if not self._is_there(each)]
        with disk(_TROUBLE), ThreadPoolExecutor(_FLUSHES) as pool:
            list(pool.map(_flush, [each.path for each in new]))
            folders = set()
            for each in new:
                path = self.archive.path(each.sha256)
                path.parent.mkdir(exist_ok=True)
                each.path.rename(path)
                folders.add(path.parent)
            list(pool.map(flush_folder, folders))

    def drop(self, staged: Sequence[Staged]) -> None:
        """Remove what did not enter."""
        for each in staged:
            each.path.unlink(missing_ok=True)

    def _folder(self) -> Path:
        folder = self.archive.root / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _is_there(self, staged: Staged) -> bool:
        path = self.archive.path(staged.sha256)
        try:
            os.utime(path)  # it is wanted again just now: see `Archive.release`
            return path.stat().st_size == staged.size
        except FileNotFoundError:
            return False


@contextmanager
def staging(archive: Archive) -> Iterator[tuple[Staging, list[Staged]]]:
    """Stage files for a block; list those that were added, and they are cleared away after."""
    stage, added = Staging(archive), list[Staged]()
    try:
        yield stage, added
    finally:
        stage.drop(added)


def chunks_of(source: Path | bytes) -> Iterator[bytes]:
    """Yield the bytes of a file, or of memory.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    if isinstance(source, bytes):
        yield source
        return
    try:
        with source.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise InputError(f"file cannot be read: {error.strerror}") from error


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
