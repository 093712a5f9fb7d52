"""What of a finding's fields makes sense: codes, numbers with units, places on the image."""

import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from medloop.annotation.draft import PLACES
from medloop.core.code import Code
from medloop.core.finding import Finding
from medloop.core.geometry import Grid
from medloop.core.plain import Plain, Record

FIELDS: Final = ("concept", "site", "measurements", "probability", *PLACES, "comment")
# UCUM units of what analyses measure, and whether less than nothing can be measured in them.
UNITS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("mm", "cm", "mm2", "cm2", "mm3", "cm3", "ml", "mL", "{pixels}"), False),
    **dict.fromkeys(("1", "{disc_diameters}", "d", "deg"), False),
    **dict.fromkeys(("%", "HU", "[hnsf'U]"), True),
}
CODE: Final[Mapping[str, int]] = {
    "scheme": 16,
    "value": 64,
    "meaning": 64,
}  # DICOM's SH, UC, LO
_REMARK: Final = 400
_MOST: Final = 50  # measurements of a finding
_SEGMENT: Final = 65_535
_FAR: Final = 1e9  # beyond what is measured in any unit
_HALF: Final = 0.5  # of a voxel: the outermost reach this far beyond their centers


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """What a finding's place must lie in: a volume's grid, or a picture of (width, height)."""

    grid: Grid | None = None
    size_px: tuple[int, int] = (0, 0)

    def holds_mm(self, x: float, y: float, z: float) -> bool:
        """Whether a place in the world, LPS mm, is on the volume."""
        if self.grid is None:
            return False
        index = self.grid.to_index(np.array([x, y, z]))
        top = np.array(self.grid.shape) - 1 + _HALF
        return bool((index >= -_HALF).all() and (index <= top).all())

    def holds_px(self, x: float, y: float) -> bool:
        """Whether a pixel is on the picture."""
        width, height = self.size_px
        return -_HALF <= x <= width - _HALF and -_HALF <= y <= height - _HALF


def mistakes_in(fields: Record, extent: Extent, proposed: Finding | None) -> Iterator[str]:
    """Say what is wrong with a finding's fields; `proposed` is what the analysis had found."""
    if strange := sorted(set(fields) - set(FIELDS)):
        yield f"a finding has no field {short(strange[0])}; there are {', '.join(FIELDS)}"
    for name, check in _CHECKS.items():
        if name in fields:
            yield from check(fields[name], extent, proposed)


def code_check(name: str) -> Callable[[Plain, Extent, Finding | None], Iterator[str]]:
    """Make the check of a code; a site may be none."""

    def check(plain: Plain, _extent: Extent, _proposed: Finding | None) -> Iterator[str]:
        if plain is None and name == "site":
            return
        if not isinstance(plain, dict) or set(plain) != set(CODE):
            yield f"{name} is a code: scheme, value, meaning"
            return
        for key, most in CODE.items():
            value = plain[key]
            if not isinstance(value, str) or not value.strip() or len(value) > most:
                yield f"{name}: {key} is text of 1 to {most} characters"
            elif "\\" in value or not value.isprintable():
                yield f"{name}: {key} has characters that DICOM does not take"

    return check


def _measurements(plain: Plain, extent: Extent, proposed: Finding | None) -> Iterator[str]:
    if not isinstance(plain, list) or len(plain) > _MOST:
        yield f"measurements is a list of at most {_MOST}"
        return
    units = {each.concept: each.unit for each in proposed.measurements} if proposed else {}
    for number, each in enumerate(plain, start=1):
        name = f"measurement {number}"
        if not isinstance(each, dict):
            yield f"{name} is an object with concept, value and unit"
            continue
        wrong = list(code_check(f"{name}'s concept")(each.get("concept"), extent, None))
        yield from wrong
        yield from _value(name, each)
        if not wrong:
            mine = [u for code, u in units.items() if _is_code(each["concept"], code)]
            if mine and each.get("unit") not in mine:
                yield f"{name} was made in {mine[0]}, not in {short(each.get('unit'))}"


def _is_code(plain: Plain, code: Code) -> bool:
    asked = (plain.get("scheme"), plain.get("value")) if isinstance(plain, dict) else ()
    return asked == (code.scheme, code.value)


