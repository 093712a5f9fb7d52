"""The lung report, sentence by sentence, from findings and assessments alone."""

from collections.abc import Mapping

from jaxtyping import UInt8
from numpy import ndarray

from medloop.clinical.lung import codes
from medloop.clinical.lung.fleischner import Person, Risk, reason_against
from medloop.clinical.lung.phrases import ADVICE, NOTICES, SHIPPED_BUNDLE, WORDS
from medloop.clinical.lung.pictures import key_images
from medloop.clinical.report.figures import heat_ramp
from medloop.clinical.report.language import Language, age_years, percent, say
from medloop.clinical.report.notices import told
from medloop.clinical.report.parts import Figure, Ramp, Report, Table, Tone
from medloop.core.code import Code
from medloop.core.finding import Finding, Result
from medloop.core.image import Volume
from medloop.core.study import Case
from medloop.imaging.lobes import Lobe

MOST_TOLD = 4  # nodules that have a sentence; the table has all
_SURE = 0.7  # of a lobe
_SIGNS = ("fat", "spiculated", "juxtapleural", "perifissural")
_WIDTHS = (4.0, 2.0)  # panels in a row of key images, and of heat maps
_NAMES: Mapping[Code, str] = {
    codes.SITES[lobe]: lobe.name.lower().replace("_", " ") for lobe in Lobe
}
_TONES = {"1": Tone.UNSURE, "2": Tone.CALM, "3": Tone.WATCH, "4A": Tone.WATCH}
_ALERTS = frozenset({"lung-disagreement", "lung-missing", "lungs-cut", "hu-calibration"})


def lung_report(
    case: Case,
    result: Result,
    *,
    language: Language,
    rendered: Mapping[str, UInt8[ndarray, "y x 3"]] | None = None,
) -> Report:
    """Say what the analysis found; `rendered` are its pictures, if already drawn."""
    notices = (*case.warnings, *result.warnings)
    alerts = [notice for notice in notices if notice.code in _ALERTS]
    others = [notice for notice in notices if notice.code not in _ALERTS]
    category = str(result.assessments.get("Lung-RADS", "1"))
    count = len(result.findings)
    pictures = lung_pictures(case, result) if rendered is None else rendered
    return Report(
        title=say(WORDS, "title", language),
        subject=say(WORDS, "subject", language),
        headline=_headline(count, category, language),
        tone=_TONES.get(category, Tone.URGENT),
        sentences=_sentences(result, language),
        recommendation=say(WORDS, f"advice_{category}" if count else "advice_none", language),
        guideline=_guideline(case, result, language),
        alerts=told(alerts, language, NOTICES),
        figures=_figures(pictures, language),
        tables=(_table(result, language),) if count else (),
        warnings=told(others, language, NOTICES),
        limits=_limits(result, language),
    )


def lung_pictures(case: Case, result: Result) -> Mapping[str, UInt8[ndarray, "y x 3"]]:
    """Draw the key images, ``overlay`` and ``heatmap``; none where nothing was found."""
    volume = case.images[0]
    return key_images(volume, result) if isinstance(volume, Volume) else {}


def _headline(count: int, category: str, language: Language) -> str:
    key = "none" if not count else "one" if count == 1 else "several"
    return say(WORDS, key, language, count=count, category=category)


def _guideline(case: Case, result: Result, language: Language) -> str:
    """Name the rule of the categories, and what holds for nodules found by chance."""
    text = say(WORDS, "guideline", language)
    years = age_years(case.study.patient.birth_date, case.study.date)
    if not result.findings:
        return text
    if reason_against(Person(years)):
        return " ".join((text, say(WORDS, "fleischner_young", language)))
    low, high = (str(result.assessments.get(f"Fleischner_{risk}", "")) for risk in Risk)
    if language is Language.CHINESE:
        low, high = (ADVICE.get(advice, advice) for advice in (low, high))
    key = "fleischner_same" if low == high else "fleischner"
    return " ".join((text, say(WORDS, key, language, low=low, high=high)))


def _sentences(result: Result, language: Language) -> tuple[str, ...]:
    told_of = [
        _sentence(finding, number, _qualities(result, number), language)
        for number, finding in enumerate(result.findings[:MOST_TOLD], start=1)
    ]
    more = len(result.findings) - MOST_TOLD
    if more > 0:
        told_of.append(say(WORDS, "more", language, count=more))
    return tuple(told_of)


