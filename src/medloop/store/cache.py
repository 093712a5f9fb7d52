"""Objects of another archive, kept here for a while: checked when used, the oldest let go."""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medloop.core.errors import ServiceError
from medloop.core.study import SopUid
from medloop.store.archive import sha256_of

_IN_USE_S: Final = 600.0  # a file that was asked for so lately may still be read
_PART: Final = ".part"


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder ``ab/<hash of UID>/<hash of bytes>``; processes may share it.

    It grows beyond `max_bytes` only by what is in use.
    """

    root: Path
    max_bytes: int = 20 << 30

    def find(self, uid: SopUid) -> tuple[Path, str] | None:
        """Return an object's file and SHA-256, or None; what was damaged here is forgotten.

        Raises
        ------
        ServiceError
            If the disk fails.
        """
        try:
            for path in self._folder(uid).iterdir():
                if path.suffix == _PART:
                    continue
                if sha256_of(path) == path.name:
                    os.utime(path)
                    return path, path.name
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ServiceError(f"cache cannot be read: {error.strerror}") from error
        return None

    def put(self, uid: SopUid, file: Path) -> tuple[Path, str]:
        """Keep a copy of a file under a UID; returns its place and SHA-256.

        Raises
        ------
        ServiceError
            If the disk is full or fails.
        """
        folder = self._folder(uid)
        part = folder / (secrets.token_hex(8) + _PART)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, part)
            digest = sha256_of(part)
            kept = folder / digest
            part.replace(kept)
        except OSError as error:
            raise ServiceError(f"cache cannot be written: {error.strerror}") from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        return kept, digest

    def shrink(self) -> int:
        """Let go of what was not used longest until the rest fits; returns how many files."""
        files = sorted(_files(self.root), key=lambda each: each[1].st_mtime)
        total = sum(status.st_size for _, status in files)
        gone = 0
        for path, status in files:
            is_in_use = time.time() - status.st_mtime < _IN_USE_S
            if total <= self.max_bytes or is_in_use:
                break
            with suppress(OSError):
                path.unlink()
                path.parent.rmdir()
            total -= status.st_size
            gone += 1
        return gone

    def _folder(self, uid: SopUid) -> Path:
        name = hashlib.sha256(uid.encode(errors="replace")).hexdigest()
        return self.root / name[:2] / name[2:34]


def _files(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in root.glob("*/*/*"):
        with suppress(FileNotFoundError):
            yield path, path.stat()
