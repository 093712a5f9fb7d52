"""One segment of the spool on the disk: its first page, its records, who writes to it."""

import ctypes
import fcntl
import os
import secrets
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from medloop.core.errors import ServiceError

PAGE: Final = 4096
SUFFIX: Final = ".segment"
PART: Final = ".part"
SOURCE_BYTES: Final = 1024
_WORTHWHILE: Final = 1 << 17  # bytes that are worth a call of the kernel
_WRITE: Final = 2  # SYNC_FILE_RANGE_WRITE: begin to write, wait for nothing
_MAGIC: Final = b"medloop1"
_front = struct.Struct("<8s16s")  # magic, generation; a CRC-32 follows
_head = struct.Struct("<8s16sQ32sH")  # magic, generation, size, SHA-256, length of the source


@dataclass(frozen=True, slots=True)
class Head:
    """What the first page of a record says; the object's bytes follow it."""

    start: int
    size: int
    sha256: str
    source: str

    @property
    def end(self) -> int:
        """Where the next record starts."""
        return end_of(self.start, self.size)


@dataclass(slots=True)
class Segment:
    """A segment that this process writes to, and holds locked."""

    path: Path
    handle: int
    generation: bytes
    end: int = PAGE


def end_of(start: int, size: int) -> int:
    """Where the record after one of this size starts: no two records share a page."""
    return start + PAGE + -(-size // PAGE) * PAGE


def seal(generation: bytes, size: int, digest: bytes, source: bytes) -> bytes:
    """Make the first page of a record."""
    head = _head.pack(_MAGIC, generation, size, digest, len(source)) + source
    return head + zlib.crc32(head).to_bytes(4, "little")


def records(path: Path, generation: bytes, start: int) -> Iterator[Head]:
    """Yield the records from a place on, up to the first that is not valid."""
    with path.open("rb", buffering=0) as file:
        length = os.fstat(file.fileno()).st_size
        while head := _unseal(os.pread(file.fileno(), PAGE, start), generation, start):
            if head.start + PAGE + head.size > length:
                return
            yield head
            start = head.end


def _unseal(page: bytes, generation: bytes, start: int) -> Head | None:
    if len(page) < _head.size + 4 or page[:8] != _MAGIC or page[8:24] != generation:
        return None
    _, _, size, digest, length = _head.unpack_from(page)
    end = _head.size + length
    if length > SOURCE_BYTES or zlib.crc32(page[:end]).to_bytes(4, "little") != page[end:][:4]:
        return None
    source = page[_head.size : end].decode(errors="replace")
    return Head(start, size, digest.hex(), source)


def generation_of(path: Path) -> bytes | None:
    """Say what marks the records of a segment; None if it lies ready to be written anew."""
    try:
        with path.open("rb", buffering=0) as file:
            front = file.read(_front.size + 4)
    except FileNotFoundError:
        return None
    body, seal = front[: _front.size], front[_front.size :]
    if body[:8] != _MAGIC or zlib.crc32(body).to_bytes(4, "little") != seal:
        return None
    return body[8:]


def take(path: Path) -> Segment | None:
    """Lock a segment that lies ready, and give it a generation; None if it is not ready."""
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    if generation_of(path) is not None or not path.exists():
        os.close(handle)
        return None
    generation = secrets.token_bytes(16)
    front = _front.pack(_MAGIC, generation)
    write(handle, front + zlib.crc32(front).to_bytes(4, "little"), 0)
    return Segment(path, handle, generation)


@contextmanager
def locked(path: Path) -> Iterator[int | None]:
    """Lock a segment for the block; yields None if somebody writes to it."""
    handle = os.open(path, os.O_RDWR)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield handle
    finally:
        os.close(handle)


def fill(path: Path, size: int) -> None:
    """Write a new segment in full: keeping records in it changes no metadata later."""
    part = path.with_suffix(PART)
    try:
        with part.open("xb", buffering=0) as file:
            for _ in range(0, size, 1 << 20):
                file.write(bytes(min(size, 1 << 20)))
            file.truncate(size)
            os.fsync(file.fileno())
        part.rename(path.with_suffix(SUFFIX))
    finally:
        part.unlink(missing_ok=True)
    flush_folder(path.parent)


def write(handle: int, data: bytes | memoryview, place: int) -> None:
    """Write all of it."""
    view = memoryview(data)
    while view:
        count = os.pwrite(handle, view, place)
        view, place = view[count:], place + count


def begin_flush(handle: int, start: int, end: int) -> int:
    """Have the disk begin with whole pages that were written; return where it has not begun.

    A hint, no promise: `os.fdatasync` is what makes them durable, and has less left to do.
    Where the kernel has no such call (sync_file_range(2) is Linux's), nothing is begun.
    """
    whole = end // PAGE * PAGE
    if _sync_file_range is None or whole - start < _WORTHWHILE:
        return start
    _sync_file_range(handle, start, whole - start, _WRITE)
    return whole


def _find_sync_file_range() -> Callable[[int, int, int, int], int] | None:
    try:
        call = ctypes.CDLL(None).sync_file_range
    except (AttributeError, OSError):
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    call.restype = ctypes.c_int
    return cast("Callable[[int, int, int, int], int]", call)


_sync_file_range = _find_sync_file_range()


def flush_folder(folder: Path) -> None:
    """Let the names in a folder reach the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def disk(trouble: str) -> Iterator[None]:
    """Say that the disk is at fault."""
    try:
        yield
    except OSError as error:
        raise ServiceError(f"{trouble}: {error.strerror}") from error
