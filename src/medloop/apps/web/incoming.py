"""Bodies of many files, written to the disk as they come."""

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool

from medloop.core.errors import InputError
from medloop.dicom.web.multipart import PartsToFiles

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


def sweep(folder: Path) -> None:
    """Remove what a killed server left."""
    with suppress(FileNotFoundError):
        for each in folder.iterdir():
            if time.time() - each.stat().st_mtime > _STALE_S:
                shutil.rmtree(each, ignore_errors=True)
