"""Text that claims one character set and is written in another, as much Chinese text is."""

import re
from typing import Final

_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_WORD: Final = re.compile(r"[^\x00-\x7f]+")
_IDEOGRAPHS: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def misread(text: str) -> tuple[str, str] | None:
    """Read again text that was decoded as Latin-1 and is not: what it says, and in which code.

    `None` where it is ASCII, or no other reading is likely.
    """
    if text.isascii():
        return None
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        return None
    codes = ["utf-8", "gb2312"]
    if all(len(run) % 2 == 0 for run in _HIGH.findall(data)):
        codes.append("gb18030")
    for code in codes:
        try:
            other = data.decode(code)
        except UnicodeDecodeError:
            continue
        if code == "utf-8" or _IDEOGRAPHS.search(other):
            return other, code
    return None


def readings(text: str) -> tuple[str, ...]:
    """Return the text, and what it says if it was written in another code than it claims.

    Words are also read each by itself: a name may have its parts in different codes.
    """
    other = misread(text)
    words = _WORD.sub(lambda word: (misread(word[0]) or (word[0], ""))[0], text)
    return tuple({text: None, words: None} | ({} if other is None else {other[0]: None}))


def disguises(text: str) -> set[str]:
    """Return a text as it is, and as it looks when its code is taken for Latin-1."""
    if text.isascii():
        return {text}
    return {text} | {
        text.encode(code, "replace").decode("latin-1") for code in ("utf-8", "gb18030")
    }
