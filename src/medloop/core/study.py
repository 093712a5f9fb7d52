"""What arrived: studies, series and instances, without pixels."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from medloop.core.image import Picture, Volume
from medloop.core.names import SeriesUid, SopUid, StudyUid
from medloop.core.notice import Notice
from medloop.core.prior import Prior

__all__ = [
    "Case",
    "Content",
    "Instance",
    "Notice",
    "Patient",
    "Scan",
    "Selection",
    "Series",
    "SeriesUid",
    "SopUid",
    "Study",
    "StudyUid",
]


class Content(StrEnum):
    """What the pixels of a series make."""

    PICTURES = "pictures"  # each instance is a photograph of its own
    VOLUME = "volume"  # the instances together fill a grid
    NONE = "none"  # no pixels: reports, plans, key objects


@dataclass(frozen=True, slots=True)
class Patient:
    """Who, as far as the source says; every field may be empty. Never goes to logs."""

    name: str = ""
    identifier: str = ""
    birth_date: str = ""  # YYYYMMDD
    sex: str = ""  # M, F, O

    def is_same(self, other: "Patient") -> bool:
        """Whether another study is of this patient: by identifier, never by name.

        Birth date and sex must agree where both state them; who has no identifier is nobody.
        """
        number = self.identifier.strip()
        if not number or number != other.identifier.strip():
            return False
        pairs = ((self.birth_date, other.birth_date), (self.sex, other.sex))
        return all(a.strip() == b.strip() for a, b in pairs if a.strip() and b.strip())


@dataclass(frozen=True, slots=True)
class Instance:
    """One stored object; `frames` is 0 without pixels.

    `sha256` is of the stored bytes: empty after indexing, filled in every `Case`.
    """

    uid: SopUid
    sop_class: str  # empty for files that are not DICOM
    path: Path
    sha256: str
    frames: int = 1


@dataclass(frozen=True, slots=True)
class Scan:
    """How a volume was made, as far as headers tell; empty or None where they do not.

    `thickness_mm` is of one slice, which may differ from the distance between slices.
    """

    orientation: str = ""  # axial, coronal, sagittal or oblique
    thickness_mm: float | None = None
    kernel: str = ""  # as the maker names it
    image_type: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """One series, as indexed on arrival; `source` is the file or folder a person would name."""

    uid: SeriesUid
    modality: str
    description: str
    content: Content
    instances: tuple[Instance, ...]
    source: str
    body_part: str = ""
    laterality: str = ""  # R, L, B or empty
    rows: int = 0
    columns: int = 0
    slice_mm: float | None = None
    frame_of_reference: str | None = None
    scan: Scan = Scan()
    notices: tuple[Notice, ...] = ()  # what indexing had to say: split


@dataclass(frozen=True, slots=True)
class Study:
    """One study. `name` is what its output folder is called."""

    uid: StudyUid
    name: str
    series: tuple[Series, ...]
    patient: Patient = Patient()
    date: str = ""  # YYYYMMDD, as acquired
    description: str = ""
    accession: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of a study that one run of an analysis reads.

    `series` keep only the instances to read: one photograph, or all slices of a volume.
    """

    series: tuple[Series, ...]

    @property
    def source(self) -> str:
        """The file or series folder a person would name.

        A photograph of several in a series is named within the folder of the series.
        """
        first = self.series[0]
        name = first.instances[0].path.name
        if first.content is not Content.PICTURES or Path(first.source).name == name:
            return first.source
        return f"{first.source}/{name}"


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A selection with its pixels: what an analysis is given. `images` parallels the series.

    `warnings` are what reading had to say: repaired, resampled, guessed. `prior` is what the
    same analysis said of an earlier study of the patient; `prior_notices` why none is given
    though there is one, for analyses that would have compared.
    """

    study: Study
    selection: Selection
    images: tuple[Picture | Volume, ...]
    warnings: tuple[Notice, ...] = ()
    prior: Prior | None = None
    prior_notices: tuple[Notice, ...] = ()
