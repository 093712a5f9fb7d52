"""The head and neck report, sentence by sentence, from findings and assessments alone."""

from collections.abc import Mapping
from typing import Final

from jaxtyping import UInt8
from numpy import ndarray

from medloop.clinical.radiotherapy import codes
from medloop.clinical.radiotherapy.atlas import load_atlas
from medloop.clinical.radiotherapy.codes import ORGANS
from medloop.clinical.radiotherapy.phrases import (
    NAMES,
    NOTICES,
    REASONS,
    SHIPPED_BUNDLE,
    WORDS,
)
from medloop.clinical.radiotherapy.pictures import head_neck_pictures
from medloop.clinical.report.language import Language, say
from medloop.clinical.report.limits import limits
from medloop.clinical.report.notices import told_apart
from medloop.clinical.report.parts import Figure, Key, Report, Table, Tone
from medloop.core.finding import Finding, Result
from medloop.core.image import Volume
from medloop.core.study import Case
from medloop.imaging.orientation import turn_of, upright_grid

ALERTS: Final = frozenset({"oar-sides"})
_HEADS: Final = (
    "organ",
    "tg263",
    "volume",
    "range",
    "usual",
    "expected",
    "mirror",
    "review",
)
_TIMES: Final = "\u00a0x\u00a0"


def head_neck_report(
    case: Case,
    result: Result,
    *,
    language: Language,
    rendered: Mapping[str, UInt8[ndarray, "y x 3"]] | None = None,
) -> Report:
    """Say what the analysis outlined; `rendered` are its pictures, if already drawn."""
    notices = (*case.warnings, *result.warnings)
    alerts, warnings = told_apart(notices, language, NOTICES, alerts=ALERTS)
    why = {name: _reasons(result, name) for name in ORGANS}
    is_odd = bool(alerts) or any(why.values())
    pictures = head_neck_pictures(case, result) if rendered is None else rendered
    return Report(
        title=say(WORDS, "title", language),
        subject=say(WORDS, "subject", language),
        headline=_headline(result, why, language),
        tone=Tone.WATCH if is_odd else Tone.UNSURE,
        sentences=_sentences(why, language),
        recommendation=say(WORDS, "advice", language),
        guideline=say(WORDS, "guideline", language),
        alerts=alerts,
        figures=_figures(result, pictures, language),
        tables=(_table(case, result, why, language),),
        warnings=warnings,
        limits=limits(result, WORDS, language, shipped=(SHIPPED_BUNDLE,)),
    )


def _headline(result: Result, why: Mapping[str, tuple[str, ...]], language: Language) -> str:
    review = sum(map(bool, why.values()))
    key = "headline_review" if review else "headline"
    count = len(result.findings)
    return say(WORDS, key, language, count=count, all=len(ORGANS), review=review)


def _sentences(why: Mapping[str, tuple[str, ...]], language: Language) -> tuple[str, ...]:
    between = "、" if language is Language.CHINESE else ", "
    odd = [
        f"{say(NAMES, name, language)} ({_named(reasons, language)})"
        for name, reasons in why.items()
        if reasons
    ]
    targets = say(WORDS, "targets", language)
    if not odd:
        return (targets,)
    if language is not Language.CHINESE:
        odd = [name[:1].lower() + name[1:] for name in odd]
    else:
        odd = [name.replace(" (", "（").replace(")", "）") for name in odd]
    return say(WORDS, "review_list", language, organs=between.join(odd)), targets


def _named(reasons: tuple[str, ...], language: Language) -> str:
    between = "、" if language is Language.CHINESE else ", "
    return between.join(say(REASONS, reason, language) for reason in reasons)


def _table(
    case: Case, result: Result, why: Mapping[str, tuple[str, ...]], language: Language
) -> Table:
    atlas = load_atlas()
    rows = [
        (
            say(NAMES, name, language),
            organ.tg263,
            *_numbers(_finding(result, organ.label)),
            _span(*atlas[name].volume_cm3),
            *_quality(_finding(result, organ.label)),
            _named(why[name], language) or "–",
        )
        for name, organ in ORGANS.items()
    ]
    return Table(
        say(WORDS, "table", language),
        tuple(say(WORDS, head, language) for head in _HEADS),
        tuple(rows),
        keys=tuple(_color(name) for name in ORGANS),
        note=_note(case, language),
    )


def _numbers(finding: Finding | None) -> tuple[str, str]:
    if finding is None:
        return "–", "–"
    volume, low, high = (
        finding.measured(concept) for concept in (codes.VOLUME, codes.SURE, codes.POSSIBLE)
    )
    # What a reader drew has no range.
    span = "–" if low is None or high is None else _span(low, high)
    return "–" if volume is None else f"{volume:.1f}", span


def _quality(finding: Finding | None) -> tuple[str, str]:
    values = (
        finding.measured(concept) if finding else None
        for concept in (codes.EXPECTED_DICE, codes.MIRROR_DICE)
    )
    expected, mirror = ("–" if value is None else f"{value:.2f}" for value in values)
    return expected, mirror


def _span(low: float, high: float) -> str:
    return f"{low:.1f}–{high:.1f}"


def _note(case: Case, language: Language) -> str:
    image = case.images[0]
    if not isinstance(image, Volume):
        return ""
    grid = upright_grid(image.grid, turn_of(image.grid))
    voxel = _TIMES.join(f"{step:.2g}" for step in grid.spacing_mm[::-1])
    cases = max(usual.cases for usual in load_atlas().values())
    return say(WORDS, "note", language, voxel=voxel, cases=cases)


def _figures(
    result: Result, pictures: Mapping[str, UInt8[ndarray, "y x 3"]], language: Language
) -> tuple[Figure, ...]:
    if "overlay" not in pictures:
        return ()
    found = {each.segment for each in result.findings}
    keys = tuple(
        Key(_color(name), say(NAMES, name, language))
        for name, organ in ORGANS.items()
        if organ.label in found
    )
    title = say(WORDS, "figure", language)
    return (Figure(title, pictures["overlay"], keys, is_whole=True),)


def _color(name: str) -> str:
    return f"#{bytes(ORGANS[name].color).hex()}"


def _finding(result: Result, label: int) -> Finding | None:
    return next((each for each in result.findings if each.segment == label), None)


def _reasons(result: Result, name: str) -> tuple[str, ...]:
    held = result.assessments.get(name)
    review = held.get("review", "none") if isinstance(held, Mapping) else "none"
    return () if review == "none" else tuple(review.split(", "))
