"""What a finding is called in a list, in the reader's language."""

from typing import Final

from medloop.clinical.brain.codes import CONCEPTS as HIPPOCAMPAL
from medloop.clinical.brain.codes import HIPPOCAMPUS
from medloop.clinical.brain.phrases import WORDS as BRAIN
from medloop.clinical.choices import Choice, choices_for
from medloop.clinical.lung import codes as lung
from medloop.clinical.lung.wording import place
from medloop.clinical.lung.wording import size as size_of
from medloop.clinical.radiotherapy.codes import ORGANS
from medloop.clinical.radiotherapy.phrases import NAMES
from medloop.clinical.report.language import Book, Language, say
from medloop.clinical.retina.codes import COUNT
from medloop.clinical.retina.lesions import kind_of, quadrant_of
from medloop.clinical.retina.phrases import WORDS as RETINA
from medloop.core.code import Code
from medloop.core.finding import Finding

_WORDS: Final[Book] = {
    "nodule": ("Nodule", "结节"),
    "retinal": ("{kind}, {where} ({count})", "{kind}，{where}（{count}）"),
    "retinal_bare": ("{kind}, {where}", "{kind}，{where}"),
    "part": ("{what}, {where}", "{what}，{where}"),
    "sized": ("{what}, {where}, {size} mm", "{where}{what}，{size} mm"),
}
# What segments are called in results, to what readers call them.
_IN_CHINESE: Final = {
    **dict(NAMES.values()),
    **dict(RETINA[key] for key in ("MA", "EX", "OD", "key_HE", "key_SE")),
    "Anterior hippocampus": BRAIN["anterior"][1],
    "Posterior hippocampus": BRAIN["posterior"][1],
}
_PARTS: Final = {HIPPOCAMPUS: "whole"} | {code: name for name, code in HIPPOCAMPAL.items()}
_ORGANS: Final = {organ.label: name for name, organ in ORGANS.items()}


def finding_name(finding: Finding, analysis: str, language: Language) -> str:
    """Name a finding: what it is and where; as coded where no words are known for it."""
    kind = kind_of(finding.concept)
    if analysis == "retina" and kind is not None:
        return _lesions(finding, kind, language)
    if analysis == "lung" and finding.concept == lung.NODULE:
        return _nodule(finding, language)
    if analysis == "hippocampus" and finding.concept in _PARTS:
        return say(BRAIN, _PARTS[finding.concept], language)
    if analysis == "head_neck" and finding.segment in _ORGANS:
        return say(NAMES, _ORGANS[finding.segment], language)
    known = choices_for(analysis)
    what = _named(finding.concept, known.concepts, language)
    if finding.site is None:
        return what
    where = _low(_named(finding.site, known.sites, language))
    return say(_WORDS, "part", language, what=what, where=where)


def _named(code: Code, known: tuple[Choice, ...], language: Language) -> str:
    """Name a concept or a place as readers chose it."""
    names = next((each.names for each in known if each.code == code), (code.meaning,) * 2)
    return names[1 if language is Language.CHINESE else 0]


def segment_name(name: str, language: Language) -> str:
    """Name a segment in the reader's language; as it is where no words are known for it."""
    if language is Language.ENGLISH:
        return name
    what, _, number = name.rpartition(" ")
    if what.lower() == "nodule" and number.isdecimal():
        return f"{say(_WORDS, 'nodule', language)} {number}"
    return _IN_CHINESE.get(name, name)


def _lesions(finding: Finding, kind: str, language: Language) -> str:
    quadrant = quadrant_of(finding.site)
    key = quadrant if quadrant in RETINA else f"quadrant_{quadrant}"
    words = {"kind": say(RETINA, kind, language), "where": _low(say(RETINA, key, language))}
    count = finding.measured(COUNT)
    if count is None:
        return say(_WORDS, "retinal_bare", language, **words)
    return say(_WORDS, "retinal", language, count=f"{count:.0f}", **words)


def _nodule(finding: Finding, language: Language) -> str:
    what, where = say(_WORDS, "nodule", language), _low(place(finding, language))
    size = size_of(finding)
    if size == "–":
        return say(_WORDS, "part", language, what=what, where=where)
    return say(_WORDS, "sized", language, what=what, where=where, size=size)


def _low(words: str) -> str:
    """Begin with a small letter, as within a line."""
    return words[:1].lower() + words[1:]
