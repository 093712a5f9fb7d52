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
from medloop.clinical.report.notices import told
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
_ALERTS = DOUBTS | {"hippocampus_side"}
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
    alerts = [notice for notice in notices if notice.code in _ALERTS]
    others = [notice for notice in notices if notice.code not in _ALERTS]
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
        alerts=told(alerts, language, NOTICES),
        figures=_figures(result, pictures, language),
        tables=(_table(case, result, language),),
        warnings=told(others, language, NOTICES),
        limits=_limits(result, language),
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
    volume = cubic_mm(_measured(_finding(result, HIPPOCAMPUS), VOLUME), language)
    key = "headline_doubtful" if is_doubtful else "headline"
    return say(WORDS, key, language, volume=volume)


def _sentences(result: Result, language: Language) -> tuple[str, ...]:
    whole = _finding(result, HIPPOCAMPUS)
    shown = {
        part: cubic_mm(_measured(_finding(result, CONCEPTS[part]), VOLUME), language)
        for part in PARTS
    }
    low, high = (cubic_mm(_measured(whole, code), language) for code in (SURE, POSSIBLE))
    return (
        say(WORDS, "parts", language, **shown),
        say(WORDS, "range", language, low=low, high=high),
    )


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
    volume, *others = (
        _measured(finding, concept) for concept in (VOLUME, SURE, POSSIBLE, EXPECTED)
    )
    sureness = finding.probability
    return (
        name,
        cubic_mm(volume, language),
        percent(volume / total, language) if total else "–",
        *(cubic_mm(each, language) for each in others),
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


def _limits(result: Result, language: Language) -> tuple[str, ...]:
    is_shipped = {each.bundle for each in result.provenance.weights} == {SHIPPED_BUNDLE}
    trained = "limit_trained" if is_shipped else "limit_trained_other"
    return tuple(say(WORDS, key, language) for key in ("limit_scope", "limit_not_for", trained))


def _finding(result: Result, concept: Code) -> Finding | None:
    return next((each for each in result.findings if each.concept == concept), None)


def _measured(finding: Finding | None, concept: Code) -> float:
    """Return a measurement in mm³; 0 where there is no such finding."""
    return (finding.measured(concept) or 0.0) if finding else 0.0
