"""A nodule as the rules of radiology see it."""

import math
from dataclasses import dataclass
from enum import StrEnum


class Texture(StrEnum):
    """How much of the lung behind a nodule its density hides."""

    SOLID = "solid"
    PART_SOLID = "part-solid"
    NON_SOLID = "non-solid"  # pure ground glass


class Course(StrEnum):
    """What became of a nodule since the study before."""

    BASELINE = "baseline"  # no study before
    NEW = "new"
    STABLE = "stable"  # or smaller
    GROWING = "growing"
    SLOWLY_GROWING = "slowly growing"  # over several screenings, never enough in one year


class Place(StrEnum):
    """Places that rules of their own apply to."""

    PARENCHYMA = "parenchyma"
    JUXTAPLEURAL = "juxtapleural"  # at costal, mediastinal, diaphragmatic pleura or a fissure
    SUBSEGMENTAL_AIRWAY = "subsegmental airway"
    CENTRAL_AIRWAY = "central airway"  # segmental or more proximal


class Cyst(StrEnum):
    """Atypical pulmonary cysts (Lung-RADS v2022, note 12)."""

    NONE = "none"
    THICK_WALLED = "thick-walled"  # wall of 2 mm or more
    THICK_WALLED_GROWING_CYST = "thick-walled with a growing cystic part"
    THICK_WALLED_GROWING_WALL = "thick-walled with a growing wall or nodule"
    MULTILOCULAR = "multilocular"
    BECOMING_MULTILOCULAR = "becoming multilocular"
    MULTILOCULAR_GROWING = "multilocular, growing, or with more loculation or opacity"


@dataclass(frozen=True, slots=True)
class Axes:
    """Longest axis in the axial plane, and the longest across it (mm)."""

    long_mm: float
    short_mm: float

    def __post_init__(self) -> None:
        is_finite = math.isfinite(self.long_mm) and math.isfinite(self.short_mm)
        if not is_finite or not 0 <= self.short_mm <= self.long_mm:
            raise ValueError(f"axes {self.long_mm} x {self.short_mm} mm are none")

    @property
    def mean_mm(self) -> float:
        """Mean of both, to a tenth of a millimeter, as Lung-RADS v2022 asks (note 3)."""
        return _tenth(self.long_mm + self.short_mm)


@dataclass(frozen=True, slots=True)
class Nodule:
    """Everything that a category depends on.

    Attributes
    ----------
    size, solid
        Axes of the whole, and of the solid part of a part-solid nodule.
    solid_course
        What became of the solid part; that of the whole where nothing else is said.
    is_benign
        Calcified all through, centrally, in layers or like popcorn, or with fat in it.
    is_smooth
        Smooth margins and an oval, lentiform or triangular shape.
    prior_category
        Lung-RADS category in the study before, empty if there was none.
    is_suspicious
        Spiculation, enlarged lymph nodes or another sign that raises suspicion (category 4X).
    """

    texture: Texture
    size: Axes
    solid: Axes | None = None
    course: Course = Course.BASELINE
    solid_course: Course | None = None
    place: Place = Place.PARENCHYMA
    cyst: Cyst = Cyst.NONE
    is_benign: bool = False
    is_smooth: bool = False
    is_suspicious: bool = False
    prior_category: str = ""

    def __post_init__(self) -> None:
        if (self.solid is None) == (self.texture is Texture.PART_SOLID):
            raise ValueError(f"a {self.texture} nodule and its solid part do not agree")

    @property
    def course_of_solid(self) -> Course:
        """What became of the solid part."""
        return self.solid_course or self.course


def _tenth(total_mm: float) -> float:
    """Half of it to a tenth, 0.05 upward."""
    return math.floor(total_mm * 5 + 0.5 + 1e-9) / 10
