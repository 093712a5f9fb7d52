"""Taking identities out of free text: what the object tells of itself, and what looks like one.

Patterns are for English, German and Chinese hospitals. They rather take too much than too
little: a text that describes is worth less than a person's privacy.
"""

import re
from functools import lru_cache
from typing import Final

from medloop.dicom.deidentify.charsets import disguises, misread
from medloop.dicom.deidentify.identity import Identity

MARK: Final = "***"

_HAN: Final = "\u3400-\u9fff"
_LETTER: Final = "A-Za-z\u00c0-\u024f"
_MONTH: Final = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|januar|februar|märz|mai|juni"
    r"|juli|oktober|dezember|okt|dez)"
)
_LABELS: Final = (
    r"mrn|pid|pat(?:ient)?(?:'s)?[ _-]?(?:id|no|number|name)|name|acc(?:ession)?(?:[ _-]?no)?"
    r"|account|acct|ssn|policy|member|beneficiary|health[ _-]?plan|insurance|licen[sc]e|cert"
    r"(?:ificate)?|plate|vin|vehicle|serial|s/n|sn|device|id|case|dob|born|phone|tel|fax"
    r"|mobile|cell|e-?mail|address|addr|fingerprint|biometric|passport|room|bed|operator|tech"
    r"(?:nician|nologist)?|physician|referring|radiologist"
)
_HAN_LABELS: Final = (
    "姓名|患者|病人|病历号|住院号|门诊号|检查号|登记号|影像号|身份证号?码?|医保号?|电话|手机|传真"
    "|邮箱|地址|住址|床号|医师|医生|技师|护士|出生日期|生日|车牌号?|账号|单位|联系人"
)
_TITLES: Final = r"(?:dr|prof|mr|mrs|ms|miss|sir|herr|frau|doctor|nurse)"
_PATTERNS: Final = (
    # Dates: numeric in either order, with the name of a month, Chinese.
    r"(?<!\d)(?:19|20)\d{2}([-/. ]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])"
    r"(?!\d{1,5}(?!\d))",
    r"(?<!\d)(?:19|20)\d{2}[-/.]\d{1,2}[-/.]\d{1,2}(?!\d)",
    r"(?<![\d.])(?:0?[1-9]|[12]\d|3[01])([-/.])(?:0?[1-9]|[12]\d|3[01])\1(?:19|20)\d{2}(?!\d)",
    r"(?<![\d.])\d{1,2}([-/])\d{1,2}\1\d{2}(?!\d)",
    rf"(?<!\d)\d{{1,2}}(?:st|nd|rd|th)?[ .-]*{_MONTH}[ .,'-]*(?:\d{{4}}|\d{{2}})?(?![\w])",
    rf"(?<![{_LETTER}]){_MONTH}[ .-]+\d{{1,2}}(?:st|nd|rd|th)?(?!\d)(?:[ ,]+\d{{4}})?",
    rf"(?<![{_LETTER}]){_MONTH}[ .-]+(?:19|20)\d{{2}}(?!\d)",
    r"\d{2,4}\s*年(?:\s*\d{1,2}\s*月)?(?:\s*\d{1,2}\s*[日号])?",
    r"\d{1,2}\s*月\s*\d{1,2}\s*[日号]",
    # Where to reach somebody.
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    r"(?:https?|ftp)://\S+|\bwww\.\S+",
    r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])",
    r"(?<![\w:])(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}(?![\w:])",
    r"(?<![\d.])(?:\+|00)\d{1,3}[ ./-]?\(?\d{1,4}\)?(?:[ ./-]?\d{2,5}){2,4}(?!\d)",
    r"(?<![\d.])\(\d{2,5}\)[ -]?\d{3,4}[ -]?\d{3,5}(?!\d)",
    r"(?<![\d.])\d{3,4}[ .-]\d{3,4}[ .-]\d{4,5}(?!\d)",
    r"(?<![\d.])0\d{2,3}[ -]?\d{7,8}(?!\d)",
    rf"(?<!\w)\d{{1,5}} (?:[A-Z][{_LETTER}.]+ ){{1,3}}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln"
    r"|Drive|Dr|Boulevard|Blvd|Way|Court|Ct|Place|Pl|Square|Sq)(?![A-Za-z])\.?",
    rf"[A-ZÄÖÜ][{_LETTER}-]*(?:straße|strasse|str\.|gasse|allee|platz) ?\d+[a-z]?",
    r"(?<!\d)\d{5}-\d{4}(?!\d)",
    rf"[{_HAN}]{{1,10}}(?:省|市|自治区)[{_HAN}]{{1,20}}(?:区|县|路|街|镇|村)[{_HAN}]*\d*号?"
    rf"(?:\d+(?:栋|幢|单元|室))*",
    rf"[{_HAN}]{{2,12}}(?:路|街|巷|道|里|村)\d+[号弄](?:\d+(?:栋|幢|单元|室))*",
    # Numbers that are somebody's: social security, identity card, vehicle, anything long.
    r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)",
    r"(?<!\d)\d{17}[\dXx](?!\d)",
    r"(?<![A-Za-z0-9])(?=[A-Z]*\d)(?=\d*[A-Z])[A-HJ-NPR-Z0-9]{17}(?![A-Za-z0-9])",
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z]·?[A-Z0-9]{5,6}",
    r"(?<![A-Za-z0-9.])[A-Za-z]{0,4}[-#]?\d{6,}[A-Za-z]?(?![A-Za-z0-9])(?!\.\d)",
    # What a label or a title announces.
    rf"(?<![{_LETTER}])(?:{_LABELS})(?:\s*[:#=]\s*|\s+(?:no|number|nr)?\.?\s*[:#=]?\s*(?=\S*\d))"
    r"[^\s,;]+",
    rf"(?:{_HAN_LABELS})\s*[:：]?\s*(?:[{_HAN}·]{{2,4}}(?=$|[\s,，;；。.、)）]|\d)|[\w@.+-]{{4,}})",
    rf"(?:{_HAN_LABELS})\s*[:：]\s*[^\s,，;；。]+",
    rf"(?<![{_LETTER}]){_TITLES}\.? +[{_LETTER}][{_LETTER}'-]+(?: [A-Z][{_LETTER}'-]+)?",
    rf"[{_HAN}]{{2,3}}(?:医生|医师|主任|大夫|教授|先生|女士)",
    r"(?<!\d)(?:9\d|1[0-2]\d)[ -]?(?:y/?o|yrs?|years?|岁)",
)
_LOOKS_LIKE: Final = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _PATTERNS)
_WORDS_OF_TWO: Final = frozenset(
    [
        "ct",
        "mr",
        "us",
        "pt",
        "nm",
        "cr",
        "dx",
        "xa",
        "sc",
        "ot",
        "sr",
        "le",
        "re",
        "ap",
        "pa",
        "lr",
        "rl",
        "iv",
        "po",
        "im",
        "ad",
        "ax",
        "to",
        "of",
        "in",
        "on",
        "at",
        "by",
        "or",
        "an",
        "as",
        "is",
        "it",
        "no",
        "do",
        "go",
        "we",
        "he",
        "me",
        "my",
        "up",
        "so",
        "be",
        "if",
    ]
)


