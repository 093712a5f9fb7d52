"""The retina report, sentence by sentence, from findings and assessments alone."""

from collections.abc import Mapping

from jaxtyping import UInt8
from numpy import ndarray

from medloop.clinical.report.figures import heat, heat_ramp, overlay, shrink
from medloop.clinical.report.language import FRAME, Language, percent, say
from medloop.clinical.report.limits import limits
from medloop.clinical.report.notices import STATED, told_apart
from medloop.clinical.report.parts import Bar, Figure, Key, Ramp, Report, Scale, Tone
from medloop.clinical.retina.lesions import KINDS, kind_of, lesion_table, tally
from medloop.clinical.retina.phrases import NOTICES, ROMAN, SHIPPED_BUNDLES, WORDS
from medloop.core.finding import Assessment, Result
from medloop.core.image import Picture
from medloop.core.study import Case

DISAGREEMENTS = frozenset(
    {"grade_disagrees", "dme_disagrees", "laterality_disagrees", "reader-stated-against"}
)

# What asks for which follow-up, most pressing first: phrase, assessment, least value.
_FOLLOW_UP = (
    ("follow_4", "ICDR", 4),
    ("follow_dme_2", "DME", 2),
    ("follow_3", "ICDR", 3),
    ("follow_dme_1", "DME", 1),
    ("follow_2", "ICDR", 2),
)


def retina_report(
    case: Case,
    result: Result,
    *,
    language: Language,
    rendered: Mapping[str, UInt8[ndarray, "y x 3"]] | None = None,
) -> Report:
    """Say what the retina analysis found; `rendered` are its pictures, if already drawn."""
    notices = (*case.warnings, *result.warnings)
    alerts, warnings = told_apart(notices, language, NOTICES, alerts=DISAGREEMENTS)
    headline, sentences = _conclusion(result.assessments, language)
    quality = "gradable" if _is_gradable(result.assessments) else "ungradable"
    pictures = retina_pictures(case, result) if rendered is None else rendered
    return Report(
        title=say(WORDS, "title", language),
        subject=_eye(case, result.assessments, language),
        headline=headline,
        tone=_tone(result.assessments),
        sentences=sentences,
        recommendation=_advice(result, language),
        guideline=say(WORDS, "guideline", language),
        alerts=alerts,
        figures=_figures(case, result, pictures, language),
        scales=_scales(result, language),
        tables=(lesion_table(result, language),),
        quality=say(WORDS, quality, language),
        warnings=warnings,
        limits=limits(result, WORDS, language, shipped=SHIPPED_BUNDLES),
    )


def retina_pictures(case: Case, result: Result) -> Mapping[str, UInt8[ndarray, "y x 3"]]:
    """Draw ``overlay`` and, where there is a heat map, ``heatmap``."""
    picture = case.images[0]
    if not isinstance(picture, Picture):
        return {}
    fovea = result.assessments.get("fovea_center_px")
    marks = ((fovea[0], fovea[1]),) if isinstance(fovea, tuple) and len(fovea) == 2 else ()
    pictures = {"overlay": overlay(picture, result.labels, result.findings, marks=marks)}
    if result.heat_maps:
        pictures["heatmap"] = heat(picture, result.heat_maps[0])
    return pictures


def follow_up(assessments: Mapping[str, Assessment]) -> str:
    """Name the follow-up phrase by rule; an ungradable photograph is repeated first."""
    if not _is_gradable(assessments):
        return "follow_suspect" if assessments.get("referable") is True else "follow_ungradable"
    for phrase, scale, least in _FOLLOW_UP:
        grade = _whole(assessments, scale)
        if grade is not None and grade >= least:
            return phrase
    if assessments.get("referable") is True:
        return "follow_probable"
    return "follow_1" if _whole(assessments, "ICDR") == 1 else "follow_0"