def _value(name: str, each: Record) -> Iterator[str]:
    value, unit = each.get("value"), each.get("unit")
    if not isinstance(unit, str) or unit not in UNITS:
        yield f"{name} has no unit of {', '.join(UNITS)}"
    elif not is_number(value):
        yield f"{name} has no number"
    elif _float(value) < 0 and not UNITS[unit]:
        yield f"{name} is below 0 {unit}"


def _probability(plain: Plain, _extent: Extent, _proposed: Finding | None) -> Iterator[str]:
    if plain is not None and not 0 <= _float(plain) <= 1:
        yield "probability is a number from 0 to 1, or null"


def _center_mm(plain: Plain, extent: Extent, _proposed: Finding | None) -> Iterator[str]:
    if plain is None:
        return
    if extent.grid is None:
        yield "a picture has no center_lps_mm: give center_px"
    elif (place := numbers(plain, 3)) is None:
        yield "center_lps_mm is [x, y, z] in mm"
    elif not extent.holds_mm(*place):
        yield "center_lps_mm is outside of the volume"


def _center_px(plain: Plain, extent: Extent, _proposed: Finding | None) -> Iterator[str]:
    if plain is None:
        return
    if extent.grid is not None:
        yield "a volume has no center_px: give center_lps_mm"
    elif (place := numbers(plain, 2)) is None:
        yield "center_px is [x, y] in pixels"
    elif not extent.holds_px(*place):
        yield "center_px is outside of the picture"


def _box(plain: Plain, extent: Extent, _proposed: Finding | None) -> Iterator[str]:
    if plain is None:
        return
    count = 2 if extent.grid is None else 3
    if not isinstance(plain, dict) or set(plain) != {"low", "high"}:
        yield "box is an object with low and high"
        return
    low, high = (numbers(plain[key], count) for key in ("low", "high"))
    if low is None or high is None:
        yield f"box has {count} numbers a corner"
    elif any(a > b for a, b in zip(low, high, strict=True)):
        yield "box: low is above high"
    else:
        holds: Callable[..., bool] = extent.holds_px if count == 2 else extent.holds_mm
        if not (holds(*low) and holds(*high)):
            yield "box reaches outside of the image"


def segment_check(plain: Plain, _extent: Extent, _proposed: Finding | None) -> Iterator[str]:
    """Check a label's number."""
    if plain is None:
        return
    if isinstance(plain, bool) or not isinstance(plain, int) or not 1 <= plain <= _SEGMENT:
        yield f"segment is a whole number from 1 to {_SEGMENT}"


def _comment(plain: Plain, _extent: Extent, _proposed: Finding | None) -> Iterator[str]:
    if not is_text(plain, _REMARK):
        yield f"comment is text of at most {_REMARK} characters"


def is_text(plain: Plain, most: int) -> bool:
    """Whether this is text that can be shown, on several lines or none."""
    return (
        isinstance(plain, str)
        and len(plain) <= most
        and all(
            letter.isprintable() or letter in "\n\t" or _is_space(letter) for letter in plain
        )
    )


def _is_space(letter: str) -> bool:
    """Whether this is a space, such as that between a number and its unit, or the wide one."""
    return unicodedata.category(letter) == "Zs"


def is_number(plain: Plain) -> bool:
    """Whether this is a number that something can measure."""
    return math.isfinite(_float(plain))


def _float(plain: Plain) -> float:
    """Return a number that can be meant, NaN for anything else."""
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        return math.nan
    return float(plain) if abs(plain) < _FAR else math.nan


def numbers(plain: Plain, count: int) -> tuple[float, ...] | None:
    """Read so many numbers; None where it is something else."""
    if not isinstance(plain, list) or len(plain) != count:
        return None
    if not all(is_number(each) for each in plain):
        return None
    return tuple(_float(each) for each in plain)


def short(plain: object) -> str:
    """Quote what was sent, but no more of it than a name is long."""
    return repr(str(plain)[:32])


_Check = Callable[[Plain, Extent, Finding | None], Iterator[str]]
_CHECKS: Final[Mapping[str, _Check]] = {
    "concept": code_check("concept"),
    "site": code_check("site"),
    "measurements": _measurements,
    "probability": _probability,
    "center_lps_mm": _center_mm,
    "center_px": _center_px,
    "box": _box,
    "segment": segment_check,
    "comment": _comment,
}
