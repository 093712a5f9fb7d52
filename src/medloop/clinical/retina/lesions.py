"""Lesions by kind and quadrant, as the report's table shows them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from medloop.clinical.report.language import Language, say
from medloop.clinical.report.parts import Table
from medloop.clinical.retina.phrases import WORDS
from medloop.core.code import Code
from medloop.core.finding import Finding, Result

KINDS = ("MA", "HE", "EX", "SE")
QUADRANTS = ("ST", "SN", "IT", "IN")
_ELSEWHERE = "elsewhere"

# Heads of the area column by UCUM unit, the best first.
_AREA_HEADS = {"mm2": "area_mm2", "%": "area_field", "px2": "area_px", "{pixels}": "area_px"}

# Words in a coded concept's meaning that tell the kind.
_TELLING = {
    "MA": ("microaneurysm",),
    "HE": ("hemorrhage", "haemorrhage"),
    "EX": ("hard exudate",),
    "SE": ("soft exudate", "cotton wool"),
}


@dataclass(frozen=True, slots=True)
class Tally:
    """How many lesions of one kind, by quadrant, and their area by unit."""

    by_quadrant: Mapping[str, int] = field(default_factory=dict)
    areas: Mapping[str, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """All of them, wherever they are."""
        return sum(self.by_quadrant.values())


def kind_of(concept: Code) -> str | None:
    """Return MA, HE, EX or SE for a lesion's code; None for what is no such lesion."""
    meaning = concept.meaning.lower().replace("-", " ")
    for kind, words in _TELLING.items():
        if any(word in meaning for word in words):
            return kind
    return None


def quadrant_of(site: Code | None) -> str:
    """Return ST, SN, IT or IN for a site's code, or ``elsewhere``."""
    meaning = site.meaning.lower() if site else ""
    up = "S" if "super" in meaning else "I" if "infer" in meaning else ""
    out = "T" if "temporal" in meaning else "N" if "nasal" in meaning else ""
    return up + out if up and out else _ELSEWHERE


def tally(result: Result, kind: str) -> Tally:
    """Add up findings of one kind; one without a count is one lesion."""
    counts: Counter[str] = Counter()
    areas: dict[str, float] = {}
    for finding in result.findings:
        if kind_of(finding.concept) == kind:
            counts[quadrant_of(finding.site)] += _count(finding)
            for measurement in finding.measurements:
                unit = measurement.unit
                if unit in _AREA_HEADS:
                    areas[unit] = areas.get(unit, 0.0) + measurement.value
    return Tally(dict(counts), areas)


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
    known = {unit for each in tallies for unit in each.areas}
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
        keys=_colors(result),
        note=say(WORDS, "note_lesions", language),
    )


def _count(finding: Finding) -> int:
    counted = [each.value for each in finding.measurements if each.unit == "1"]
    return round(counted[0]) if counted else 1


def _short(area: float) -> str:
    """Two digits that count; small areas are small, not zero."""
    if area == 0:
        return "0"
    return f"{area:.0f}" if area >= 10 else f"{area:.2f}" if area >= 0.01 else "< 0.01"


def _colors(result: Result) -> tuple[str, ...]:
    """Colors of the kinds on the overlay, in the table's order; empty without labels."""
    if result.labels is None:
        return ()
    by_kind = {
        kind_of(each.concept): f"#{bytes(each.color).hex()}"
        for each in result.labels.segments.values()
    }
    return tuple(by_kind.get(kind, "transparent") for kind in KINDS)
