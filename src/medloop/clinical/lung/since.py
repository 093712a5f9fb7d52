"""What the report says of an earlier study: which it was, and what became of each nodule."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from medloop.clinical.lung import codes
from medloop.clinical.lung.comparison import Change
from medloop.clinical.lung.phrases import WORDS
from medloop.clinical.lung.wording import by, lobe, qualities, size
from medloop.clinical.report.language import Language, day, say
from medloop.clinical.report.parts import Table
from medloop.core.finding import Finding, Result

_GONE: Final = "gone"
_ORDER: Final = (
    Change.GROWN,
    Change.GROWN_SLOWLY,
    Change.NEW,
    Change.STABLE,
    Change.SHRUNK,
    _GONE,
    Change.UNKNOWN,
)
_COLUMNS: Final = (
    "number",
    "lobe",
    "now",
    "then",
    "mean_change",
    "volume_change",
    "doubling",
    "change",
)


def was_compared(result: Result) -> str:
    """Return the date of the study that this one was compared with; empty if with none."""
    return day(_prior(result).get("date", ""))


def summary(result: Result, language: Language) -> str:
    """Count what grew, came, stayed, shrank and went."""
    counts = Counter(qualities(result, n).get("change", "") for n in _numbers(result))
    counts[_GONE] = len(_gone(result))
    told = [
        say(WORDS, f"count_{each}", language, count=counts[each])
        for each in _ORDER
        if counts[each]
    ]
    between = "、" if language is Language.CHINESE else ", "
    key = "since" if told else "since_nothing"
    days = _prior(result).get("days", "")
    return say(
        WORDS, key, language, date=was_compared(result), days=days, counts=between.join(told)
    )


def history(
    finding: Finding, about: Mapping[str, str], result: Result, language: Language
) -> str:
    """``; was 6.1 x 5.4 mm on 2024-03-01 (volume +95 %, doubling time 143 days): growing``."""
    date, change = was_compared(result), about.get("change", "")
    if not date or not change:
        return ""
    if "prior_nodule" not in about:
        return say(WORDS, f"is_{change}", language, date=date)
    volume = _volume(finding, about, language)
    key = "was" if volume else "was_bare"
    then = about.get("prior_texture", "")
    if then and then != about.get("texture"):
        texture = say(WORDS, then, language)
        volume += say(WORDS, "was_texture", language, texture=texture)
    return say(
        WORDS,
        key,
        language,
        size=by(finding.measured(codes.PRIOR_LONG), finding.measured(codes.PRIOR_SHORT)),
        date=date,
        volume=volume,
        change=say(WORDS, change, language),
    )


def since_table(result: Result, language: Language) -> list[Table]:
    """Set both studies against each other; none where neither shows a nodule."""
    rows = [
        _row(finding, n, qualities(result, n), language)
        for n, finding in zip(_numbers(result), result.findings, strict=True)
    ]
    gone = [_gone_row(each, language) for each in _gone(result)]
    if not rows and not gone:
        return []
    prior = _prior(result)
    note = say(
        WORDS,
        "compared_note",
        language,
        study=prior.get("study", ""),
        date=was_compared(result),
        days=prior.get("days", ""),
        version=prior.get("version", ""),
        count=prior.get("nodules", ""),
    )
    return [
        Table(
            say(WORDS, "compared", language, date=was_compared(result)),
            tuple(say(WORDS, column, language) for column in _COLUMNS),
            (*rows, *gone),
            keys=tuple(f"#{bytes(codes.segment_of(n).color).hex()}" for n in _numbers(result)),
            note=note,
        )
    ]


def _row(
    finding: Finding, number: int, about: Mapping[str, str], language: Language
) -> tuple[str, ...]:
    place = lobe(finding.site.value if finding.site else "", language)
    change = say(WORDS, about.get("change", Change.UNKNOWN), language)
    if "prior_nodule" not in about:
        return (str(number), place, size(finding), "–", "–", "–", "–", change)
    was = by(finding.measured(codes.PRIOR_LONG), finding.measured(codes.PRIOR_SHORT))
    more_mm = finding.measured(codes.MEAN_CHANGE) or 0.0
    days, shift = (finding.measured(c) for c in (codes.DOUBLING_TIME, codes.VOLUME_CHANGE))
    return (
        str(number),
        place,
        size(finding),
        f"{was} ({about['prior_nodule']})",
        _signed(more_mm, 1),
        "–" if shift is None else _share(shift, language),
        "–" if days is None else f"{days:.0f}",
        change,
    )


def _gone_row(each: Mapping[str, str], language: Language) -> tuple[str, ...]:
    axes = by(float(each["long_mm"]), float(each["short_mm"]))
    then = f"{axes} ({each['prior_nodule']})"
    place, change = lobe(each.get("site", ""), language), say(WORDS, _GONE, language)
    return ("–", place, "–", then, "–", "–", "–", change)


def _volume(finding: Finding, about: Mapping[str, str], language: Language) -> str:
    shift = finding.measured(codes.VOLUME_CHANGE)
    if shift is None:
        return ""
    share = _share(shift, language)
    days = finding.measured(codes.DOUBLING_TIME)
    if days is not None:
        return say(WORDS, "volume_doubling", language, share=share, days=f"{days:.0f}")
    key = "volume_less" if about.get("volume_change") == "measurable" else "volume_same"
    return say(WORDS, key, language, share=share)


def _share(percent: float, language: Language) -> str:
    gap = "" if language is Language.CHINESE else "\u00a0"
    return f"{_signed(percent, 0)}{gap}%"


def _signed(value: float, digits: int) -> str:
    """Write a change with its sign; the minus is a true one, and nothing has none."""
    text = f"{abs(value):.{digits}f}"
    sign = "" if float(text) == 0 else "+" if value > 0 else "\u2212"
    return sign + text


def _prior(result: Result) -> Mapping[str, str]:
    held = result.assessments.get("prior")
    return held if isinstance(held, Mapping) else {}


def _numbers(result: Result) -> range:
    return range(1, len(result.findings) + 1)


def _gone(result: Result) -> list[Mapping[str, str]]:
    held = (result.assessments.get(f"gone_{n}") for n in range(1, len(result.assessments)))
    return [each for each in held if isinstance(each, Mapping)]
