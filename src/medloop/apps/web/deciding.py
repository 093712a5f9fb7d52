"""What the page of adjudication shows: what each reader says, in what they differ, and mine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from medloop.annotation.adjudication import (
    Masks,
    Step,
    to_drop,
    to_say,
    to_say_grade,
    to_show_all,
    to_take,
)
from medloop.annotation.draft import Draft, Drafted
from medloop.annotation.matching import Row, SideBySide, is_there, side_by_side
from medloop.clinical.naming import finding_name
from medloop.clinical.report.language import Language
from medloop.core.errors import InputError
from medloop.core.finding import Assessment, Finding

MINE = ""  # the column of whoever decides; no reader's name is empty


@dataclass(frozen=True, slots=True)
class Cell:
    """What one says of a finding: `state` is how it came there, ``none`` if it is not there."""

    reader: str
    state: str
    name: str
    sizes: str
    place: str
    is_mine: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A finding and what each says of it."""

    key: str
    name: str
    differences: tuple[str, ...]
    cells: tuple[Cell, ...]
    mine: Cell


@dataclass(frozen=True, slots=True)
class GradeLine:
    """An assessment and what each says; `said` is by reader."""

    scale: str
    said: Mapping[str, str]
    mine: str
    is_agreed: bool


@dataclass(frozen=True, slots=True)
class Table:
    """All of it; `differing` come first on the page."""

    differing: tuple[Line, ...]
    alike: tuple[Line, ...]
    grades: tuple[GradeLine, ...]
    has_masks: bool


def table_of(
    drafts: Mapping[str, Draft], mine: Draft, analysis: str, language: Language
) -> Table:
    """Put what readers say beside what the adjudication says so far."""
    told = side_by_side({**drafts, MINE: mine})
    lines = [_line(row, tuple(drafts), analysis, language) for row in told.rows]
    grades = tuple(
        GradeLine(
            grade.scale,
            {reader: grade_text(grade.said[reader]) for reader in drafts},
            grade_text(grade.said[MINE]),
            len({repr(grade.said[reader]) for reader in drafts}) <= 1,
        )
        for grade in told.grades
    )
    return Table(
        differing=tuple(each for each in lines if each.differences),
        alike=tuple(each for each in lines if not each.differences),
        grades=grades,
        has_masks=len({draft.mask for draft in drafts.values()}) > 1,
    )


def steps_for(
    take: str, drafts: Mapping[str, Draft], mine: Draft, masks: Masks
) -> tuple[Step, ...]:
    """Return the edits that a button stands for.

    It is ``all:li``, ``mask:li``, ``row:3:li`` or ``grade:ICDR:li``.

    Raises
    ------
    InputError
        If it stands for nothing, or objects of two readers lie on each other.
    """
    kind, _, rest = take.partition(":")
    key, _, reader = rest.rpartition(":")
    wanted = drafts.get(reader)
    if wanted is None:
        raise InputError("there is no reading of this name to take")
    match kind:
        case "all":
            return to_say(mine, wanted)
        case "mask":
            return to_show_all(mine, wanted, masks)
        case "grade":
            return to_say_grade(mine, key, wanted)
        case "row":
            return _row_steps(key, reader, drafts, mine, masks)
        case _:
            raise InputError("there is nothing of this kind to take")


def differing_findings(
    table: Table, told: SideBySide
) -> Mapping[str, Sequence[tuple[str, Finding]]]:
    """List what readers differ about, by reader, with the name of each row."""
    keys = {line.key for line in table.differing}
    found: dict[str, list[tuple[str, Finding]]] = {}
    for row in told.rows:
        for reader, said in row.said.items():
            named = found.setdefault(reader, [])
            if row.key in keys and said is not None and is_there(said):
                named.append((row.key, said.finding))
    return found


def _row_steps(
    key: str, reader: str, drafts: Mapping[str, Draft], mine: Draft, masks: Masks
) -> tuple[Step, ...]:
    rows = {row.key: row for row in side_by_side({**drafts, MINE: mine}).rows}
    row = rows.get(key)
    if row is None:
        raise InputError("there is no such finding")
    said = row.said[reader]
    if said is None:
        return to_drop(mine, row.finding)
    return to_take(mine, key, drafts[reader], said, masks)


def _line(row: Row, readers: Sequence[str], analysis: str, language: Language) -> Line:
    among = replace(row, said={reader: row.said[reader] for reader in readers})
    differences = tuple(sorted(each.value for each in among.differences))
    cells = tuple(
        _cell(row, reader, analysis, language, is_mine=_alike(row.said[reader], row.said[MINE]))
        for reader in readers
    )
    mine = _cell(row, MINE, analysis, language, is_mine=True)
    return Line(
        row.key, finding_name(row.finding, analysis, language), differences, cells, mine
    )


def _alike(one: Drafted | None, other: Drafted | None) -> bool:
    if not is_there(one) or not is_there(other):
        return is_there(one) is is_there(other)
    pair = Row("", {"one": one, "other": other})
    return not pair.differences


def _cell(row: Row, reader: str, analysis: str, language: Language, *, is_mine: bool) -> Cell:
    said = row.said[reader]
    if said is None:
        return Cell(reader, "none", "", "", "", is_mine)
    finding = said.finding
    return Cell(
        reader,
        said.state.value,
        finding_name(finding, analysis, language),
        ", ".join(_size(each.value, each.unit) for each in finding.measurements[:4]),
        _place(finding),
        is_mine,
    )


def _size(value: float, unit: str) -> str:
    return f"{value:.4g}" if unit == "1" else f"{value:.4g} {unit}"


def _place(finding: Finding) -> str:
    place: tuple[float, ...] | None = finding.center_lps_mm or finding.center_px
    if place is None and finding.box is not None:
        pairs = zip(finding.box.low, finding.box.high, strict=True)
        place = tuple((low + high) / 2 for low, high in pairs)
    return "" if place is None else ", ".join(f"{value:.0f}" for value in place)


def grade_text(value: Assessment) -> str:
    """Write an assessment as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
