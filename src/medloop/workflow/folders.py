"""Folders that appear whole or not at all."""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medloop.core.errors import ServiceError

# A hidden leftover this old belongs to a process that was killed.
STALE_S = 3600.0


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Yield a hidden sibling to fill; on success it takes the place of `folder`, else it goes.

    Everything in it is on disk before the rename, so a reader sees the old folder or the new.

    Raises
    ------
    ServiceError
        If the disk is full, read-only or otherwise unwilling.
    """
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    is_new = not folder.parent.exists()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        part.mkdir()
        yield part
        for path in part.rglob("*"):
            _flush(path)
        _replace(part, folder)
        _flush(folder.parent)
    except OSError as error:
        raise ServiceError(_reason(error)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if is_new:
            with suppress(OSError):  # it holds the folder, as it should
                folder.parent.rmdir()


def _replace(new: Path, folder: Path) -> None:
    old = new.with_suffix(".old")
    with suppress(FileNotFoundError):
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        with suppress(OSError):
            old.rename(folder)
        raise
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove what killed runs left beside a folder; put back what they had moved away."""
    for left in folder.parent.glob(f".{_escape(folder.name)}.*"):
        with suppress(OSError):
            if left.suffix == ".old" and not folder.exists():
                left.rename(folder)
            elif left.suffix in (".part", ".old") and _is_stale(left):
                shutil.rmtree(left, ignore_errors=True)


def _is_stale(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > STALE_S


def _escape(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # folders on some file systems
            raise
    finally:
        os.close(handle)


def _reason(error: OSError) -> str:
    """Say what the system said, without the path: names of folders may name people."""
    return f"result folder cannot be written: {error.strerror or type(error).__name__}"