def _advice(result: Result, language: Language) -> str:
    """Advise by rule; where a reader decided on referral against the grades, say both."""
    by_rule = say(WORDS, follow_up(result.assessments), language)
    codes = {notice.code for notice in result.warnings}
    if "contradiction-not-referable" in codes:
        return say(WORDS, "follow_not", language, advice=by_rule)
    if "contradiction-referable" in codes:
        return say(WORDS, "follow_reader", language)
    return by_rule


def _is_gradable(assessments: Mapping[str, Assessment]) -> bool:
    return assessments.get("gradable") is not False


def _whole(assessments: Mapping[str, Assessment], name: str) -> int | None:
    value = assessments.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _numbers(assessments: Mapping[str, Assessment], name: str) -> tuple[float, ...]:
    value = assessments.get(name)
    return value if isinstance(value, tuple) else ()


def _tone(assessments: Mapping[str, Assessment]) -> Tone:
    phrase = follow_up(assessments)
    if phrase in ("follow_ungradable", "follow_suspect"):
        return Tone.UNSURE
    if phrase in ("follow_0", "follow_1"):
        return Tone.CALM
    return Tone.WATCH if phrase in ("follow_2", "follow_probable") else Tone.URGENT


def _eye(case: Case, assessments: Mapping[str, Assessment], language: Language) -> str:
    """Name the side as stated, else as it looks: the disc lies on the nasal side.

    One photograph shows one eye, so a stated B means that the side was not known.
    """
    side = case.selection.series[0].laterality
    if side in ("R", "L"):
        return say(WORDS, f"eye_{side}", language)
    disc, fovea = (
        _numbers(assessments, "disc_center_px"),
        _numbers(assessments, "fovea_center_px"),
    )
    if len(disc) != 2 or len(fovea) != 2:
        return say(WORDS, "eye_", language)
    return say(WORDS, "seen_R" if disc[0] > fovea[0] else "seen_L", language)


def _conclusion(
    assessments: Mapping[str, Assessment], language: Language
) -> tuple[str, tuple[str, ...]]:
    """Return the headline and what follows it, on referral and macular edema."""
    grade = _grade_sentence(assessments, language)
    rest = (_referable_sentence(assessments, language), _dme_sentence(assessments, language))
    joint = "" if language is Language.CHINESE else " "
    if _is_gradable(assessments):
        return grade, (joint.join(filter(None, rest)),)
    answer = joint.join(filter(None, (grade, *rest)))
    headline = say(WORDS, "headline_ungradable", language)
    return headline, (say(WORDS, "indicative", language, answer=answer),)


def _grade_sentence(assessments: Mapping[str, Assessment], language: Language) -> str:
    icdr = _whole(assessments, "ICDR")
    if icdr is None:
        return ""
    grade, shares = (
        say(WORDS, f"icdr_{icdr}", language),
        _numbers(assessments, "ICDR_probabilities"),
    )
    if len(shares) <= icdr:
        return say(WORDS, "headline_plain", language, grade=grade, icdr=icdr)
    confidence = percent(shares[icdr], language)
    return say(WORDS, "headline", language, grade=grade, icdr=icdr, confidence=confidence)


def _referable_sentence(assessments: Mapping[str, Assessment], language: Language) -> str:
    referable = assessments.get("referable")
    if not isinstance(referable, bool):
        return ""
    key = "referable_yes" if referable else "referable_no"
    share = assessments.get("referable_probability")
    if not isinstance(share, float):
        return say(WORDS, f"{key}_bare", language)
    return say(WORDS, key, language, probability=percent(share, language))


def _dme_sentence(assessments: Mapping[str, Assessment], language: Language) -> str:
    dme = _whole(assessments, "DME")
    if dme is None:
        return ""
    return say(WORDS, "dme", language, dme=dme, meaning=say(WORDS, f"dme_{dme}", language))


