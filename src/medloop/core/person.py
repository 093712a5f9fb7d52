"""Names of people as DICOM writes them (PN, PS3.5 6.2.1): ``Li^Ming=李^明``.

Up to three groups (alphabetic, ideographic, phonetic) of up to five components: family, given
and middle name, prefix, suffix.
"""

from typing import Final

from medloop.core.errors import InputError

LONGEST: Final = 64  # characters of a group
_GROUPS: Final = 3
_COMPONENTS: Final = 5


def checked_name(typed: str) -> str:
    """Tidy the name of a person that somebody typed; nothing stays nothing.

    Raises
    ------
    InputError
        If DICOM cannot hold it.
    """
    groups = ["^".join(part.strip() for part in each.split("^")) for each in typed.split("=")]
    groups = [each.rstrip("^") for each in groups]
    if "\\" in typed or not typed.isprintable():
        raise InputError("a person's name has no backslash and no control characters")
    if len(groups) > _GROUPS or any(each.count("^") >= _COMPONENTS for each in groups):
        raise InputError(
            "a person's name is written family^given, with up to five parts, and after = the "
            "same in ideographs: Li^Ming=李^明"
        )
    longest = max(len(each) for each in groups)
    if longest > LONGEST:
        raise InputError(f"a person's name has {longest} characters, the limit is {LONGEST}")
    return "=".join(groups).rstrip("=")


def plain_name(text: str) -> str:
    """Write any text as a name of one component: nothing that divides, nothing too long."""
    kept = "".join(" " if each in "^=\\" or not each.isprintable() else each for each in text)
    return " ".join(kept.split())[:LONGEST].strip()
