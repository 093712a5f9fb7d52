"""What is wrong with a DICOM object that pydicom cannot read, in words of DICOM.

Elements are named by keyword and tag, their values never: they may be a patient's.
"""

import re
from collections.abc import Iterator
from typing import Final

import pydicom
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.tag import BaseTag, Tag

from medloop.dicom.foreign import DICOM_ERRORS, quiet

_TAG: Final = re.compile(r"\(([0-9A-Fa-f]{4}), ?([0-9A-Fa-f]{4})\)")
_ABSENT: Final = re.compile(r"has no attribute '(\w+)'")
_MOST_DEEP: Final = 8  # sequences in sequences that are looked into
_KINDS: Final = (
    (EOFError, "it ends too early"),
    (MemoryError, "it asks for more memory than there is"),
    (RecursionError, "its sequences are nested too deep"),
)


def damage(error: BaseException, dataset: pydicom.Dataset | None = None) -> str:
    """Say which element is missing or cannot be read; else, in general, what is wrong.

    Parameters
    ----------
    error
        What pydicom raised.
    dataset
        What was read, where there is one: its elements are tried where `error` names none.
    """
    said = str(error)
    if absent := _absent(error, said):
        return f"{_called(absent)} is missing"
    if found := _TAG.search(said):
        tag = Tag(int(found[1], 16), int(found[2], 16))
        return f"{_called(tag)} cannot be read"
    for kind, words in _KINDS:
        if isinstance(error, kind):
            return words
    if dataset is not None:
        with quiet():
            unreadable = next(_unreadable(dataset, _MOST_DEEP), None)
        if unreadable is not None:
            return f"{_called(unreadable)} cannot be read"
    return "its elements cannot be read, or do not fit together"


def _absent(error: BaseException, said: str) -> BaseTag | None:
    """Return the element that was asked for and is not there."""
    if isinstance(error, AttributeError) and (found := _ABSENT.search(said)):
        tag = tag_for_keyword(found[1])
        return None if tag is None else Tag(tag)
    if isinstance(error, KeyError) and error.args:
        asked = error.args[0]
        if isinstance(asked, BaseTag):
            return asked
        tag = tag_for_keyword(asked) if isinstance(asked, str) else None
        return None if tag is None else Tag(tag)
    return None


def _unreadable(dataset: pydicom.Dataset, deep: int) -> Iterator[BaseTag]:
    """Name the elements whose value cannot be had, within sequences too."""
    for tag in sorted(dataset.keys()):
        try:
            element = dataset[tag]
        except DICOM_ERRORS:
            yield tag
            continue
        if element.VR == "SQ" and deep:
            for item in element.value or ():
                yield from _unreadable(item, deep - 1)


def _called(tag: BaseTag) -> str:
    """Call an element by keyword and tag; a private or unknown one by its tag."""
    number = f"({tag.group:04X},{tag.element:04X})"
    return f"{keyword_for_tag(tag)} {number}".strip()
