"""Files kept by what is in them: the name of a file is the SHA-256 of its bytes.

A file appears whole or not at all, is never changed, and is checked whenever it is read.
"""

import hashlib
import io
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from medloop.core.errors import InputError, ServiceError
from medloop.store.segments import flush_folder

CHUNK = 1 << 20
# A temporary file this old belongs to a process that was killed.
STALE_S = 3600.0


def sha256_of(path: Path) -> str:
    """Hash a file as objects of the archive are named."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Archive:
    """A folder of read-only files ``ab/cdef...``, named by their SHA-256."""

    root: Path

    def put(self, source: Path | bytes) -> str:
        """Keep a file or bytes and return the SHA-256; what is already there is kept once.

        Raises
        ------
        InputError
            If the file to keep cannot be read.
        ServiceError
            If the archive cannot be written, for instance because the disk is full.
        """
        with _opened(source) as stream, _writable():
            incoming = self.root / "incoming"
            incoming.mkdir(parents=True, exist_ok=True)
            part = incoming / secrets.token_hex(8)
            try:
                digest = _copy(stream, part)
                self._settle(part, self.path(digest))
            finally:
                part.unlink(missing_ok=True)
            return digest

    def path(self, sha256: str) -> Path:
        """Where the bytes of this hash are kept, if they are; their content is not checked.

        Raises
        ------
        ValueError
            If it is not a SHA-256 in lower-case hexadecimal digits.
        """
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise ValueError(f"not a SHA-256: {len(sha256)} characters")
        return self.root / sha256[:2] / sha256[2:]

    def checked(self, sha256: str) -> Path:
        """Where the bytes are kept, after reading them all and comparing the hash.

        Raises
        ------
        InputError
            If they are not there or were damaged.
        ServiceError
            If the disk fails.
        """
        path = self.path(sha256)
        try:
            found = sha256_of(path)
        except FileNotFoundError as error:
            raise InputError(f"archive lacks object {sha256[:12]}") from error
        except OSError as error:
            raise ServiceError(f"archive cannot be read: {error.strerror}") from error
        if found != sha256:
            raise InputError(f"archived object {sha256[:12]} is damaged, now {found[:12]}")
        return path

    def read(self, sha256: str) -> bytes:
        """Return the bytes, checked; raises as `checked` does."""
        return self.checked(sha256).read_bytes()

    def objects(self) -> Iterator[str]:
        """Name all objects that are there, in order."""
        for folder in sorted(self.root.glob("[0-9a-f][0-9a-f]")):
            for path in sorted(folder.iterdir()):
                if re.fullmatch(r"[0-9a-f]{62}", path.name):
                    yield folder.name + path.name

    def release(self, sha256: str, is_named: Callable[[str], bool]) -> bool:
        """Remove an object that nobody names any more; False if somebody wants it after all.

        Whoever keeps an object that is there already touches it first and names it then; so an
        object that was touched lately, or is named by now, stays.

        Raises
        ------
        ServiceError
            If the archive cannot be written.
        """
        path = self.path(sha256)
        with _writable():
            aside = self.root / "incoming" / f"{sha256}.{secrets.token_hex(4)}"
            aside.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.rename(aside)
            except FileNotFoundError:
                return True
            if time.time() - aside.stat().st_mtime < STALE_S or is_named(sha256):
                aside.rename(path)
                return False
            aside.unlink()
        return True

    def sweep(self) -> None:
        """Remove what killed processes left half-written."""
        with suppress(FileNotFoundError):
            for part in (self.root / "incoming").iterdir():
                with suppress(OSError):
                    if time.time() - part.stat().st_mtime > STALE_S:
                        part.unlink()

    def _settle(self, part: Path, path: Path) -> None:
        with suppress(FileNotFoundError):
            if path.stat().st_size == part.stat().st_size:
                os.utime(path)  # it was wanted again just now: see `release`
                return
        path.parent.mkdir(exist_ok=True)
        part.rename(path)
        flush_folder(path.parent)


def _copy(stream: BinaryIO, part: Path) -> str:
    digest = hashlib.sha256()
    with part.open("xb") as target:
        while chunk := _chunk(stream):
            digest.update(chunk)
            target.write(chunk)
        target.flush()
        os.fchmod(target.fileno(), 0o444)
        os.fsync(target.fileno())
    return digest.hexdigest()


def _chunk(stream: BinaryIO) -> bytes:
    try:
        return stream.read(CHUNK)
    except OSError as error:
        raise InputError(f"file cannot be read: {error.strerror}") from error


@contextmanager
def _opened(source: Path | bytes) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    try:
        stream = source.open("rb")
    except OSError as error:
        raise InputError(f"file cannot be read: {error.strerror}") from error
    with stream:
        yield stream


@contextmanager
def _writable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceError(f"archive cannot be written: {error.strerror}") from error
