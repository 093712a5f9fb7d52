"""Logs of a node: JSON lines, one a record, with hashes where studies would stand.

The hash of a study is keyed with a secret of this node: lines about the same study can be
found, and nobody can look a UID up in a log. Values of errors are never written.
"""

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from medloop.apps.console import TOLD, Exit, exit_of, told
from medloop.core.errors import ServiceError

log = logging.getLogger(__name__)

KEY_FILE: Final = "log.key"
# What `extra` may add to a record; anything else stays out.
_FACTS: Final = ("route", "method", "status", "ms", "who", "job", "analysis", "destination")
_UID: Final = re.compile(r"(?<![\w.])\d+(?:\.\d+){4,}(?![\w.])")
_HEARD: Final = ("medloop", "uvicorn.error")


@dataclass(frozen=True, slots=True)
class StudyHash:
    """Names studies in logs."""

    key: bytes

    def __call__(self, uid: str) -> str:
        """Return the name of a UID."""
        return hmac.new(self.key, uid.encode(), hashlib.sha256).hexdigest()[:12]

    def within(self, text: str) -> str:
        """Replace every UID in a text."""
        return _UID.sub(lambda found: f"study:{self(found.group())}", text)


def study_hash(home: Path) -> StudyHash:
    """Read the key of a node, made at the first use.

    Raises
    ------
    ServiceError
        If it cannot be read or written.
    """
    path = home / KEY_FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make_key(path)
        return StudyHash(path.read_bytes())
    except OSError as error:
        raise ServiceError(f"{path}: {error.strerror}") from error


def _make_key(path: Path) -> None:
    """Write a key whole, for us alone, unless another process is faster."""
    part = path.with_name(f".{secrets.token_hex(8)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(32))
        with suppress(FileExistsError):
            path.hardlink_to(part)
    finally:
        part.unlink()


@dataclass(frozen=True, slots=True)
class _Lines:
    """How a record becomes a line."""

    name: StudyHash
    as_json: bool

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        said = self.name.within(" ".join(record.getMessage().split()))
        error = record.exc_info[1] if record.exc_info else None
        facts: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname.lower(),
            "from": record.name,
            "said": said,
        }
        if (study := getattr(record, "study", None)) is not None:
            facts["study"] = self.name(str(study))
        facts |= {key: vars(record)[key] for key in _FACTS if key in vars(record)}
        if error is not None:
            facts["error"] = _place(error)
        if self.as_json:
            return json.dumps(facts, ensure_ascii=False, default=str)
        more = "  ".join(f"{key}={facts[key]}" for key in list(facts)[4:])
        return f"{facts['at']}  {facts['level']}  {said}  {more}".rstrip()


class _Formatter(logging.Formatter):
    """Hands records to `_Lines`."""

    def __init__(self, lines: Callable[[logging.LogRecord], str]) -> None:
        super().__init__()
        self.lines = lines

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return self.lines(record)


@contextmanager
def node_logging(
    home: Path, stream: TextIO | None = None, *, level: int = logging.INFO
) -> Iterator[StudyHash]:
    """Write records of medloop to `stream` (stderr) while the block runs, in place of others.

    JSON unless a person reads along. Libraries are not heard: their warnings may hold values.
    """
    out = sys.stderr if stream is None else stream
    name = study_hash(home)
    handler = logging.StreamHandler(out)
    handler.setFormatter(_Formatter(_Lines(name, as_json=not out.isatty()).format))
    handler.addFilter(lambda record: record.name.startswith(_HEARD))
    root, ours = logging.getLogger(), logging.getLogger("medloop")
    before, was = list(root.handlers), ours.level
    for other in before:
        root.removeHandler(other)
    root.addHandler(handler)
    ours.setLevel(level)
    try:
        yield name
    finally:
        root.removeHandler(handler)
        ours.setLevel(was)
        for other in before:
            root.addHandler(other)


@contextmanager
def node_process(home: Path, stream: TextIO | None = None) -> Iterator[StudyHash]:
    """Log as `node_logging`, and end the process with a line of that log, never with others.

    Raises
    ------
    SystemExit
        With the exit code of what ended the block: an interruption, the world, or a bug.
    """
    before = threading.excepthook
    with node_logging(home, stream) as name:
        threading.excepthook = _thread_ended
        try:
            yield name
        except KeyboardInterrupt as interruption:
            log.info("%s", told(interruption))
            raise SystemExit(Exit.INTERRUPTED) from None
        except TOLD as error:
            log.error("%s", told(error))  # noqa: TRY400 (in one line)
            raise SystemExit(exit_of(error)) from None
        except Exception:  # the boundary of a process
            log.exception("ended by a bug")
            raise SystemExit(Exit.TROUBLE) from None
        finally:
            threading.excepthook = before


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    """Name what ended a thread, and where; not its values."""
    log.error("a thread was ended by a bug", exc_info=ended.exc_value)


def _place(error: BaseException) -> str:
    """Say the class of an error and where it came from: no values."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
