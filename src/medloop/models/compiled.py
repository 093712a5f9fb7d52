"""Compiled networks kept on disk, so that the next command need not compile them.

A file holds a SHA-256 and what it is of. One that is damaged, or that the engine refuses, means
compiling again; a folder that cannot be written, that nothing is kept.
"""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_DIGEST: Final = hashlib.sha256().digest_size
_KEPT: Final = 24  # files, those used last
_SUFFIX: Final = ".compiled"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A folder of compiled networks, named by a digest of all that they depend on."""

    folder: Path

    def load(self, *key: object) -> bytes | None:
        """Return what was kept under a key, if it is whole."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            digest, network = content[:_DIGEST], content[_DIGEST:]
            if hashlib.sha256(network).digest() != digest:
                return None
        except OSError:
            return None
        with suppress(OSError):
            os.utime(path)
        return network

    def keep(self, network: bytes, *key: object) -> None:
        """Keep a network, and no more of them than have been used lately."""
        path = self._path(key)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(hashlib.sha256(network).digest() + network)
            part.replace(path)
            for old in sorted(self.folder.glob(f"*{_SUFFIX}"), key=_used)[:-_KEPT]:
                old.unlink(missing_ok=True)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def _path(self, key: tuple[object, ...]) -> Path:
        name = hashlib.sha256(repr(key).encode()).hexdigest()
        return self.folder / f"{name}{_SUFFIX}"


def _used(path: Path) -> float:
    return path.stat().st_mtime
