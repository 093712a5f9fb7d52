"""What the pages say, in both languages: one book a page, put together here.

Keys begin with the name of their page, ``worklist.search``; what scripts say is under
``worklist.js.``.
"""

from collections.abc import Iterable
from functools import cache
from typing import Final

from medloop.apps.web.texts import (
    apart,
    audit,
    correct,
    destinations,
    jobs,
    models,
    read,
    report,
    shell,
    study,
    system,
    users,
    worklist,
)
from medloop.clinical.report.language import Book, Language

BOOKS: Final[tuple[Book, ...]] = (
    shell.TEXTS,
    apart.TEXTS,
    audit.TEXTS,
    correct.TEXTS,
    destinations.TEXTS,
    jobs.TEXTS,
    models.TEXTS,
    read.TEXTS,
    report.TEXTS,
    system.TEXTS,
    users.TEXTS,
    worklist.TEXTS,
    study.TEXTS,
)


def text(key: str, language: Language, **values: object) -> str:
    """Say a phrase in a language.

    Raises
    ------
    KeyError
        If no book has the key, or a value for the phrase is missing.
    """
    english, chinese = book()[key]
    phrase = chinese if language is Language.CHINESE else english
    return phrase.format(**values) if values else phrase


def texts(language: Language, *prefixes: str) -> dict[str, str]:
    """Return the phrases whose keys begin with any of the prefixes, for scripts."""
    return {key: text(key, language) for key in book() if key.startswith(prefixes)}


@cache
def book() -> Book:
    """Return all phrases."""
    return merged(BOOKS)


def merged(books: Iterable[Book]) -> Book:
    """Put books together.

    Raises
    ------
    ValueError
        If two of them have the same key.
    """
    whole: dict[str, tuple[str, str]] = {}
    for each in books:
        twice = whole.keys() & each.keys()
        if twice:
            raise ValueError(f"two books have {min(twice)}")
        whole |= each
    return whole