def scrub(text: str, identity: Identity, *, patterns: bool = True) -> tuple[str, int]:
    """Replace what identifies by ``***``; return the text and how much was replaced.

    `patterns` also takes what only looks like a date, a number or a name; without them, only
    what the object tells of itself.
    """
    if not text or text.isspace():
        return text, 0
    other, first = misread(text), 0
    if other is not None:
        cleaned, first = _scrub(other[0], identity, patterns=patterns)
        if first:
            text = cleaned.encode(other[1], "replace").decode("latin-1")
    text, count = _scrub(text, identity, patterns=patterns)
    return text, first + count


def _scrub(text: str, identity: Identity, *, patterns: bool) -> tuple[str, int]:
    count = 0
    for known in _known(identity):
        text, times = known.subn(MARK, text)
        count += times
    if patterns:
        for pattern in _LOOKS_LIKE:
            text, times = pattern.subn(MARK, text)
            count += times
    return text, count


@lru_cache(maxsize=256)
def _known(identity: Identity) -> tuple[re.Pattern[str], ...]:
    """Compile what is known: numbers first, then longer names before shorter ones."""
    numbers = [_number(n) for n in sorted(identity.numbers, key=lambda n: (-len(n), n))]
    written = {form for name in identity.names for form in disguises(name)}
    names = sorted(written, key=lambda n: (-len(n), n))
    plain = [_name(n) for n in names if len(n) > 2 or not n.isascii()]
    short = [
        rf"(?<![{_LETTER}])(?:{n.title()}|{n.upper()})(?![{_LETTER}])"
        for n in names
        if len(n) == 2 and n.isalpha() and n.isascii() and n.lower() not in _WORDS_OF_TWO
    ]
    found = [
        re.compile("|".join(each), re.IGNORECASE) for each in (numbers, plain) if any(each)
    ]
    return (*found, *([re.compile("|".join(short))] if short else ()))


def _name(name: str) -> str:
    """Match a word of a name: long ones anywhere, short ones as a word."""
    text = re.escape(name)
    if len(name) >= 5 or not name.isascii():
        return text
    return rf"(?<![{_LETTER}]){text}(?![{_LETTER}])"


def _number(number: str) -> str:
    """Match a number however its groups are set apart: 555-1234, 555 1234, 5551234."""
    kept = [re.escape(c) for c in number if c.isalnum()]
    between = r"[-\s./()_,]*"
    text = between.join(kept)
    if len(kept) >= 6 or not number.isascii():
        return text
    return rf"(?<![A-Za-z0-9]){text}(?![A-Za-z0-9])"
