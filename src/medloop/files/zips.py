"""Zips, unpacked without believing what they say about themselves."""

import io
import shutil
import stat
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from medloop.core.errors import FOREIGN_ERRORS, InputError

_CHUNK: Final = 1 << 20
_DAMAGE: Final = (*FOREIGN_ERRORS, zipfile.BadZipFile)
# Python unpacks whatever a piece of other methods holds at once: gigabytes from a kilobyte.
_METHODS: Final = frozenset([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
_DIRECTORY_BYTES: Final = 32 * 1024**2


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one zip may unpack to; `ratio` counts from 64 MiB up."""

    members: int = 100_000
    size_bytes: int = 16 * 1024**3
    ratio: int = 250


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out: paths below the folder, and members that did not, with the reason."""

    files: tuple[Path, ...]
    problems: tuple[tuple[str, str], ...]


def unpack(path: Path, folder: Path, *, limits: Limits | None = None) -> Unpacked:
    """Unpack a zip below an existing folder; nothing is ever written outside it.

    Damaged members become problems; a hostile archive is refused as a whole, before any byte
    is written where its directory tells, otherwise at the limit.

    Raises
    ------
    InputError
        If it is damaged, encrypted, leaves its folder, holds links, or exceeds the limits.
    """
    limits = limits or Limits()
    with ExitStack() as stack:
        try:
            file = stack.enter_context(_Measured(io.FileIO(path)))
            archive = stack.enter_context(zipfile.ZipFile(file))
        except _DAMAGE as error:
            raise InputError(f"zip cannot be read: {_one_line(error)}") from error
        members = [member for member in archive.infolist() if not member.is_dir()]
        budget = _inspect(members, path.stat().st_size, limits, folder)
        return _extract(archive, members, folder, budget)


class _Measured(io.BufferedReader):
    """A file that is read in pieces; zipfile takes a directory in one, however long."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes."""
        if size is not None and size > _DIRECTORY_BYTES:
            raise InputError(f"zip has a directory of more than {_DIRECTORY_BYTES >> 20} MiB")
        return super().read(size)


def _inspect(members: list[zipfile.ZipInfo], packed: int, limits: Limits, folder: Path) -> int:
    """Refuse what the directory already betrays; return how many bytes may be written."""
    if len(members) > limits.members:
        raise InputError(f"zip holds {len(members)} files; the limit is {limits.members}")
    for member in members:
        _target(member, folder)
    total = sum(member.file_size for member in members)
    allowed = min(limits.size_bytes, max(limits.ratio * packed, 64 * 1024**2))
    if total > allowed:
        raise InputError(
            f"zip unpacks to {total / 1e9:.2f} GB from {packed / 1e6:.2f} MB;"
            f" the limit is {allowed / 1e9:.2f} GB"
        )
    free = shutil.disk_usage(folder).free
    if total > free:
        raise InputError(f"zip unpacks to {total / 1e9:.2f} GB; {free / 1e9:.2f} GB are free")
    return allowed


def _target(member: zipfile.ZipInfo, folder: Path) -> Path:
    """Where a member goes.

    Raises
    ------
    InputError
        If that is outside the folder, or the member is no plain file.
    """
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
        raise InputError("zip holds a file that would be written outside its folder")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise InputError("zip holds a link or a device; plain files are unpacked")
    if member.flag_bits & 0x1:
        raise InputError("zip is encrypted")
    return folder.joinpath(*name.parts)


def _extract(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path, budget: int
) -> Unpacked:
    files: list[Path] = []
    problems: list[tuple[str, str]] = []
    for member in members:
        target = _target(member, folder)
        if member.compress_type not in _METHODS:
            problems.append((member.filename, "is packed by another method than Deflate"))
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            written = _copy(archive, member, target, budget)
        except InputError:
            raise
        except _DAMAGE as error:
            target.unlink(missing_ok=True)
            problems.append((member.filename, f"damaged in the zip: {_one_line(error)}"))
            continue
        budget -= written
        files.append(target)
    return Unpacked(tuple(files), tuple(problems))


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, budget: int) -> int:
    written = 0
    with archive.open(member) as source, target.open("xb") as sink:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > budget:
                raise InputError("zip unpacks to more than its directory says")
            sink.write(chunk)
    return written


def _one_line(error: BaseException) -> str:
    """Say what went wrong without naming members: names of files may name people."""
    if isinstance(error, FileExistsError):
        return "a file of that name was there before"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, zipfile.BadZipFile) and "CRC" in str(error):
        return "checksum does not fit"
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
