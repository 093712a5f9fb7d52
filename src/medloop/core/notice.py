"""What a reader must know beside the result."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a reader of the result must know.

    `code` names the kind (translated by reports), `text` says it in English with the numbers,
    `values` are those numbers for the translations.
    """

    code: str
    text: str
    values: tuple[tuple[str, str | float | int], ...] = ()
