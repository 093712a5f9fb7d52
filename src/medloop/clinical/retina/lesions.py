"""Lesions by kind and quadrant, as the report's table shows them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from medloop.clinical.report.language import Language, say
from medloop.clinical.report.parts import Table
from medloop.clinical.retina.codes import (
    AREA,
    AREA_ESTIMATED,
    AREA_SHARE,
    CONCEPTS,
    COUNT,
    FOVEA_DISTANCE,
    LABELS,
    QUADRANT_SITES,
    SEGMENTS,
)
from medloop.clinical.retina.phrases import WORDS
from medloop.clinical.retina.scales import QUADRANTS, LesionCounts
from medloop.core.code import Code
from medloop.core.finding import Finding, Result

KINDS = ("MA", "HE", "EX", "SE")
_ELSEWHERE = "elsewhere"
_KIND_BY_CODE = {code.value: kind for kind, code in CONCEPTS.items()}
_QUADRANT_BY_CODE = {code.value: quadrant for quadrant, code in QUADRANT_SITES.items()}

# Heads of the area column by concept and UCUM unit, the best known one first.
_AREA_HEADS = {
    (AREA.value, "mm2"): "area_mm2",
    (AREA_ESTIMATED.value, "mm2"): "area_estimated",
    (AREA_SHARE.value, "%"): "area_field",
    (AREA.value, "{pixels}"): "area_px",
}


@dataclass(frozen=True, slots=True)
class Tally:
    """How many lesions of one kind, by quadrant, and their area by concept and unit."""

    by_quadrant: Mapping[str, int] = field(default_factory=dict)
    areas: Mapping[tuple[str, str], float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """All of them, wherever they are."""
        return sum(self.by_quadrant.values())


def kind_of(concept: Code) -> str | None:
    """Return MA, HE, EX or SE for a lesion's code; None for what is no such lesion."""
    return _KIND_BY_CODE.get(concept.value)


def quadrant_of(site: Code | None) -> str:
    """Return ST, SN, IT or IN for a site's code, or ``elsewhere``."""
    return _QUADRANT_BY_CODE.get(site.value, _ELSEWHERE) if site else _ELSEWHERE


def tally(result: Result, kind: str) -> Tally:
    """Add up findings of one kind; one without a count is one lesion."""
    counts: Counter[str] = Counter()
    areas: dict[tuple[str, str], float] = {}
    for finding in result.findings:
        if kind_of(finding.concept) == kind:
            counts[quadrant_of(finding.site)] += _count(finding)
            for measurement in finding.measurements:
                key = (measurement.concept.value, measurement.unit)
                if key in _AREA_HEADS:
                    areas[key] = areas.get(key, 0.0) + measurement.value
    return Tally(dict(counts), areas)


def lesion_counts(result: Result) -> LesionCounts:
    """Count lesions as the rules see them."""
    tallies = {kind: tally(result, kind).by_quadrant for kind in KINDS}
    return LesionCounts(
        {
            kind: {where if where in QUADRANTS else "": n for where, n in found.items()}
            for kind, found in tallies.items()
        }
    )


def nearest_exudate(result: Result) -> float | None:
    """Return the least distance of a hard exudate to the fovea (disc diameters), if known."""
    known = [
        distance
        for finding in result.findings
        if kind_of(finding.concept) == "EX"
        if (distance := finding.measured(FOVEA_DISTANCE)) is not None
    ]
    return min(known, default=None)


def lesion_table(result: Result, language: Language) -> Table:
    """Kinds down, quadrants across, then total and area in the best unit that is known."""
    tallies = [tally(result, kind) for kind in KINDS]
    columns = [*QUADRANTS]
    if any(each.by_quadrant.get(_ELSEWHERE) for each in tallies):
        columns.append(_ELSEWHERE)
    heads = [
        say(WORDS, column if column == _ELSEWHERE else f"quadrant_{column}", language)
        for column in columns
    ]
    known = {key for each in tallies for key in each.areas}
    units = [unit for unit in _AREA_HEADS if unit in known][:1]
    rows = tuple(
        (
            say(WORDS, kind, language),
            *(str(each.by_quadrant.get(column, 0)) for column in columns),
            str(each.count),
            *(_short(each.areas.get(unit, 0.0)) for unit in units),
        )
        for kind, each in zip(KINDS, tallies, strict=True)
    )
    area_heads = [say(WORDS, _AREA_HEADS[unit], language) for unit in units]
    first, total = say(WORDS, "lesion", language), say(WORDS, "total", language)
    return Table(
        title=say(WORDS, "table_lesions", language),
        head=(first, *heads, total, *area_heads),
        rows=rows,
        keys=_colors(),
        note=say(WORDS, "note_lesions", language),
    )


def _count(finding: Finding) -> int:
    counted = [each.value for each in finding.measurements if each.concept == COUNT]
    return round(counted[0]) if counted else 1


def _short(area: float) -> str:
    """Two digits that count; small areas are small, not zero."""
    if area == 0:
        return "0"
    return f"{area:.0f}" if area >= 10 else f"{area:.2f}" if area >= 0.01 else "< 0.01"


def _colors() -> tuple[str, ...]:
    """Colors of the kinds on the overlay, in the table's order."""
    return tuple(f"#{bytes(SEGMENTS[LABELS[kind]].color).hex()}" for kind in KINDS)
