"""Private attributes known to be safe: rows of PS3.15 Table E.3.10-1.

Those of CT, MR and PET that measurements need (dose, pitch, diffusion, SUV factors) are here;
what is not listed is removed, which the option allows.
"""

from collections.abc import Mapping
from typing import Final

_SAFE: Final[Mapping[tuple[str, int], frozenset[int]]] = {
    ("Philips PET Private Group", 0x7053): frozenset([0x00, 0x09]),
    ("ELSCINT1", 0x00E1): frozenset([0x21]),
    ("ELSCINT1", 0x01E1): frozenset([0x26, 0x50]),
    ("ELSCINT1", 0x01F1): frozenset([0x01, 0x07, 0x26, 0x27]),
    ("GEMS_ACQU_01", 0x0019): frozenset([0x23, 0x24, 0x27, 0x9E]),
    ("GEMS_SERS_01", 0x0025): frozenset([0x07]),
    ("GEMS_PARM_01", 0x0043): frozenset([0x27, 0x39, 0x6F]),
    ("GEMS_HELIOS_01", 0x0045): frozenset([0x01, 0x02]),
    ("GEIIS PACS", 0x0903): frozenset([0x10, 0x11, 0x12]),
    ("Philips Imaging DD 001", 0x2001): frozenset([0x03, 0x04]),
    ("SIEMENS MR HEADER", 0x0019): frozenset([0x0C, 0x0D, 0x0E, 0x27]),
}


def is_safe(creator: str, group: int, element: int | None) -> bool:
    """Whether an element of a private block is safe, or with `None` any of the block.

    `element` is its number within the block, 0 to 255.
    """
    known = _SAFE.get((creator.strip(), group), frozenset())
    return bool(known) if element is None else element in known
