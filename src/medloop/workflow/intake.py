"""From what a person points at to studies; each file is recognized by its content."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from medloop.core.errors import InputError
from medloop.core.image import Picture, Volume
from medloop.core.study import (
    Case,
    Content,
    Instance,
    Notice,
    Selection,
    Series,
    SeriesUid,
    SopUid,
    Study,
    StudyUid,
)
from medloop.files.pictures import read_picture
from medloop.files.sniff import Kind, sniff
from medloop.files.zips import unpack
from medloop.imaging.resample import regularize

if TYPE_CHECKING:  # what reads DICOM and NIfTI takes a fifth of a second to load
    from medloop.dicom.header import Header

# In a folder, files of other kinds are worth a line only if their name promises an image.
_IMAGE_SUFFIXES: Final = frozenset(
    [
        ".dcm",
        ".dicom",
        ".ima",
        ".nii",
        ".gz",
        ".png",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".tif",
        ".tiff",
        ".zip",
    ]
)
_NUISANCES: Final = frozenset(["thumbs.db", "desktop.ini", "__macosx"])
_RESERVED: Final = frozenset(["summary.json"])  # stands beside the studies' folders


@dataclass(frozen=True, slots=True)
class Problem:
    """One file that could not be used: its name as given, and the reason in one line."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Intake:
    """What arrived."""

    studies: tuple[Study, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """A file, the name a person would know it by, and whether they named it themselves."""

    path: Path
    source: str
    is_named: bool


def _silent(_done: int, _total: int) -> None:
    """Report to nobody."""


def gather(
    inputs: Sequence[Path], *, scratch: Path, report: Callable[[int, int], None] = _silent
) -> Intake:
    """Find the studies in files, folders and zips.

    Every file ends in a study or in a problem, except for files in folders that do not pretend
    to be images. A DICOM object that came twice counts once. NIfTI files and pictures become
    studies of one series, named after the file.

    Parameters
    ----------
    inputs
        What the user named. A DICOMDIR stands for its folder.
    scratch
        An existing folder for what zips hold; it must outlive the studies.
    report
        Told how many files of how many were looked at.
    """
    problems: list[Problem] = []
    headers: list[tuple[Header, str]] = []
    others: list[Study] = []
    files = [
        found
        for number, path in enumerate(inputs)
        for found in _walk(path, scratch / f"zip{number}", problems)
    ]
    for done, found in enumerate(files):
        report(done, len(files))
        try:
            kind = sniff(found.path)
            if kind is Kind.DICOM:
                headers.append((_header(found.path), found.source))
            elif kind is Kind.NIFTI or kind.is_picture:
                others.append(single_study(found.path, found.source, kind))
            elif found.is_named or found.path.suffix.lower() in _IMAGE_SUFFIXES:
                problems.append(Problem(found.source, _refusal(kind)))
        except InputError as error:
            if found.is_named or "DICOMDIR" not in str(error):
                problems.append(Problem(found.source, str(error)))
    studies = _studies(headers, problems) if headers else ()
    return Intake(_with_unique_names((*studies, *others)), tuple(problems))


def _header(path: Path) -> "Header":
    from medloop.dicom.header import read_header  # noqa: PLC0415

    return read_header(path)


def _studies(
    headers: Sequence[tuple["Header", str]], problems: list[Problem]
) -> tuple[Study, ...]:
    from medloop.dicom.series import studies_of  # noqa: PLC0415

    return _with_sources(studies_of(_unique(headers, problems)), headers)


class FolderArchive:
    """The archive of the command line: what was gathered, read from where it lies."""

    def __init__(self, intake: Intake) -> None:
        self._studies = {study.uid: study for study in reversed(intake.studies)}

    def study(self, uid: StudyUid) -> Study:
        """Look a study up.

        Raises
        ------
        InputError
            If it is not among what was gathered.
        """
        if uid not in self._studies:
            raise InputError(f"no study {uid} here")
        return self._studies[uid]

    def case(self, study: Study, selection: Selection) -> Case:
        """Read the pixels of a selection, as `read_case`."""
        return read_case(study, selection)


def read_case(study: Study, selection: Selection) -> Case:
    """Read one image a series, from the paths of its instances, and hash what was read.

    Raises
    ------
    InputError
        If a file is damaged or the slices of a volume form no grid.
    UnsuitableError
        If a series holds no image.
    """
    images: list[Picture | Volume] = []
    notices: list[Notice] = []
    for series in selection.series:
        image, said = _read(series)
        images.append(image)
        notices += said
    told = Selection(tuple(_with_hashes(_with_side(series)) for series in selection.series))
    return Case(study, told, tuple(images), tuple(notices))


def _read(series: Series) -> tuple[Picture | Volume, tuple[Notice, ...]]:
    path = series.instances[0].path
    kind = sniff(path)
    if kind is Kind.NIFTI:
        from medloop.files.nifti import read_nifti_with_notices  # noqa: PLC0415

        return read_nifti_with_notices(path)
    if kind.is_picture:
        return read_picture(path), ()
    if series.content is Content.PICTURES:
        return _read_photograph(series.instances[0], series.notices)
    from medloop.dicom.read import read_volume  # noqa: PLC0415

    return read_volume(series, regularize=regularize)


def _read_photograph(
    instance: Instance, notices: tuple[Notice, ...]
) -> tuple[Picture, tuple[Notice, ...]]:
    if instance.frames > 1:
        text = f"The object holds {instance.frames} frames; the first was read."
        notices += (Notice("first-frame", text, (("frames", instance.frames),)),)
    from medloop.dicom.read import read_picture as read_dicom_picture  # noqa: PLC0415

    return read_dicom_picture(instance), notices


def _walk(path: Path, scratch: Path, problems: list[Problem]) -> Iterator[_Found]:
    """Yield the files an input stands for, in a stable order; zips are opened, once."""
    if not path.exists():
        problems.append(Problem(str(path), "does not exist"))
    elif path.is_dir():
        yield from _folder(path, scratch, problems)
    elif path.name.upper() == "DICOMDIR":
        yield from _folder(path.parent, scratch, problems)
    elif _is_zip(path):
        yield from _zip(path, str(path), scratch, problems)
    else:
        yield _Found(path, str(path), is_named=True)


def _folder(folder: Path, scratch: Path, problems: list[Problem]) -> Iterator[_Found]:
    for number, path in enumerate(_files(folder)):
        if path.is_symlink():
            problems.append(Problem(str(path), "is a link; links in a folder are not followed"))
        elif _is_zip(path):
            yield from _zip(path, str(path), scratch / str(number), problems)
        else:
            yield _Found(path, str(path), is_named=False)


def _files(folder: Path) -> list[Path]:
    """List files and links below a folder, without hidden ones."""
    return sorted(
        path
        for path in folder.rglob("*")
        if (path.is_file() or path.is_symlink()) and not _is_nuisance(path, folder)
    )


def _is_nuisance(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return any(part.startswith(".") or part.lower() in _NUISANCES for part in parts)


def _is_zip(path: Path) -> bool:
    try:
        return sniff(path) is Kind.ZIP
    except InputError:
        return False


def _zip(path: Path, source: str, scratch: Path, problems: list[Problem]) -> Iterator[_Found]:
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        unpacked = unpack(path, scratch)
    except InputError as error:
        problems.append(Problem(source, str(error)))
        return
    except OSError as error:
        problems.append(Problem(source, f"cannot be unpacked: {error.strerror}"))
        return
    problems += [Problem(f"{source}/{name}", reason) for name, reason in unpacked.problems]
    for member in sorted(unpacked.files):
        if not _is_nuisance(member, scratch):
            name = f"{source}/{member.relative_to(scratch).as_posix()}"
            yield _Found(member, name, is_named=False)


def _refusal(kind: Kind) -> str:
    if kind is Kind.EMPTY:
        return "is empty"
    if kind is Kind.ZIP:
        return "is a zip within a zip; unpack it first"
    return "is no DICOM, NIfTI, PNG, JPEG, TIFF or zip file"


def _unique(
    headers: Sequence[tuple["Header", str]], problems: list[Problem]
) -> Iterator["Header"]:
    """Let each SOP instance pass once; another object under the same UID is a problem."""
    seen: dict[str, Header] = {}
    for header, source in headers:
        known = seen.setdefault(header.uid, header)
        if known is header:
            yield header
        elif _sha256(known.path) != _sha256(header.path):
            reason = f"differs from another file with its SOP Instance UID ({header.uid})"
            problems.append(Problem(source, reason))


def _with_sources(
    studies: Sequence[Study], headers: Sequence[tuple["Header", str]]
) -> tuple[Study, ...]:
    """Name series after what the user gave, not after where a zip was unpacked."""
    names = {header.path: source for header, source in headers}

    def named(series: Series) -> Series:
        source = names[series.instances[0].path]
        return replace(
            series, source=source if len(series.instances) == 1 else str(Path(source).parent)
        )

    return tuple(replace(study, series=tuple(map(named, study.series))) for study in studies)


def single_study(path: Path, source: str, kind: Kind) -> Study:
    """Make a study of a file that is not DICOM; its UIDs follow from its bytes.

    `source` is what a person would call it; the study is named after it.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    digest = _sha256(path)
    instance = Instance(SopUid(_uid(digest, "instance")), "", path, digest)
    series = Series(
        uid=SeriesUid(_uid(digest, "series")),
        modality="",
        description="",
        content=Content.VOLUME if kind is Kind.NIFTI else Content.PICTURES,
        instances=(instance,),
        source=source,
    )
    return Study(StudyUid(_uid(digest, "study")), _stem(Path(source)), (series,))


def _stem(path: Path) -> str:
    """Name a study after its file; never `..`, and never hidden."""
    name = path.name
    for suffix in (".nii.gz", path.suffix):
        if suffix and name.lower().endswith(suffix.lower()):
            name = name[: -len(suffix)]
            break
    return name.strip(".") or "image"


def _uid(digest: str, kind: str) -> str:
    """Derive a UID from a file's SHA-256 (PS3.5 B.2); the study's is the digest itself."""
    seed = digest if kind == "study" else hashlib.sha256(f"{digest}{kind}".encode()).hexdigest()
    return f"2.25.{int(seed[:32], 16)}"


def _with_unique_names(studies: Sequence[Study]) -> tuple[Study, ...]:
    """Give names that came before a number: output folders must not collide."""
    taken = set(_RESERVED)
    named = []
    for study in studies:
        name, number = study.name, 2
        while name.lower() in taken:
            name, number = f"{study.name}-{number}", number + 1
        taken.add(name.lower())
        named.append(replace(study, name=name))
    return tuple(named)


def _with_side(series: Series) -> Series:
    """Ask a photograph itself which eye it shows: one series may hold both."""
    first = series.instances[0]
    if series.content is not Content.PICTURES or sniff(first.path) is not Kind.DICOM:
        return series
    return replace(series, laterality=_header(first.path).laterality)


def _with_hashes(series: Series) -> Series:
    instances = tuple(
        instance if instance.sha256 else replace(instance, sha256=_sha256(instance.path))
        for instance in series.instances
    )
    return replace(series, instances=instances)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}") from error
