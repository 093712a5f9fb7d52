"""Files of any kind that people and tools bring, and what became of each: one way in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from medloop.core.errors import InputError
from medloop.core.study import StudyUid
from medloop.dicom.whole import is_cut_off
from medloop.files.sniff import Kind, sniff
from medloop.files.zips import unpack
from medloop.store.arrivals import Outcome
from medloop.workflow.intake import single_study
from medloop.workflow.reception import Reception

_NUISANCES: Final = frozenset(["thumbs.db", "desktop.ini", "__macosx"])
_UNKNOWN: Final = "is no DICOM, NIfTI, PNG, JPEG, TIFF or zip file"
_REASONS: Final = {
    Kind.EMPTY: "is empty",
    Kind.ZIP: "is a zip within a zip; unpack it first",
}
_DIRECTORY: Final = "DICOMDIR"  # lists other files, and may lie beside them


@dataclass(frozen=True, slots=True)
class Given:
    """A file, and what whoever brought it calls it."""

    path: Path
    name: str


@dataclass(slots=True)
class Brought:
    """What became of one file, or of all that a zip holds: counts, and one line a problem.

    `grown` are those of the `studies` that have something of it now that they had not.
    """

    name: str
    studies: list[StudyUid] = field(default_factory=list)
    grown: set[StudyUid] = field(default_factory=set)
    stored: int = 0
    known: int = 0
    conflicts: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def problem(self) -> str:
        """All problems in one line; empty if there are none."""
        if len(self.problems) < 2:
            return "".join(self.problems)
        return f"{len(self.problems)} files in it are of no use; the first: {self.problems[0]}"


@dataclass(frozen=True, slots=True)
class _Piece:
    """One file to take in; `member` is its name in a zip, empty if it is the file given."""

    path: Path
    kind: Kind
    member: str
    of: Brought

    def refuse(self, reason: str) -> None:
        """Note why it is of no use."""
        self.of.problems.append(f"{self.member}: {reason}" if self.member else reason)


def bring(
    files: Sequence[Given], reception: Reception, *, scratch: Path, source: str
) -> tuple[Brought, ...]:
    """Take in DICOM objects, pictures, NIfTI files, and zips of these, whatever their names.

    What is answered is durable.

    Parameters
    ----------
    scratch
        An existing folder for what zips hold.
    source
        Where the files come from, for the catalog.

    Raises
    ------
    ServiceError
        If the store cannot be written now; bringing the files again does no harm.
    """
    answers = tuple(Brought(given.name) for given in files)
    objects: list[_Piece] = []
    for number, (given, answer) in enumerate(zip(files, answers, strict=True)):
        for piece in _pieces(given, answer, scratch / f"zip{number}"):
            if piece.kind is Kind.DICOM:
                objects.append(piece)
            else:
                _single(piece, given.name, reception)
    _keep(objects, reception, source)
    return answers


def _pieces(given: Given, answer: Brought, scratch: Path) -> Iterator[_Piece]:
    try:
        kind = sniff(given.path)
        if kind is not Kind.ZIP:
            yield _Piece(given.path, kind, "", answer)
            return
        scratch.mkdir(parents=True)
        unpacked = unpack(given.path, scratch)
    except InputError as bad:
        answer.problems.append(str(bad))
        return
    answer.problems += [f"{name}: {reason}" for name, reason in unpacked.problems]
    for path in sorted(unpacked.files):
        inside = path.relative_to(scratch)
        is_hidden = any(part.startswith(".") for part in inside.parts)
        if is_hidden or any(part.lower() in _NUISANCES for part in inside.parts):
            continue
        yield _Piece(path, sniff(path), inside.as_posix(), answer)


def _keep(pieces: Sequence[_Piece], reception: Reception, source: str) -> None:
    """Take in DICOM objects that are whole."""
    good = []
    for piece in pieces:
        if Path(piece.member or piece.of.name).name.upper() == _DIRECTORY:
            continue
        try:
            if is_cut_off(piece.path):
                piece.refuse("is cut off: it ends before its pixels do")
            else:
                good.append(piece)
        except InputError as bad:
            piece.refuse(str(bad))
    kept = reception.store_now([piece.path for piece in good], source)
    for piece, stored in zip(good, kept, strict=True):
        if stored.outcome is Outcome.REFUSED:
            piece.refuse(stored.reason)
            continue
        answer = piece.of
        if stored.outcome is Outcome.STORED:
            answer.stored += 1
            answer.grown.add(stored.study)
        answer.known += stored.outcome is Outcome.KNOWN
        answer.conflicts += stored.outcome is Outcome.CONFLICT
        if stored.study not in answer.studies:
            answer.studies.append(stored.study)


def _single(piece: _Piece, name: str, reception: Reception) -> None:
    """Take in a picture or a NIfTI file, as a study of its own."""
    if piece.kind is not Kind.NIFTI and not piece.kind.is_picture:
        if not piece.member or piece.kind in _REASONS:  # zips hold notes and lists, too
            piece.refuse(_REASONS.get(piece.kind, _UNKNOWN))
        return
    source = f"{name}/{piece.member}" if piece.member else name
    try:
        study = single_study(piece.path, source, piece.kind)
        got = reception.bring(study)
    except InputError as bad:
        piece.refuse(str(bad))
        return
    answer = piece.of
    answer.stored += got.new
    if got.new:
        answer.grown.add(study.uid)
    answer.known += got.known
    answer.studies.append(study.uid)
