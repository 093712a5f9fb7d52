"""Bodies that are written to the disk as they come: of many files, or of a mask."""

import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import prod
from pathlib import Path
from typing import BinaryIO, Final

from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool

from medloop.core.errors import InputError, ServiceError
from medloop.dicom.web.multipart import PartsToFiles
from medloop.workflow.lightbox import Shown

_BUFFER: Final = 1 << 20
_STALE_S: Final = 3600.0


async def receive(stream: AsyncIterator[bytes], parts: PartsToFiles) -> None:
    """Write the parts to disk, a megabyte at a time, beside the loop of events.

    Raises
    ------
    InputError
        If the body is damaged, or ends before its last part; `TooLargeError` if it is too long.
    """
    waiting = bytearray()
    try:
        async for chunk in stream:
            waiting += chunk
            if len(waiting) >= _BUFFER:
                await run_in_threadpool(parts.feed, bytes(waiting))
                waiting.clear()
        await run_in_threadpool(parts.feed, bytes(waiting))
    finally:
        with suppress(InputError):
            parts.close()
    parts.close()


@asynccontextmanager
async def spooled(request: Request, folder: Path, *, most_bytes: int) -> AsyncIterator[Path]:
    """Write a body to a file that lasts as long as this does; 413 if it is larger.

    A body that says beforehand how large it is is refused before a byte of it is read.

    Raises
    ------
    ServiceError
        If the disk takes no more.
    """
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdecimal():
        _require_small(int(announced), most_bytes)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch:
        path = Path(scratch) / "body"
        try:
            with path.open("wb") as file:
                await _write(request.stream(), file, most_bytes)
        except OSError as error:
            raise ServiceError(f"what is sent cannot be kept: {error.strerror}") from error
        yield path


def most_bytes_of(shown: Shown, *, per_voxel: int = 4, more: int = 1 << 20) -> int:
    """Say how large a mask of an image may be, as it is sent: voxels of so many bytes."""
    size = shown.size_px if shown.grid is None else shown.grid.shape
    return prod(size) * per_voxel + more


async def _write(stream: AsyncIterator[bytes], file: BinaryIO, most_bytes: int) -> None:
    had, waiting = 0, bytearray()
    async for chunk in stream:
        had += len(chunk)
        _require_small(had, most_bytes)
        waiting += chunk
        if len(waiting) >= _BUFFER:
            await run_in_threadpool(file.write, bytes(waiting))
            waiting.clear()
    await run_in_threadpool(file.write, bytes(waiting))


def _require_small(size: int, most_bytes: int) -> None:
    if size > most_bytes:
        limit = most_bytes / 1e6
        raise HTTPException(413, f"a mask of this image has at most {limit:.1f} MB")


def sweep(folder: Path) -> None:
    """Remove what a killed server left."""
    with suppress(FileNotFoundError):
        for each in folder.iterdir():
            if time.time() - each.stat().st_mtime > _STALE_S:
                shutil.rmtree(each, ignore_errors=True)
