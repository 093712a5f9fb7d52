"""What the command line says, and where: results on stdout, everything else on stderr."""

import getpass
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from typing import Final

from medloop.core.errors import InputError, MedloopError, SettingError, UnsuitableError


class Exit(IntEnum):
    """How a command ended, for the shell."""

    DONE = 0
    TROUBLE = 1  # the world: a full disk, a busy database, a missing part
    USAGE = 2
    BAD_INPUT = 3
    UNSUITABLE = 4
    INTERRUPTED = 130


stop_asked = threading.Event()  # by Ctrl-C or a polite kill; cleared as a command begins


class UsageError(Exception):
    """What was typed cannot be meant."""


# What is told in one line, without a traceback.
TOLD: Final = (KeyboardInterrupt, UsageError, MedloopError, OSError)
_CODES: Final[Mapping[type[BaseException], Exit]] = {
    KeyboardInterrupt: Exit.INTERRUPTED,
    UsageError: Exit.USAGE,
    SettingError: Exit.USAGE,  # before the class that it is one of
    InputError: Exit.BAD_INPUT,
    UnsuitableError: Exit.UNSUITABLE,
}


def exit_of(error: BaseException) -> Exit:
    """Say how a command ends that this ends."""
    codes = (code for kind, code in _CODES.items() if isinstance(error, kind))
    return next(codes, Exit.TROUBLE)


def told(error: BaseException) -> str:
    """Say what the system said as a person would: the place, then what is wrong with it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or "interrupted"


def whoami() -> str:
    """Name who typed this, for logs: the account, or its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return str(os.getuid())


def say(text: str) -> None:
    """Print a result."""
    print(text)


def note(text: str) -> None:
    """Print something a person may want to know, on one line beside the results."""
    print(" ".join(text.split()), file=sys.stderr)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int, int], None]]:
    """Show a bar and the time left on stderr while the block runs, if a person is watching.

    The block calls the yielded function with (done, total).
    """
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)


class _OneLine(logging.Formatter):
    """Formats a record as one line: for a bug, its class and where it happened, no values."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = " ".join(record.getMessage().split())
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return f"medloop: {line}"
        frames = traceback.extract_tb(error.__traceback__)
        where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        return f"medloop: {line}: {type(error).__name__}{where}"


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Show warnings and errors of medloop, and none of libraries, while the block runs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    handler.setLevel(logging.WARNING)
    handler.addFilter(logging.Filter("medloop"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
