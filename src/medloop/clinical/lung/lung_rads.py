"""Lung-RADS v2022 (American College of Radiology, November 2022): nodules found by screening.

Each rule is a line of a table. Sizes are mean diameters of the axial plane to 0.1 mm; limits
are met from below ("6 mm" is not "less than 6 mm"). The table is for screening with low-dose CT
of people at risk; nodules found otherwise are for `fleischner`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from medloop.clinical.lung.nodule import Course, Cyst, Nodule, Place, Texture

ORDER = ("1", "2", "3", "4A", "4B", "4X")
GROWTH_MM = 1.5  # of the mean diameter, within 12 months (note 7): more than this
_GREW = (Course.GROWING,)
_SETTLED = (Course.STABLE,)
_WATCHED = {"2": "2", "3": "2", "4A": "3"}  # what a stable nodule of a category becomes


@dataclass(frozen=True, slots=True)
class Category:
    """A category, the rule it is by, and what to do next."""

    name: str
    because: str

    @property
    def management(self) -> str:
        """Return the next step, as the table has it."""
        return MANAGEMENT[self.name]

    @property
    def rank(self) -> int:
        """Return the place in the order of suspicion; incomplete (0) is below all."""
        return ORDER.index(self.name) if self.name in ORDER else -1


MANAGEMENT: Mapping[str, str] = {
    "0": "additional or prior chest CT images are needed",
    "1": "12-month screening low-dose CT",
    "2": "12-month screening low-dose CT",
    "3": "6-month low-dose CT",
    "4A": "3-month low-dose CT; PET/CT may be considered for a solid part of 8 mm or more",
    "4B": "referral for clinical evaluation: diagnostic chest CT, PET/CT or tissue sampling",
    "4X": "referral for clinical evaluation: diagnostic chest CT, PET/CT or tissue sampling",
}

Rule = tuple[str, str, Callable[[Nodule], bool]]  # category, in words, whether it applies


def category_of(nodule: Nodule) -> Category:
    """Return the category of one nodule: the first rule that applies, then 4X and stability."""
    name, because = next((name, words) for name, words, holds in RULES if holds(nodule))
    watched = _WATCHED.get(nodule.prior_category)
    is_airway = nodule.place is Place.CENTRAL_AIRWAY
    if watched and nodule.course in _SETTLED and not is_airway and name in ("3", "4A", "4B"):
        name, because = watched, f"category {nodule.prior_category}, stable or smaller since"
    if nodule.is_suspicious and name in ("3", "4A", "4B"):
        return Category("4X", f"{because}; with features that raise suspicion")
    return Category(name, because)


def overall(nodules: Sequence[Nodule]) -> Category:
    """Return the category of a study: that of its most suspicious nodule."""
    found = [category_of(nodule) for nodule in nodules]
    return max(found, key=lambda each: each.rank, default=Category("1", "no nodule"))


def has_grown(now_mm: float, before_mm: float, months: float) -> bool:
    """Whether a mean diameter grew by more than 1.5 mm within 12 months (note 7).

    Over a longer time growth counts as the part of it that falls to 12 months.
    """
    if months <= 0:
        raise ValueError(f"{months} months lie between the studies")
    gain = now_mm - before_mm
    return round(gain * min(1.0, 12 / months), 6) > GROWTH_MM


def _size(nodule: Nodule) -> float:
    return nodule.size.mean_mm


def _solid(nodule: Nodule) -> float:
    return nodule.solid.mean_mm if nodule.solid else 0.0


def _is(texture: Texture, *courses: Course) -> Callable[[Nodule], bool]:
    return lambda n: n.texture is texture and (not courses or n.course in courses)


def _solid_of(low: float, high: float, *courses: Course) -> Callable[[Nodule], bool]:
    """Solid nodules from `low` to below `high` mm."""
    fits = _is(Texture.SOLID, *courses)
    return lambda n: fits(n) and low <= _size(n) < high


def _part_of(
    low: float, high: float, *courses: Course, least: float = 0.0
) -> Callable[[Nodule], bool]:
    """Part-solid ones whose solid part measures `low` to below `high` mm; `courses` is its."""
    fits = _is(Texture.PART_SOLID)
    return lambda n: (
        fits(n)
        and (not courses or n.course_of_solid in courses)
        and low <= _solid(n) < high
        and _size(n) >= least
    )


_INF = float("inf")
_FIRST = (Course.BASELINE, Course.STABLE)  # a stable one that was never put into 3 or 4A

RULES: tuple[Rule, ...] = (
    ("1", "benign calcification or fat", lambda n: n.is_benign),
    # cysts
    ("4B", "thick-walled cyst, wall or nodule growing",
     lambda n: n.cyst is Cyst.THICK_WALLED_GROWING_WALL),
    ("4B", "multilocular cyst, growing or with more loculation or opacity",
     lambda n: n.cyst is Cyst.MULTILOCULAR_GROWING),
    ("3", "thick-walled cyst, cystic part growing",
     lambda n: n.cyst is Cyst.THICK_WALLED_GROWING_CYST),
    ("4A", "atypical cyst", lambda n: n.cyst is not Cyst.NONE),
    # airways
    ("2", "subsegmental airway nodule, not growing",
     lambda n: n.place is Place.SUBSEGMENTAL_AIRWAY and n.course not in _GREW),
    ("4A", "airway nodule, segmental or more proximal, at baseline",
     lambda n: n.place is Place.CENTRAL_AIRWAY and n.course in (Course.BASELINE, Course.NEW)),
    ("4B", "airway nodule, segmental or more proximal, stable or growing",
     lambda n: n.place is Place.CENTRAL_AIRWAY),
    # at the pleura
    ("2", "juxtapleural, solid, smooth, less than 10 mm, at baseline or new",
     lambda n: n.place is Place.JUXTAPLEURAL and n.is_smooth and n.texture is Texture.SOLID
     and n.course in (*_FIRST, Course.NEW) and _size(n) < 10),
    # slow growth
    ("4B", "slow growth over several screenings",
     lambda n: n.course is Course.SLOWLY_GROWING and n.texture is not Texture.NON_SOLID),
    # solid
    ("2", "solid, less than 6 mm", _solid_of(0, 6, *_FIRST)),
    ("3", "solid, 6 to less than 8 mm", _solid_of(6, 8, *_FIRST)),
    ("4A", "solid, 8 to less than 15 mm", _solid_of(8, 15, *_FIRST)),
    ("4B", "solid, 15 mm or more", _solid_of(15, _INF, *_FIRST)),
    ("2", "solid, new, less than 4 mm", _solid_of(0, 4, Course.NEW)),
    ("3", "solid, new, 4 to less than 6 mm", _solid_of(4, 6, Course.NEW)),
    ("4A", "solid, new, 6 to less than 8 mm", _solid_of(6, 8, Course.NEW)),
    ("4A", "solid, growing, less than 8 mm", _solid_of(0, 8, Course.GROWING)),
    ("4B", "solid, new or growing, 8 mm or more", _solid_of(8, _INF)),
    # part-solid
    ("4B", "part-solid, solid part new or growing, 4 mm or more",
     _part_of(4, _INF, Course.NEW, Course.GROWING)),
    ("3", "part-solid, new, less than 6 mm",
     lambda n: _is(Texture.PART_SOLID, Course.NEW)(n) and _size(n) < 6 and _solid(n) < 4),
    ("4A", "part-solid, solid part new or growing, less than 4 mm",
     _part_of(0, 4, Course.NEW, Course.GROWING)),
    ("2", "part-solid, less than 6 mm", lambda n: _is(Texture.PART_SOLID)(n) and _size(n) < 6),
    ("3", "part-solid, 6 mm or more, solid part less than 6 mm", _part_of(0, 6)),
    ("4A", "part-solid, 6 mm or more, solid part 6 to less than 8 mm", _part_of(6, 8)),
    ("4B", "part-solid, solid part 8 mm or more", _part_of(8, _INF)),
    # non-solid
    ("2", "non-solid, less than 30 mm", lambda n: _size(n) < 30),
    ("2", "non-solid, 30 mm or more, stable or slowly growing",
     lambda n: n.course in (Course.STABLE, Course.SLOWLY_GROWING)),
    ("3", "non-solid, 30 mm or more", lambda n: n.texture is Texture.NON_SOLID),
)  # fmt: skip
