"""Outlines of organs and targets, as radiotherapy exchanges them."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from medloop.core.code import Code


class RoiKind(StrEnum):
    """What a structure is for: defined terms of RT ROI Interpreted Type (PS3.3 C.8.8.8.1)."""

    EXTERNAL = "EXTERNAL"
    ORGAN = "ORGAN"
    AVOIDANCE = "AVOIDANCE"
    GTV = "GTV"
    CTV = "CTV"
    PTV = "PTV"
    CAVITY = "CAVITY"
    BOLUS = "BOLUS"
    SUPPORT = "SUPPORT"
    FIXATION = "FIXATION"
    CONTROL = "CONTROL"
    DOSE_REGION = "DOSE_REGION"
    MARKER = "MARKER"
    OTHER = ""  # not stated, or a term that is not listed here


@dataclass(frozen=True, slots=True, eq=False)
class Contour:
    """A closed polygon in one plane; its last point joins its first.

    `points_mm` are LPS mm. `k` is the slice of the image it is drawn on, None where no image is
    known. Holes are joined to it by a bridge that is walked there and back.
    """

    points_mm: Float[ndarray, "n 3"]
    k: int | None = None

    @property
    def area_mm2(self) -> float:
        """Area inside, holes not counted."""
        arms = self.points_mm - self.points_mm[:1]
        return float(np.linalg.norm(np.cross(arms[:-1], arms[1:]).sum(axis=0)) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """One organ or target by its contours; those on one plane combine by exclusive or.

    `number` is its label in a label map or its ROI number, `name` follows AAPM TG-263
    (``"Parotid_L"``), `color` is sRGB.
    """

    number: int
    name: str
    contours: tuple[Contour, ...]
    color: tuple[int, int, int]
    kind: RoiKind = RoiKind.OTHER
    concept: Code | None = None
    site: Code | None = None
