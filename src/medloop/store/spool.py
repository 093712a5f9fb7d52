"""Where objects are kept the moment they arrive: written once into segments, then indexed.

A segment is a file that was written in full before, so that keeping an object in it changes no
metadata of the file system and takes one flush. It holds records one after another, each on a
page boundary: a page with the record's length, source and SHA-256, then the bytes. A record
counts once its first page is valid, and that is written last. One incoming object at a time
has a segment, which its process keeps locked (flock); others have segments of their own.

Readers start at the front and stop at the first record that is not valid: it was never
acknowledged, because records of a segment are kept in order. A segment that nobody writes to
any more is made anew once all it holds is in the catalog. Reading records twice does no harm,
so that a lost note of how far reading went loses nothing.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from medloop.core.errors import ServiceError
from medloop.core.flush import Flush
from medloop.store import segments
from medloop.store.segments import PAGE, Head, Segment, disk

SEGMENT_BYTES: Final = 32 << 20
ROOM: Final = 2 << 20  # a segment with less room than this is full
RESERVE_BYTES: Final = 1 << 30  # of the disk, for everything else
SPARE: Final = 3  # segments kept ready
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Spooled:
    """One object that waits to be indexed, where it lies in its segment."""

    path: Path
    generation: bytes
    head: Head

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes.

        Raises
        ------
        ServiceError
            If the disk fails.
        """
        left, position = self.head.size, self.head.start + PAGE
        with disk("spool cannot be read"), self.path.open("rb", buffering=0) as file:
            while left:
                chunk = os.pread(file.fileno(), min(left, _CHUNK), position)
                if not chunk:
                    raise ServiceError("spool was cut short while it was read")
                left, position = left - len(chunk), position + len(chunk)
                yield chunk


@dataclass(slots=True)
class Incoming:
    """One object that is arriving; ends with `keep` or `drop`. For one thread."""

    _source: bytes
    _segment: Segment
    _give_back: Callable[[Segment], None]
    _give_up: Callable[[Segment], None]
    _flush: Flush
    _room: int  # bytes that may be written to the disk
    size: int = 0
    _begun: int = 0  # bytes that the disk was told to begin with
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, chunk: bytes | memoryview) -> None:
        """Add bytes.

        Raises
        ------
        ServiceError
            If the disk is full or fails.
        """
        if self.size + len(chunk) > self._room:
            raise ServiceError("spool is full: the reserve of the disk is reached")
        self._digest.update(chunk)
        with disk("spool cannot be written"):
            segments.write(self._segment.handle, chunk, self._segment.end + PAGE + self.size)
        self.size += len(chunk)
        if self._flush is Flush.EACH:
            place = self._segment.end + PAGE
            begun = segments.begin_flush(
                self._segment.handle, place + self._begun, place + self.size
            )
            self._begun = begun - place

    def start(self, limit: int) -> bytes:
        """Return the first bytes that were written, at most so many."""
        with disk("spool cannot be read"):
            place = self._segment.end + PAGE
            return os.pread(self._segment.handle, min(limit, self.size), place)

    def keep(self) -> str:
        """Make it durable and return its SHA-256: from here on nothing loses it.

        Raises
        ------
        ServiceError
            If the disk is full or fails; the object is not kept.
        """
        segment, digest = self._segment, self._digest.digest()
        head = segments.seal(segment.generation, self.size, digest, self._source)
        try:
            with disk("spool cannot be written"):
                segments.write(segment.handle, head, segment.end)
                if self._flush is Flush.EACH:
                    os.fdatasync(segment.handle)
        except ServiceError:
            self._give_up(segment)  # what a failed flush has left is not known
            raise
        segment.end = segments.end_of(segment.end, self.size)
        self._give_back(segment)
        return digest.hex()

    def drop(self) -> None:
        """Forget it."""
        self._give_back(self._segment)