def _figures(
    case: Case,
    result: Result,
    pictures: Mapping[str, UInt8[ndarray, "y x 3"]],
    language: Language,
) -> tuple[Figure, ...]:
    picture = case.images[0]
    if not isinstance(picture, Picture):
        return ()
    figures = [Figure(say(WORDS, "photograph", language), shrink(picture))]
    if "overlay" in pictures:
        keys = _legend(result, language)
        figures.append(Figure(say(WORDS, "overlay", language), pictures["overlay"], keys=keys))
    if "heatmap" in pictures:
        ramp = Ramp(heat_ramp(), say(WORDS, "low", language), say(WORDS, "high", language))
        figures.append(Figure(say(WORDS, "heat", language), pictures["heatmap"], ramp=ramp))
    return tuple(figures)


def _legend(result: Result, language: Language) -> tuple[Key, ...]:
    """Name the colors of the overlay; lesions of which none was found are left out."""
    keys = []
    if result.labels is not None:
        for _, segment in sorted(result.labels.segments.items()):
            kind = kind_of(segment.concept)
            if kind is None or tally(result, kind).count:
                text = say(WORDS, f"key_{kind}" if kind else "OD", language)
                keys.append(Key(f"#{bytes(segment.color).hex()}", text))
    if result.assessments.get("fovea_center_px") is not None:
        keys.append(Key("#ffffff", say(WORDS, "cross", language)))
    return tuple(keys)


def _scales(result: Result, language: Language) -> tuple[Scale, ...]:
    held = result.assessments
    scales = [
        _graded("ICDR", "icdr", result, language),
        _graded("DME", "dme", result, language),
        _referable_scale(result, language),
        _staged(result, language),
    ]
    etdrs = held.get("ETDRS_range")
    if etdrs:
        name, about = say(WORDS, "scale_etdrs", language), say(WORDS, "about_etdrs", language)
        scales.append(Scale(name, str(etdrs).replace("-", "–"), about))
    scales.append(_graded("four_class", "four", result, language))
    return tuple(scale for scale in scales if scale is not None)


def _graded(key: str, stem: str, result: Result, language: Language) -> Scale | None:
    grade = _whole(result.assessments, key)
    if grade is None:
        return None
    shares = _numbers(result.assessments, f"{key}_probabilities")
    bars = tuple(
        Bar(say(WORDS, f"bar_{stem}_{n}", language), share, is_chosen=n == grade)
        for n, share in enumerate(shares)
    )
    name = say(WORDS, f"scale_{stem}", language)
    return Scale(name, str(grade), _about(key, stem, result, language), bars)


def _about(key: str, stem: str, result: Result, language: Language) -> str:
    """Say what a scale is by, which may be the reader."""
    stated = {dict(each.values).get("scale") for each in result.warnings if each.code in STATED}
    is_stated = key.replace("_", " ") in stated
    return (
        say(FRAME, "stated", language) if is_stated else say(WORDS, f"about_{stem}", language)
    )


def _referable_scale(result: Result, language: Language) -> Scale | None:
    assessments = result.assessments
    referable = assessments.get("referable")
    if not isinstance(referable, bool):
        return None
    value = say(WORDS, "yes" if referable else "no", language)
    share = assessments.get("referable_probability")
    if isinstance(share, float):
        value = say(WORDS, "value_share", language, value=value, share=percent(share, language))
    return Scale(
        say(WORDS, "scale_referable", language),
        value,
        _about("referable", "referable", result, language),
    )


def _staged(result: Result, language: Language) -> Scale | None:
    """CN1984, with the lesions it was derived from; never converted from or to ICDR."""
    stage = result.assessments.get("CN1984")
    if stage is None:
        return None
    shown = str(stage)
    if shown in ("0", "none", "None"):
        value = say(WORDS, "stage_0", language)
    else:
        numeral = ROMAN.get(shown, shown) if language is Language.CHINESE else shown
        value = say(WORDS, "stage", language, stage=numeral)
    found = [
        say(WORDS, f"short_{kind}", language) for kind in KINDS if tally(result, kind).count
    ]
    joint = "、" if language is Language.CHINESE else ", "
    names = say(WORDS, "from_lesions", language, names=joint.join(found)) if found else ""
    about = say(WORDS, "about_cn1984", language, lesions=names)
    return Scale(say(WORDS, "scale_cn1984", language), value, about)
