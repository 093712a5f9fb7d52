"""What objects say of themselves, kept by series so that it is read from files only once.

A file for each series: gzip, one line an object, its SHA-256 before its DICOM JSON. The files
may be deleted at any time; what is missing or damaged is made anew.
"""

import gzip
import hashlib
import secrets
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from medloop.core.errors import ServiceError
from medloop.store.query import Member

_LEVEL = 1  # of compression: a third larger than the best, and several times faster


@dataclass(frozen=True, slots=True)
class KeptMetadata:
    """Lines about objects in a folder; `make` reads an object that no line is about yet."""

    root: Path
    make: Callable[[Member], bytes]

    def lines(self, members: Sequence[Member]) -> Iterator[bytes]:
        """Yield one line for each of the members, which stand series after series.

        Raises
        ------
        ServiceError
            If the folder cannot be reached.
        """
        for _, group in groupby(members, key=lambda each: (each.study_uid, each.series_uid)):
            yield from self._of_series(tuple(group))

    def _of_series(self, members: tuple[Member, ...]) -> Iterator[bytes]:
        folder = _folder(self.root, members[0].study_uid)
        path = folder / f"{_hashed(members[0].series_uid)}.gz"
        known = _read(path)
        new = {m.sha256: self.make(m) for m in members if m.sha256 not in known}
        known |= new
        if new:
            _write(path, known)
        for member in members:
            yield known[member.sha256]


def forget_metadata(root: Path, study_uid: str) -> None:
    """Remove what is kept of a study.

    Raises
    ------
    ServiceError
        If it cannot be removed.
    """
    try:
        shutil.rmtree(_folder(root, study_uid))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ServiceError(f"metadata cannot be removed: {error.strerror}") from error


def _folder(root: Path, study_uid: str) -> Path:
    name = _hashed(study_uid)
    return root / name[:2] / name[2:]


def _hashed(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()


def _read(path: Path) -> dict[str, bytes]:
    try:
        whole = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (EOFError, gzip.BadGzipFile, zlib.error):  # cut off by a power failure
        return {}
    except OSError as error:
        raise ServiceError(f"metadata cannot be read: {error.strerror}") from error
    pairs = (line.partition(b" ") for line in whole.splitlines())
    return {key.decode(): line for key, _, line in pairs}


def _write(path: Path, lines: dict[str, bytes]) -> None:
    whole = b"\n".join(key.encode() + b" " + line for key, line in lines.items())
    part = path.with_name(f".{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.touch(mode=0o600)  # there are patients in it
            part.write_bytes(gzip.compress(whole, _LEVEL))
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise ServiceError(f"metadata cannot be kept: {error.strerror}") from error
