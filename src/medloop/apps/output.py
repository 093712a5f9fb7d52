"""Writing into OUT: whole files or none."""

import secrets
from collections.abc import Callable
from pathlib import Path

from medloop.apps.console import UsageError


def require_folder(out: Path) -> None:
    """Raise `UsageError` if results cannot go there because it is a file."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file, and results need a folder")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a hidden sibling, which then takes the place of `path`.

    The sibling keeps the suffixes of `path`, by which libraries choose a format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write text whole, names of files as they are on disk; return `path`."""
    data = text.encode("utf-8", errors="surrogateescape")
    write_whole(path, lambda part: part.write_bytes(data))
    return path
