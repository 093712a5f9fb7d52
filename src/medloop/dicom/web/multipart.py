"""Bodies of many parts (RFC 2387), written and read as they flow: memory holds one chunk."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from medloop.core.errors import InputError, ServiceError

MAX_PARTS: Final = 20_000
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=?$ -]{1,70}")  # $: MONAI Label's


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its headers, and its content in chunks."""

    headers: Mapping[str, str]
    chunks: Iterable[bytes]


def join_parts(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    """Write parts one after another."""
    for part in parts:
        lines = [f"--{boundary}", *(f"{key}: {value}" for key, value in part.headers.items())]
        yield ("\r\n".join(lines) + "\r\n\r\n").encode()
        yield from part.chunks
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def boundary_of(content_type: str) -> str:
    """Return the boundary that a Content-Type names.

    Raises
    ------
    InputError
        If it names none.
    """
    found = re.search(r';\s*boundary=(?:"([^"]*)"|([^;\s]*))', content_type, re.IGNORECASE)
    boundary = (found[1] or found[2] or "") if found else ""
    if not _BOUNDARY.fullmatch(boundary):
        raise InputError("Content-Type names no boundary")
    return boundary


@dataclass(slots=True)
class PartsToFiles:
    """Takes a body in chunks and leaves each part as a file in a folder.

    `types` are the media types the parts state, `names` what forms call their files (RFC 7578),
    both in the order of `files`.
    """

    folder: Path
    boundary: str
    max_bytes: int
    files: list[Path] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    size: int = 0
    has_ended: bool = False
    _name: bytes = b""
    _value: bytes = b""
    _open: BinaryIO | None = None
    _feed: object = None

    def __post_init__(self) -> None:
        from python_multipart.multipart import MultipartParser  # noqa: PLC0415 (extra: serve)

        self._feed = MultipartParser(
            self.boundary.encode(),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_name,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_part_data": self._on_data,
                "on_part_end": self._end,
                "on_end": self._on_end,
            },
        ).write

    def feed(self, chunk: bytes) -> None:
        """Take the next piece of the body.

        Raises
        ------
        InputError
            If it is no such body.
        ServiceError
            If the disk takes no more.
        TooLargeError
            If it exceeds the limit.
        """
        from python_multipart.exceptions import FormParserError  # noqa: PLC0415

        self.size += len(chunk)
        if self.size > self.max_bytes:
            raise TooLargeError(f"body exceeds the limit of {self.max_bytes >> 20} MiB")
        try:
            if callable(self._feed):
                self._feed(chunk)
        except FormParserError as error:
            raise InputError("body is not in parts as its Content-Type says") from error
        except OSError as error:
            raise ServiceError(f"parts cannot be kept: {error.strerror}") from error

    def close(self) -> None:
        """Say that the body is over; raises `InputError` if it was cut off."""
        self._end()
        if not self.has_ended:
            raise InputError("body is cut off: its last boundary is missing")

    def _begin(self) -> None:
        if len(self.files) >= MAX_PARTS:
            raise TooLargeError(f"body has more than {MAX_PARTS} parts")
        path = self.folder / f"{len(self.files):05d}.part"
        self._open = path.open("xb")
        self.files.append(path)
        self.types.append("")
        self.names.append("")

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        if self._name.lower() == b"content-type":
            self.types[-1] = self._value.decode("latin-1").strip().lower()
        elif self._name.lower() == b"content-disposition":
            self.names[-1] = _file_name(self._value)
        self._name = self._value = b""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._open is not None:
            self._open.write(memoryview(data)[start:end])

    def _end(self) -> None:
        if self._open is not None:
            with suppress(ValueError):
                self._open.close()
            self._open = None

    def _on_end(self) -> None:
        self.has_ended = True


def _file_name(disposition: bytes) -> str:
    from python_multipart.multipart import parse_options_header  # noqa: PLC0415

    _, options = parse_options_header(disposition)
    return options.get(b"filename", b"").decode("utf-8", errors="replace")


class TooLargeError(InputError):
    """A body over the limit (HTTP 413)."""
