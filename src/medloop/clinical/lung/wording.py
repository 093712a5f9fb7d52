"""Parts of sentences about a nodule, from its finding and its assessments."""

from collections.abc import Mapping

from medloop.clinical.lung import codes
from medloop.clinical.lung.phrases import WORDS
from medloop.clinical.report.language import Language, say
from medloop.core.code import Code
from medloop.core.finding import Finding, Result
from medloop.imaging.lobes import Lobe

_SURE = 0.7  # of a lobe
_PLACES: Mapping[str, str] = {
    **{codes.SITES[lobe].value: lobe.name.lower().replace("_", " ") for lobe in Lobe},
    "72410000": "mediastinum",
    "3120008": "pleura",
}


def qualities(result: Result, number: int) -> Mapping[str, str]:
    """Return what a result says of a nodule in words; nothing where there is none."""
    held = result.assessments.get(f"nodule_{number}")
    return held if isinstance(held, Mapping) else {}


def place(finding: Finding, language: Language) -> str:
    """Name the lobe, and say where that is not sure."""
    name = lobe(finding.site.value if finding.site else "", language)
    sure = finding.measured(codes.LOBE_SURE)
    if sure is None or sure >= _SURE:
        return name
    return say(WORDS, "unsure_place", language, place=name)


def lobe(site: str, language: Language) -> str:
    """Name the lobe of a SNOMED code, or what else a reader found something in."""
    return say(WORDS, _PLACES.get(site, "lung"), language)


def axes(finding: Finding) -> str:
    """Write both axes: ``8.0 x 6.5``."""
    return by(*(finding.measured(axis) for axis in (codes.LONG_AXIS, codes.SHORT_AXIS)))


def size(finding: Finding) -> str:
    """Write both axes; the mean diameter where it stands alone: ``7.2``."""
    both = axes(finding)
    return both if both != "–" else number(finding, codes.MEAN_DIAMETER)


def by(long_mm: float | None, short_mm: float | None) -> str:
    """Write two lengths: ``8.0 x 6.5``."""
    if long_mm is None or short_mm is None:
        return "–"
    return f"{long_mm:.1f}\u00a0x\u00a0{short_mm:.1f}"


def number(finding: Finding, concept: Code, *, digits: int = 1) -> str:
    """Write what was measured under a concept."""
    value = finding.measured(concept)
    return "–" if value is None else f"{value:.{digits}f}"
