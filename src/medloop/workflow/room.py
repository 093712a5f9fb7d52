"""Whether there is room to write: work waits for a full or read-only disk, and is not lost."""

import errno
import os
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 200_000_000  # for the products of the largest study, and the database
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def obstacle(folder: Path, *, reserve_bytes: int = RESERVE_BYTES) -> str:
    """Say why nothing should be written below a folder now; empty if nothing is in the way."""
    while not folder.exists() and folder.parent != folder:
        folder = folder.parent
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        return f"disk cannot be reached: {error.strerror}"
    if disk.f_flag & os.ST_RDONLY:
        return "disk is read-only"
    free = disk.f_bavail * disk.f_frsize
    if free < reserve_bytes:
        return f"disk is full: under {reserve_bytes / 1e6:.0f} MB free"  # the same every time
    return ""


def is_full(error: BaseException | None) -> bool:
    """Whether an error came of a disk that is full or read-only."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False
