"""What a model's card says, on Chinese pages: in its own Chinese words, or in those known here.

A card may have a table ``[zh]`` with any of `title`, `intended_use`, `not_for`, `limits`,
`data` and `how`. Sentences of the shipped cards are known word for word: one that is changed
stands in English until its Chinese is written anew, so that no figure in it is out of date.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from medloop.apps.web.texts.cards import FIGURES, PARTS, SENTENCES
from medloop.clinical.report.language import Language


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, and the language that it is in (an HTML `lang`)."""

    words: str
    lang: str


@dataclass(frozen=True, slots=True)
class Told:
    """What the page says of a card."""

    title: Said
    intended_use: Said
    not_for: tuple[Said, ...]
    limits: tuple[Said, ...]
    data: Said
    how: Said


def told(card: Mapping[str, Any], language: Language) -> Told:
    """Tell a card in a language, sentence by sentence, as far as there are words for it."""
    own = card.get("zh", {})
    if language is not Language.CHINESE or not isinstance(own, Mapping):
        own = {}

    def one(name: str, held: Mapping[str, Any]) -> Said:
        return _said(held.get(name, ""), own.get(name), language)

    def several(name: str) -> tuple[Said, ...]:
        return _all(card.get(name, ()), own.get(name, ()), language)

    return Told(
        title=one("title", card),
        intended_use=one("intended_use", card),
        not_for=several("not_for"),
        limits=several("limits"),
        data=one("data", card.get("training", {})),
        how=one("how", card.get("evaluation", {})),
    )


def figure_name(name: str, language: Language) -> str:
    """Name a figure of a card: ``mandible Dice`` is 下颌骨 Dice."""
    if language is not Language.CHINESE:
        return name
    for pattern, words in FIGURES:
        if found := re.fullmatch(pattern, name):
            parts = {key: PARTS.get(value, value) for key, value in found.groupdict().items()}
            return words.format(**parts)
    return name


def _all(items: Sequence[str], own: Sequence[str], language: Language) -> tuple[Said, ...]:
    if own:
        return tuple(Said(each, _ZH) for each in own)
    return tuple(_said(each, None, language) for each in items)


def _said(said: str, own: str | None, language: Language) -> Said:
    if language is not Language.CHINESE:
        return Said(said, "en")
    words = own or SENTENCES.get(said)
    return Said(words, _ZH) if words else Said(said, "en")


_ZH: Final = "zh-Hans"
