"""Scales of diabetic retinopathy, by rule.

Two scales live here and are kept apart. ICDR (International Clinical Diabetic Retinopathy,
Wilkinson 2003) is what the network grades. CN1984 (China's 1984 staging: I microaneurysms or
small hemorrhages, II hard exudates, III soft exudates, IV new vessels, V fibrous proliferation,
VI detachment) is derived from the lesions found. Neither is ever converted into the other;
which of their values can belong to one eye is a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MANY_HEMORRHAGES = 20  # more than so many in each quadrant: the 4 of the 4-2-1 rule
QUADRANTS = ("ST", "SN", "IT", "IN")

CN_STAGES = ("none", "I", "II", "III", "IV", "V", "VI")

# Which ICDR grades an eye of each CN1984 stage can have.
CN_TO_ICDR: Mapping[str, frozenset[int]] = {
    "none": frozenset({0}),
    "I": frozenset({1, 2, 3}),
    "II": frozenset({2, 3}),
    "III": frozenset({2, 3}),
    "IV": frozenset({4}),
    "V": frozenset({4}),
    "VI": frozenset({4}),
}

# Lowest and highest ETDRS level of each ICDR grade (Wilkinson 2003, table 3).
_ETDRS = {0: (10, 10), 1: (20, 20), 2: (35, 47), 3: (53, 53), 4: (61, 85)}

FOUR_CLASSES: Mapping[int, int] = {0: 0, 1: 1, 2: 2, 3: 3, 4: 3}
FOUR_CLASS_MAP = (
    "four classes from ICDR: 0 = 0 (none), 1 = 1 (mild), 2 = 2 (moderate), 3 = 3 or 4"
)


@dataclass(frozen=True, slots=True)
class LesionCounts:
    """How many lesions of each kind (MA, HE, EX, SE) in each quadrant (ST, SN, IT, IN).

    Lesions whose quadrant is unknown stand under an empty quadrant.
    """

    by_kind: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def total(self, kind: str) -> int:
        """All lesions of a kind."""
        return sum(self.by_kind.get(kind, {}).values())

    def everywhere(self, kind: str, *, more_than: int) -> bool:
        """Whether each quadrant has more than so many of a kind."""
        counts = self.by_kind.get(kind, {})
        return all(counts.get(quadrant, 0) > more_than for quadrant in QUADRANTS)


def cn1984(lesions: LesionCounts) -> str:
    """Stage by the gravest lesion found; IV to VI show signs that are not searched for."""
    if lesions.total("SE"):
        return "III"
    if lesions.total("EX"):
        return "II"
    if lesions.total("MA") or lesions.total("HE"):
        return "I"
    return "none"


def least_icdr(lesions: LesionCounts) -> int:
    """Lowest ICDR grade that the lesions found allow.

    Venous beading, IRMA and new vessels are not searched for, so there is no highest.
    """
    if lesions.everywhere("HE", more_than=MANY_HEMORRHAGES):
        return 3
    if any(lesions.total(kind) for kind in ("HE", "EX", "SE")):
        return 2
    return 1 if lesions.total("MA") else 0


def etdrs_range(icdr: int, lesions: LesionCounts) -> str:
    """ETDRS levels that fit the grade and the lesions, such as ``"35-47"``.

    Where the lesions ask for more than the grade, the range spans both.

    Raises
    ------
    ValueError
        If `icdr` is not 0 to 4.
    """
    if icdr not in _ETDRS:
        raise ValueError(f"ICDR grade must be 0 to 4, got {icdr}")
    low = _ETDRS[icdr][0]
    high = _ETDRS[max(icdr, least_icdr(lesions))][1]
    return str(low) if low == high else f"{low}-{high}"


def is_referable(icdr: int, dme: int) -> bool:
    """More than mild retinopathy (mtmDR): ICDR 2 or more, or macular edema of any grade."""
    return icdr >= 2 or dme >= 1


def grades_agree(icdr: int, lesions: LesionCounts) -> bool:
    """Whether the network's grade can belong to an eye with the lesions found.

    Grade 4 rests on new vessels, which are not searched for: it never agrees, so that a person
    looks for them.
    """
    return icdr in CN_TO_ICDR[cn1984(lesions)] and icdr >= least_icdr(lesions)


def dme_from_exudates(distance_dd: float | None) -> int:
    """IDRiD's macular edema grade from the nearest hard exudate's distance to the fovea.

    0 none found, 1 farther than one disc diameter, 2 within it.
    """
    if distance_dd is None:
        return 0
    return 2 if distance_dd <= 1 else 1


def four_class(icdr: int) -> int:
    """Grade of the four-class mode; print `FOUR_CLASS_MAP` wherever it is shown."""
    return FOUR_CLASSES[icdr]


def four_class_probabilities(icdr: Sequence[float]) -> tuple[float, ...]:
    """Probabilities of the four classes from those of the five grades."""
    classes = [0.0] * 4
    for grade, share in enumerate(icdr):
        classes[FOUR_CLASSES[grade]] += share
    return tuple(classes)
