"""Fleischner Society 2017 (MacMahon 2017): nodules found by chance on CT.

For adults of 35 years or more without cancer and without immune suppression; not for
screening, which is `lung_rads`. Diameters are the mean of long and short axis, rounded to whole
millimeters as the guideline measures them, so 5.5 mm counts as 6 mm.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from medloop.clinical.lung.nodule import Axes, Nodule, Place, Texture

YOUNGEST = 35


class Risk(StrEnum):
    """Risk of lung cancer as the reader judges it: smoking, age, upper lobe, spiculation."""

    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Person:
    """Who the nodules are of; None where it is unknown."""

    years: int | None = None
    has_cancer: bool | None = None
    is_immunosuppressed: bool | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """What the guideline advises, and the row of its table."""

    advice: str
    because: str


_NONE = "no routine follow-up"
_OPTIONAL = "optional CT at 12 months"
_SMALL, _LARGE = 6, 8  # mm: below 6; 6 to 8; above 8


def reason_against(person: Person) -> str:
    """Say why the guideline is not for this person; empty where nothing known does."""
    if person.years is not None and person.years < YOUNGEST:
        return f"age {person.years} years, the guideline is for {YOUNGEST} and more"
    if person.has_cancer:
        return "known cancer: the guideline is not for patients with cancer"
    if person.is_immunosuppressed:
        return "immune suppression: the guideline is not for these patients"
    return ""


def rounded_mm(axes: Axes) -> int:
    """Mean of both axes in whole millimeters, half upward."""
    return math.floor((axes.long_mm + axes.short_mm) / 2 + 0.5 + 1e-9)


def advise(nodules: Sequence[Nodule], risk: Risk) -> Advice:
    """Advise for all nodules of a study, by the most suspicious one.

    Benign nodules (calcified, with fat) and typical juxtapleural or perifissural ones (solid,
    smooth, oval, lentiform or triangular) need none.
    """
    counted = [n for n in nodules if not _needs_none(n)]
    if not counted:
        return Advice(_NONE, "no nodule, or benign features only")
    subsolid = [n for n in counted if n.texture is not Texture.SOLID]
    several = len(counted) > 1
    if subsolid:
        return _several_subsolid(counted) if several else _one_subsolid(subsolid[0])
    largest = max(rounded_mm(n.size) for n in counted)
    return _several_solid(largest, risk) if several else _one_solid(largest, risk)


def _needs_none(nodule: Nodule) -> bool:
    is_typical = nodule.place is Place.JUXTAPLEURAL and nodule.is_smooth
    return nodule.is_benign or (is_typical and nodule.texture is Texture.SOLID)


def _one_solid(mm: int, risk: Risk) -> Advice:
    row = f"one solid nodule, {_range(mm)}, {risk} risk"
    if mm < _SMALL:
        return Advice(_NONE if risk is Risk.LOW else _OPTIONAL, row)
    if mm <= _LARGE:
        later = "consider CT" if risk is Risk.LOW else "CT"
        return Advice(f"CT at 6-12 months, then {later} at 18-24 months", row)
    return Advice("consider CT at 3 months, PET/CT, or tissue sampling", row)


def _several_solid(mm: int, risk: Risk) -> Advice:
    row = f"several solid nodules, the largest {_range(mm)}, {risk} risk"
    if mm < _SMALL:
        return Advice(_NONE if risk is Risk.LOW else _OPTIONAL, row)
    later = "consider CT" if risk is Risk.LOW else "CT"
    return Advice(f"CT at 3-6 months, then {later} at 18-24 months", row)


def _one_subsolid(nodule: Nodule) -> Advice:
    mm = rounded_mm(nodule.size)
    is_pure = nodule.texture is Texture.NON_SOLID
    row = f"one {nodule.texture} nodule, {'less than 6 mm' if mm < _SMALL else '6 mm or more'}"
    if mm < _SMALL:
        return Advice(_NONE, row)
    if is_pure:
        persists = "CT at 6-12 months to confirm persistence, then every 2 years until 5 years"
        return Advice(persists, row)
    if nodule.solid and rounded_mm(nodule.solid) >= _SMALL:
        grave = "highly suspicious if it persists: consider PET/CT, biopsy or resection"
        return Advice(
            f"CT at 3-6 months to confirm persistence; {grave}", f"{row}, solid part too"
        )
    annual = "then, if the solid part stays below 6 mm, annual CT for 5 years"
    return Advice(f"CT at 3-6 months to confirm persistence, {annual}", row)


def _several_subsolid(nodules: Sequence[Nodule]) -> Advice:
    largest = max(rounded_mm(n.size) for n in nodules)
    if largest < _SMALL:
        return Advice(
            "CT at 3-6 months; if stable, consider CT at 2 and 4 years",
            "several nodules, subsolid ones among them, all less than 6 mm",
        )
    return Advice(
        "CT at 3-6 months; then by the most suspicious nodule",
        "several nodules, subsolid ones among them, the largest 6 mm or more",
    )


def _range(mm: int) -> str:
    if mm < _SMALL:
        return "less than 6 mm"
    return "6 to 8 mm" if mm <= _LARGE else "more than 8 mm"
