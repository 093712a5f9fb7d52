"""Coded concepts: a term, and the scheme that defines it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 section 8), e.g. ``Code("SCT", "27925004", "Nodule")``."""

    scheme: str
    value: str
    meaning: str
