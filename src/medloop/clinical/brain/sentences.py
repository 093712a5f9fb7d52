"""The hippocampus report, sentence by sentence, from findings and assessments alone."""

from collections.abc import Mapping

from jaxtyping import UInt8
from numpy import ndarray

from medloop.clinical.brain.codes import (
    CONCEPTS,
    EXPECTED,
    HIPPOCAMPUS,
    PARTS,
    POSSIBLE,
    SEGMENTS,
    SURE,
    VOLUME,
)
from medloop.clinical.brain.phrases import NOTICES, SHIPPED_BUNDLE, WORDS
from medloop.clinical.report.language import Language, percent, say
from medloop.clinical.report.limits import limits
from medloop.clinical.report.notices import told_apart
from medloop.clinical.report.parts import Figure, Key, Report, Table, Tone
from medloop.clinical.report.plain import plain_pictures, plane_figures
from medloop.core.code import Code
from medloop.core.finding import Finding, Result
from medloop.core.image import Volume
from medloop.core.study import Case
from medloop.imaging.orientation import turn_of, upright_grid

# What makes the numbers doubtful until somebody has looked; a side that is wrong does not.
DOUBTS = frozenset(
    {
        "hippocampus_cut_off",
        "hippocampus_volume",
        "hippocampus_no_anterior",
        "hippocampus_no_posterior",
        "hippocampus_turned",
    }
)
ALERTS = DOUBTS | {"hippocampus_side"}
_TIMES = "\u00a0x\u00a0"


def hippocampus_report(
    case: Case,
    result: Result,
    *,
    language: Language,
    rendered: Mapping[str, UInt8[ndarray, "y x 3"]] | None = None,
) -> Report:
    """Say what the analysis measured; `rendered` are its pictures, if already drawn."""
    notices = (*case.warnings, *result.warnings)
    alerts, warnings = told_apart(notices, language, NOTICES, alerts=ALERTS)
    is_doubtful = any(notice.code in DOUBTS for notice in notices)
    pictures = plain_pictures(case, result) if rendered is None else rendered
    return Report(
        title=say(WORDS, "title", language),
        subject=_subject(result, language),
        headline=_headline(result, language, is_doubtful=is_doubtful),
        tone=Tone.WATCH if is_doubtful else Tone.UNSURE,
        sentences=_sentences(result, language),
        recommendation=say(WORDS, "advice_doubtful" if is_doubtful else "advice", language),
        guideline=say(WORDS, "guideline", language),
        alerts=alerts,
        figures=_figures(result, pictures, language),
        tables=(_table(case, result, language),),
        warnings=warnings,
        limits=limits(result, WORDS, language, shipped=(SHIPPED_BUNDLE,)),
    )


def cubic_mm(value: float, language: Language) -> str:
    """Write a volume in whole mm³; English sets its thousands apart by a thin space."""
    text = f"{value:.0f}"
    if language is Language.CHINESE or len(text) < 4:
        return text
    return f"{value:,.0f}".replace(",", "\u202f")


def _subject(result: Result, language: Language) -> str:
    side = result.assessments.get("side")
    key = f"subject_{side}"
    subject = say(WORDS, key if key in WORDS else "subject_unknown", language)
    if result.assessments.get("side_from") != "position":
        return subject
    return say(WORDS, "by_position", language, subject=subject)


def _headline(result: Result, language: Language, *, is_doubtful: bool) -> str:
    whole = _finding(result, HIPPOCAMPUS)
    if whole is None or whole.measured(VOLUME) is None:  # a reader took it out
        return say(WORDS, "headline_none", language)
    volume = _cubic(whole, VOLUME, language)
    key = "headline_doubtful" if is_doubtful else "headline"
    return say(WORDS, key, language, volume=volume)


def _sentences(result: Result, language: Language) -> tuple[str, ...]:
    whole = _finding(result, HIPPOCAMPUS)
    shown = {part: _cubic(_finding(result, CONCEPTS[part]), VOLUME, language) for part in PARTS}
    parts = say(WORDS, "parts", language, **shown)
    if whole is None or whole.measured(SURE) is None or whole.measured(POSSIBLE) is None:
        return (parts,)  # what a reader measured has no range
    low, high = (_cubic(whole, code, language) for code in (SURE, POSSIBLE))
    return (parts, say(WORDS, "range", language, low=low, high=high))


def _table(case: Case, result: Result, language: Language) -> Table:
    heads = ("structure", "volume", "share", "strict", "generous", "expected", "sureness")
    whole = _finding(result, HIPPOCAMPUS)
    total = _measured(whole, VOLUME)
    rows = [
        _row(say(WORDS, part, language), _finding(result, CONCEPTS[part]), total, language)
        for part in PARTS
    ]
    rows.append(_row(say(WORDS, "whole", language), whole, total, language))
    return Table(
        say(WORDS, "table", language),
        tuple(say(WORDS, head, language) for head in heads),
        tuple(rows),
        keys=tuple(_color(part) for part in PARTS),
        note=_note(case, language),
    )


def _row(
    name: str, finding: Finding | None, total: float, language: Language
) -> tuple[str, ...]:
    if finding is None:
        return (name, "–", "–", "–", "–", "–", "–")
    volume = _measured(finding, VOLUME)
    sureness = finding.probability
    return (
        name,
        _cubic(finding, VOLUME, language),
        percent(volume / total, language) if total else "–",
        *(_cubic(finding, each, language) for each in (SURE, POSSIBLE, EXPECTED)),
        "–" if sureness is None else percent(sureness, language),
    )


def _note(case: Case, language: Language) -> str:
    """Explain the columns; sizes run left to right, front to back, foot to head."""
    image = case.images[0]
    if not isinstance(image, Volume):
        return ""
    grid = upright_grid(image.grid, turn_of(image.grid))
    sides = [n * step for n, step in zip(grid.shape, grid.spacing_mm, strict=True)]
    voxel = _TIMES.join(f"{step:.2g}" for step in grid.spacing_mm[::-1])
    region = _TIMES.join(f"{side:.0f}" for side in sides[::-1])
    return say(WORDS, "note", language, voxel=voxel, region=region)


def _figures(
    result: Result, pictures: Mapping[str, UInt8[ndarray, "y x 3"]], language: Language
) -> tuple[Figure, ...]:
    if "overlay" not in pictures:
        return ()
    keys = tuple(
        Key(_color(part), say(WORDS, part, language))
        for part in PARTS
        if _finding(result, CONCEPTS[part]) is not None
    )
    return plane_figures(pictures["overlay"], keys, language=language)


def _color(part: str) -> str:
    segment = SEGMENTS[PARTS.index(part) + 1]
    return f"#{bytes(segment.color).hex()}"


def _finding(result: Result, concept: Code) -> Finding | None:
    return next((each for each in result.findings if each.concept == concept), None)


def _cubic(finding: Finding | None, concept: Code, language: Language) -> str:
    """Write a measurement in mm³, a dash where there is none."""
    value = finding.measured(concept) if finding else None
    return "–" if value is None else cubic_mm(value, language)


def _measured(finding: Finding | None, concept: Code) -> float:
    """Return a measurement in mm³; 0 where there is no such finding."""
    return (finding.measured(concept) or 0.0) if finding else 0.0