def _sentence(
    finding: Finding, number: int, qualities: Mapping[str, str], language: Language
) -> str:
    """``1. Left upper lobe, 8.0 x 6.5 mm part-solid nodule, solid part 4.1 mm, ...``."""
    details = []
    solid_mm = finding.measured(codes.SOLID_MEAN)
    if solid_mm is not None:
        details.append(say(WORDS, "solid_part", language, size=f"{solid_mm:.1f}"))
    calcium = qualities.get("calcification", "none")
    if calcium != "none":
        details.append(say(WORDS, f"calcified_{calcium}", language))
    details += [say(WORDS, sign, language) for sign in _SIGNS if qualities.get(sign) == "yes"]
    suspicion = finding.measured(codes.SUSPICION)
    if suspicion is not None:
        details.append(say(WORDS, "suspicion", language, share=percent(suspicion, language)))
    return say(
        WORDS,
        "nodule",
        language,
        number=number,
        place=_place(finding, language),
        size=_axes(finding),
        texture=say(WORDS, qualities.get("texture", "solid"), language),
        details="".join(details),
        category=qualities.get("Lung-RADS", "–"),
    )


def _place(finding: Finding, language: Language) -> str:
    name = _NAMES.get(finding.site, "lung") if finding.site else "lung"
    place = say(WORDS, name, language)
    sure = finding.measured(codes.LOBE_SURE)
    if sure is None or sure >= _SURE:
        return place
    return say(WORDS, "unsure_place", language, place=place)


def _axes(finding: Finding) -> str:
    long_mm, short_mm = (finding.measured(axis) for axis in (codes.LONG_AXIS, codes.SHORT_AXIS))
    if long_mm is None or short_mm is None:
        return "–"
    return f"{long_mm:.1f}\u00a0x\u00a0{short_mm:.1f}"


def _table(result: Result, language: Language) -> Table:
    heads = (
        "number",
        "lobe",
        "axes",
        "greatest",
        "volume",
        "kind",
        "solid_mm",
        "signs",
        "probability",
        "suspected",
        "category",
    )
    rows = tuple(
        _row(finding, number, _qualities(result, number), language)
        for number, finding in enumerate(result.findings, start=1)
    )
    return Table(
        say(WORDS, "table", language),
        tuple(say(WORDS, head, language) for head in heads),
        rows,
        keys=tuple(
            f"#{bytes(codes.segment_of(n).color).hex()}" for n in range(1, len(rows) + 1)
        ),
        note=say(WORDS, "note", language),
    )


def _row(
    finding: Finding, number: int, qualities: Mapping[str, str], language: Language
) -> tuple[str, ...]:
    signs = [
        say(WORDS, f"sign_{sign}", language) for sign in _SIGNS if qualities.get(sign) == "yes"
    ]
    if qualities.get("calcification", "none") != "none":
        signs.insert(0, say(WORDS, "sign_calcified", language))
    suspicion = finding.measured(codes.SUSPICION)
    chance = finding.probability
    return (
        str(number),
        _place(finding, language),
        f"{_axes(finding)} ({_number(finding, codes.MEAN_DIAMETER)})",
        _number(finding, codes.LARGEST_DIAMETER),
        _number(finding, codes.VOLUME, digits=0),
        say(WORDS, qualities.get("texture", "solid"), language),
        _number(finding, codes.SOLID_MEAN),
        ("、" if language is Language.CHINESE else ", ").join(signs) or "–",
        "–" if chance is None else percent(chance, language),
        "–" if suspicion is None else percent(suspicion, language),
        qualities.get("Lung-RADS", "–"),
    )


def _number(finding: Finding, concept: Code, *, digits: int = 1) -> str:
    value = finding.measured(concept)
    return "–" if value is None else f"{value:.{digits}f}"


def _figures(
    pictures: Mapping[str, UInt8[ndarray, "y x 3"]], language: Language
) -> tuple[Figure, ...]:
    out = []
    if "overlay" in pictures:
        title = say(WORDS, "figure", language)
        out.append(Figure(title, pictures["overlay"], is_whole=True, width=_WIDTHS[0]))
    if "heatmap" in pictures:
        ramp = Ramp(
            heat_ramp(), say(WORDS, "heat_low", language), say(WORDS, "heat_high", language)
        )
        title = say(WORDS, "heat", language)
        out.append(
            Figure(title, pictures["heatmap"], ramp=ramp, is_whole=True, width=_WIDTHS[1])
        )
    return tuple(out)


def _limits(result: Result, language: Language) -> tuple[str, ...]:
    is_shipped = {each.bundle for each in result.provenance.weights} == {SHIPPED_BUNDLE}
    trained = "limit_trained" if is_shipped else "limit_trained_other"
    return tuple(say(WORDS, key, language) for key in ("limit_scope", "limit_not_for", trained))


def _qualities(result: Result, number: int) -> Mapping[str, str]:
    held = result.assessments.get(f"nodule_{number}")
    return held if isinstance(held, Mapping) else {}
