"""The lung report, sentence by sentence, from findings and assessments alone."""

from collections.abc import Mapping

from jaxtyping import UInt8
from numpy import ndarray

from medloop.clinical.lung import codes
from medloop.clinical.lung.fleischner import Person, Risk, reason_against
from medloop.clinical.lung.lung_rads import MANAGEMENT, ORDER
from medloop.clinical.lung.phrases import ADVICE, NOTICES, OTHERS, SHIPPED_BUNDLE, WORDS
from medloop.clinical.lung.pictures import key_images
from medloop.clinical.lung.since import history, since_table, summary, was_compared
from medloop.clinical.lung.sizes import size_of
from medloop.clinical.lung.wording import axes, place, size
from medloop.clinical.lung.wording import number as number_of
from medloop.clinical.lung.wording import qualities as qualities_of
from medloop.clinical.report.figures import heat_ramp
from medloop.clinical.report.language import Language, age_years, percent, say
from medloop.clinical.report.limits import limits
from medloop.clinical.report.notices import told_apart
from medloop.clinical.report.parts import Figure, Ramp, Report, Table, Tone
from medloop.core.finding import Finding, Result
from medloop.core.image import Volume
from medloop.core.study import Case

MOST_TOLD = 4  # nodules that have a sentence; the table has all
_SIGNS = ("fat", "spiculated", "juxtapleural", "perifissural")
_NONE = ("0", "1")  # categories that fit where no nodule is listed
_WIDTHS = (4.0, 2.0)  # panels in a row of key images, and of heat maps
_TONES = {"0": Tone.UNSURE, "1": Tone.UNSURE, "2": Tone.CALM, "3": Tone.WATCH, "4A": Tone.WATCH}
ALERTS = frozenset(
    {
        "lung-disagreement",
        "lung-missing",
        "lung-solid-unsized",
        "lung-unsized",
        "lungs-cut",
        "hu-calibration",
        "reader-stated-against",
    }
)


def lung_report(
    case: Case,
    result: Result,
    *,
    language: Language,
    rendered: Mapping[str, UInt8[ndarray, "y x 3"]] | None = None,
) -> Report:
    """Say what the analysis found; `rendered` are its pictures, if already drawn."""
    notices = (*case.warnings, *result.warnings)
    alerts, warnings = told_apart(notices, language, NOTICES, alerts=ALERTS)
    category = str(result.assessments.get("Lung-RADS", "1"))
    category = category if category in MANAGEMENT else "0"  # what a reader may have written
    count = sum(finding.concept not in OTHERS for finding in result.findings)
    is_none = not count and category in _NONE
    pictures = lung_pictures(case, result) if rendered is None else rendered
    return Report(
        title=say(WORDS, "title", language),
        subject=say(WORDS, "subject", language),
        headline=_headline(count, category, language),
        tone=_TONES.get(category, Tone.URGENT),
        sentences=_sentences(result, language),
        recommendation=say(WORDS, "advice_none" if is_none else f"advice_{category}", language),
        guideline=_guideline(case, result, language),
        alerts=alerts,
        figures=_figures(pictures, language),
        tables=_tables(result, language),
        warnings=warnings,
        limits=limits(result, WORDS, language, shipped=(SHIPPED_BUNDLE,)),
    )


def lung_pictures(case: Case, result: Result) -> Mapping[str, UInt8[ndarray, "y x 3"]]:
    """Draw the key images, ``overlay`` and ``heatmap``; none where nothing was found."""
    volume = case.images[0]
    return key_images(volume, result) if isinstance(volume, Volume) else {}


def _headline(count: int, category: str, language: Language) -> str:
    if count:
        key = "one" if count == 1 else "several"
    else:
        key = "none" if category in _NONE else "none_but"
    return say(WORDS, key, language, count=count, category=category)


def _guideline(case: Case, result: Result, language: Language) -> str:
    """Name the rule of the categories, and what holds for nodules found by chance."""
    date = was_compared(result)
    if date:
        return say(WORDS, "guideline_prior", language, date=date)
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
    """Tell what became of the nodules, and of each of the most suspicious ones."""
    told_of = [summary(result, language)] if was_compared(result) else []
    told_of += [
        _sentence(finding, number, result, language)
        for number, finding in enumerate(result.findings, start=1)
        if number in _worst(result)
    ]
    more = len(result.findings) - MOST_TOLD
    if more > 0:
        told_of.append(say(WORDS, "more", language, count=more))
    return tuple(told_of)


def _worst(result: Result) -> frozenset[int]:
    """Choose the nodules that have a sentence: of the highest categories, the likeliest."""
    numbers = range(1, len(result.findings) + 1)
    names = {n: qualities_of(result, n).get("Lung-RADS", "") for n in numbers}
    rank = {n: ORDER.index(name) if name in ORDER else -1 for n, name in names.items()}
    return frozenset(sorted(numbers, key=lambda n: (-rank[n], n))[:MOST_TOLD])


def _sentence(finding: Finding, number: int, result: Result, language: Language) -> str:
    """``1. Left upper lobe, 8.0 x 6.5 mm part-solid nodule, solid part 4.1 mm, ...``."""
    if finding.concept in OTHERS:
        what, where = _other(finding, language), place(finding, language)
        return say(WORDS, "other", language, number=number, what=what, place=where)
    qualities, details = qualities_of(result, number), []
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
        "unmeasured" if size_of(finding) is None else "nodule",
        language,
        number=number,
        place=place(finding, language),
        size=size(finding),
        kind=_kind(qualities, language),
        details="".join(details) + history(finding, qualities, result, language),
        category=qualities.get("Lung-RADS", "–"),
    )


def _kind(qualities: Mapping[str, str], language: Language) -> str:
    """``part-solid nodule``; of unknown density a nodule alone."""
    if "texture" not in qualities:
        return say(WORDS, "kind_nodule", language)
    texture = say(WORDS, qualities["texture"], language)
    return say(WORDS, "kind_of", language, texture=texture)


def _tables(result: Result, language: Language) -> tuple[Table, ...]:
    tables = [_table(result, language)] if result.findings else []
    if was_compared(result):
        tables += since_table(result, language)
    return tuple(tables)


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
        _row(finding, number, qualities_of(result, number), language)
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
    texture = say(WORDS, qualities["texture"], language) if "texture" in qualities else "–"
    return (
        str(number),
        place(finding, language),
        f"{axes(finding)} ({number_of(finding, codes.MEAN_DIAMETER)})",
        number_of(finding, codes.LARGEST_DIAMETER),
        number_of(finding, codes.VOLUME, digits=0),
        _other(finding, language) if finding.concept in OTHERS else texture,
        number_of(finding, codes.SOLID_MEAN),
        ("、" if language is Language.CHINESE else ", ").join(signs) or "–",
        "–" if chance is None else percent(chance, language),
        "–" if suspicion is None else percent(suspicion, language),
        qualities.get("Lung-RADS", "–"),
    )


def _other(finding: Finding, language: Language) -> str:
    """Name what is no nodule."""
    english, chinese = OTHERS[finding.concept]
    return chinese if language is Language.CHINESE else english


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
