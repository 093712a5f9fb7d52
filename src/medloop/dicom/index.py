"""Folders of DICOM files, indexed at several times the rate of building data sets."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from medloop.core.errors import InputError
from medloop.core.study import Study
from medloop.dicom.header import Header, read_header
from medloop.dicom.series import studies_of


@dataclass(frozen=True, slots=True)
class Index:
    """Headers of the files that could be read, and the reason, in one line, for each other."""

    headers: tuple[Header, ...]
    problems: tuple[tuple[Path, str], ...]

    @property
    def studies(self) -> tuple[Study, ...]:
        """The studies that the headers make."""
        return studies_of(self.headers)


def index(paths: Iterable[Path]) -> Index:
    """Read the header of each file; none raises."""
    headers: list[Header] = []
    problems: list[tuple[Path, str]] = []
    for path in paths:
        try:
            headers.append(read_header(path))
        except InputError as error:
            problems.append((path, str(error)))
    return Index(tuple(headers), tuple(problems))