class Spool:
    """A folder of segments. Threads and processes may share it; each keeps its own segments.

    One reader at a time: `reading` waits for its turn.
    """

    def __init__(
        self,
        root: Path,
        *,
        flush: Flush = Flush.EACH,
        reserve_bytes: int = RESERVE_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.root = root
        self._flush = flush
        self._reserve = reserve_bytes
        self._size = segment_bytes
        self._lock = threading.Lock()
        self._idle: list[Segment] = []
        self._read: dict[Path, tuple[bytes, int]] = {}  # generation, and how far it was read

    def open(self, source: str) -> Incoming:
        """Begin to take an object; `source` says where it comes from, for the catalog.

        Raises
        ------
        ServiceError
            If the disk is full or fails.
        """
        with disk("spool cannot be written"):
            room = self.free_bytes()
            if room <= 0:
                raise ServiceError("spool is full: the reserve of the disk is reached")
            with self._lock:
                segment = self._idle.pop() if self._idle else None
            segment = segment or self._claim()
        named = source.encode(errors="replace")[: segments.SOURCE_BYTES]
        return Incoming(named, segment, self._give_back, self._give_up, self._flush, room)

    def free_bytes(self) -> int:
        """How much more may be taken before the reserve of the disk is reached.

        Raises
        ------
        ServiceError
            If the folder cannot be reached.
        """
        with disk("spool cannot be reached"):
            self.root.mkdir(parents=True, exist_ok=True)
            return shutil.disk_usage(self.root).free - self._reserve

    def prepare(self, count: int = SPARE) -> None:
        """See to it that so many segments lie ready, if the disk has room.

        Raises
        ------
        ServiceError
            If the disk fails.
        """
        ready = sum(segments.generation_of(path) is None for path in self._paths())
        for _ in range(count - ready):
            if self.free_bytes() < 2 * self._size:
                return
            with disk("spool cannot be written"):
                segments.fill(self.root / secrets.token_hex(8), self._size)

    def close(self) -> None:
        """Let go of the segments; what they hold is indexed by whoever reads next."""
        with self._lock:
            idle, self._idle = self._idle, []
        for segment in idle:
            os.close(segment.handle)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Be the only reader while the block runs.

        Raises
        ------
        ServiceError
            If the disk fails.
        """
        with disk("spool cannot be read"):
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / "reader.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def waiting(self, limit: int) -> tuple[Spooled, ...]:
        """List objects that `done` was not told of, at most so many; within `reading`.

        Raises
        ------
        ServiceError
            If the disk fails.
        """
        found: list[Spooled] = []
        with disk("spool cannot be read"):
            for path in self._paths():
                generation = segments.generation_of(path)
                if generation is None:
                    continue
                known, start = self._read.get(path, (b"", PAGE))
                start = start if known == generation else PAGE
                for head in segments.records(path, generation, start):
                    found.append(Spooled(path, generation, head))
                    if len(found) == limit:
                        return tuple(found)
        return tuple(found)

    def done(self, objects: tuple[Spooled, ...]) -> None:
        """Note what is in the catalog now; within `reading`."""
        for spooled in objects:
            known, end = self._read.get(spooled.path, (b"", 0))
            end = end if known == spooled.generation else 0
            self._read[spooled.path] = (spooled.generation, max(end, spooled.head.end))

    def sweep(self) -> None:
        """Make segments anew that nobody writes to and that were read to the end.

        Raises
        ------
        ServiceError
            If the disk fails.
        """
        spare = 0
        with disk("spool cannot be written"):
            for path in self._paths():
                with segments.locked(path) as handle:
                    if handle is None:
                        continue
                    generation = segments.generation_of(path)
                    known, start = self._read.get(path, (b"", PAGE))
                    start = start if known == generation else PAGE
                    if generation and next(segments.records(path, generation, start), None):
                        continue
                    spare += 1
                    if spare > SPARE or os.fstat(handle).st_size != self._size:
                        path.unlink()
                    elif generation:
                        os.pwrite(handle, bytes(PAGE), 0)
                    self._read.pop(path, None)

    def _paths(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        return sorted(path for path in self.root.iterdir() if path.suffix == segments.SUFFIX)

    def _claim(self) -> Segment:
        """Take a segment that lies ready, or begin a new one, which is slower to write to."""
        for path in self._paths():
            segment = segments.take(path)
            if segment:
                return segment
        path = self.root / (secrets.token_hex(8) + segments.SUFFIX)
        path.touch(mode=0o600, exist_ok=False)
        segments.flush_folder(self.root)
        segment = segments.take(path)
        if segment is None:  # somebody else was faster
            return self._claim()
        return segment

    def _give_back(self, segment: Segment) -> None:
        if segment.end + ROOM > self._size:
            os.close(segment.handle)
            return
        with self._lock:
            self._idle.append(segment)

    def _give_up(self, segment: Segment) -> None:
        with suppress(OSError):
            os.close(segment.handle)
