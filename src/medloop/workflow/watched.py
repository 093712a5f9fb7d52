"""Folders into which other programs put files: each is taken in once it no longer grows.

The folder is looked through again and again, since shares of a network tell nobody of changes.
A look costs one directory entry a file, and nothing is read twice. A file leaves the folder
only when what it held is durable in the store; a crash between means that it is known already.
"""

import errno
import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from medloop.core.errors import ServiceError
from medloop.workflow.after import After
from medloop.workflow.brought import Brought, Given, bring
from medloop.workflow.reception import Reception

log = logging.getLogger(__name__)

DONE, FAILED = "done", "failed"
PATIENCE_S: Final = 60.0  # a file that is of no use may still be on its way
_BATCH: Final = 128
_EMPTY_S: Final = 3600.0  # a folder that has been empty for so long goes
_PREFIX: Final = "watch-"
_UNFINISHED: Final = frozenset(
    [".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".swp"]
)
_NUISANCES: Final = frozenset(["thumbs.db", "desktop.ini"])


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder to watch; a file is read when it has not changed for `still_s`."""

    path: Path
    after: After = After.MOVE
    still_s: float = 5.0


@dataclass(slots=True)
class _Sight:
    """A file as it was last seen, and since when it has looked so."""

    size: int
    modified: int
    since: float
    not_before: float = 0.0
    is_taken: bool = False

    @property
    def look(self) -> tuple[int, int]:
        return self.size, self.modified


@dataclass(slots=True)
class Watch:
    """One folder and what was seen in it; for one thread."""

    folder: Folder
    reception: Reception
    _seen: dict[str, _Sight] = field(default_factory=dict)
    _journal: "_Journal | None" = None

    def poll(self, now: float) -> int:
        """Take in what no longer grows; returns how many files were dealt with.

        `now` is a clock in s that only goes forward.

        Raises
        ------
        ServiceError
            If the folder cannot be read, or the store not be written; nothing is lost.
        """
        still = self._look(now)
        for start in range(0, len(still), _BATCH):
            self._take(still[start : start + _BATCH], now)
        return len(still)

    def _look(self, now: float) -> list[str]:
        """Look through the folder; return the names of files that no longer grow."""
        still = []
        seen: dict[str, _Sight] = {}
        try:
            for name, status in _files(self.folder):
                look = status.st_size, status.st_mtime_ns
                sight = self._seen.get(name)
                if sight is None or sight.look != look:
                    sight = _Sight(*look, since=now, is_taken=self._is_noted(name, look))
                seen[name] = sight
                is_due = now >= max(sight.since + self.folder.still_s, sight.not_before)
                if is_due and not sight.is_taken:
                    still.append(name)
        except OSError as error:
            raise ServiceError(f"watched folder cannot be read: {error.strerror}") from error
        self._seen = seen
        return sorted(still)

    def _take(self, names: Sequence[str], now: float) -> None:
        root = self.reception.store.root
        _sweep(root)
        files = [Given(self.folder.path / name, name) for name in names]
        try:
            scratch = tempfile.TemporaryDirectory(
                prefix=_PREFIX, dir=root, ignore_cleanup_errors=True
            )
        except OSError as error:
            raise ServiceError(f"store cannot be written: {error.strerror}") from error
        with scratch as unpacked:
            answers = bring(files, self.reception, scratch=Path(unpacked), source="folder")
        for name, answer in zip(names, answers, strict=True):
            self._finish(name, answer, now)
        taken = sum(not answer.problems for answer in answers)
        log.info("watched folder: %d files taken in, %d not", taken, len(names) - taken)

    def _finish(self, name: str, answer: Brought, now: float) -> None:
        sight, path = self._seen[name], self.folder.path / name
        try:
            status = path.lstat()
        except OSError:  # somebody took it away meanwhile
            del self._seen[name]
            return
        if (status.st_size, status.st_mtime_ns) != sight.look:  # it grew while it was read
            self._seen[name] = _Sight(status.st_size, status.st_mtime_ns, since=now)
            return
        if answer.problems and now - sight.since < PATIENCE_S:
            sight.not_before = sight.since + PATIENCE_S
            return
        try:
            self._put_away(path, name, answer)
            if self.folder.after is not After.LEAVE:
                del self._seen[name]
                return
        except OSError as error:
            log.warning("watched folder: files stay where they are: %s", error.strerror)
        sight.is_taken = True
        self._note(name, sight)

    def _put_away(self, path: Path, name: str, answer: Brought) -> None:
        after = self.folder.after
        if answer.problems:
            if after is After.LEAVE:
                log.warning("watched folder: a file is of no use: %s", _plain(answer))
                return
            target = _free(self.folder.path / FAILED / name)
            target.parent.mkdir(parents=True, exist_ok=True)
            reason = target.with_name(target.name + ".txt")
            reason.write_text(answer.problem + "\n", encoding="utf-8")
            path.rename(target)
        elif after is After.MOVE:
            target = _free(self.folder.path / DONE / name)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
        elif after is After.DELETE:
            path.unlink()

    def _is_noted(self, name: str, look: tuple[int, int]) -> bool:
        return self.folder.after is After.LEAVE and _key(name, look) in self._noted().keys

    def _note(self, name: str, sight: _Sight) -> None:
        if self.folder.after is After.LEAVE:
            self._noted().add(_key(name, sight.look))

    def _noted(self) -> "_Journal":
        if self._journal is None:
            place = hashlib.sha256(os.fsencode(self.folder.path)).hexdigest()[:16]
            self._journal = _Journal(self.reception.store.root / "watched" / place)
        return self._journal


class _Journal:
    """What was taken from a folder where files stay: a key a line, so that no name stands."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.keys: set[str] = set()
        with suppress(FileNotFoundError):
            self.keys = set(path.read_text(encoding="ascii", errors="replace").split())

    def add(self, key: str) -> None:
        """Note one; a note that is lost costs reading the file again."""
        self.keys.add(key)
        try:
            self._path.parent.mkdir(exist_ok=True)
            with self._path.open("a", encoding="ascii") as file:
                file.write(key + "\n")
        except OSError as error:
            raise ServiceError(f"store cannot be written: {error.strerror}") from error


def _files(folder: Folder) -> Iterator[tuple[str, os.stat_result]]:
    """Yield plain files and their status, by their names below the folder.

    No links, nothing hidden, nothing that is called unfinished.
    """
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        with os.scandir(folder.path / inside) as entries:
            is_empty = True
            for entry in entries:
                is_empty = False
                name = f"{inside}/{entry.name}" if inside else entry.name
                if entry.name.startswith(".") or name in (DONE, FAILED):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(name)
                elif entry.is_file(follow_symlinks=False) and not _is_nuisance(entry.name):
                    with suppress(FileNotFoundError):
                        yield name, entry.stat(follow_symlinks=False)
        if is_empty and inside and folder.after is not After.LEAVE:
            _remove_if_old(folder.path / inside)


def _is_nuisance(name: str) -> bool:
    plain = name.lower()
    return plain in _NUISANCES or plain.endswith("~") or Path(plain).suffix in _UNFINISHED


def _remove_if_old(folder: Path) -> None:
    with suppress(OSError):
        if time.time() - folder.stat().st_mtime > _EMPTY_S:
            folder.rmdir()


def _free(target: Path) -> Path:
    """Return a path that nothing has yet: with a number in front, if the name is taken."""
    for number in range(1, 100_000):
        name = target.name if number == 1 else f"{number}-{target.name}"
        free = target.with_name(name)
        if not free.exists() and not free.with_name(name + ".txt").exists():
            return free
    raise FileExistsError(errno.EEXIST, "too many files of one name")


def _plain(answer: Brought) -> str:
    """Say why without naming members of a zip: their names may name people."""
    return answer.problem.rpartition(": ")[2]


def _key(name: str, look: tuple[int, int]) -> str:
    return hashlib.sha256(f"{name}\0{look}".encode(errors="surrogateescape")).hexdigest()[:32]


def _sweep(root: Path) -> None:
    """Remove what killed nodes left unpacked."""
    for left in root.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > 24 * _EMPTY_S:
                shutil.rmtree(left, ignore_errors=True)
