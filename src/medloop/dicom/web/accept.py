"""What a client accepts (PS3.18 8.7), and the media type each transfer syntax has there."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, AllTransferSyntaxes

DICOM: Final = "application/dicom"
OCTETS: Final = "application/octet-stream"
JSON: Final = "application/dicom+json"
ANY: Final = "*"
EXPLICIT: Final = "1.2.840.10008.1.2.1"
_JSON_NAMES: Final = (JSON, "application/json", "application/*", "*/*")
_LONGEST: Final = 4096
_MEDIA: Final = {  # PS3.18 table 8.7.3-5, by the beginning of the transfer syntax
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.5": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.8": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.11": "image/jxl",
    "1.2.840.10008.1.2.4.20": "image/jphc",
}


@dataclass(frozen=True, slots=True)
class Media:
    """One kind of answer that a client takes. An empty `syntax` is the default one."""

    name: str
    is_multipart: bool
    syntax: str


@dataclass(frozen=True, slots=True)
class Choice:
    """How to answer: `syntax` is `ANY` where what is stored is sent as it is."""

    media: str
    is_multipart: bool
    syntax: str


def accepted(header: str) -> tuple[Media, ...]:
    """Read an Accept header, best first; an empty one takes anything."""
    found = []
    for order, part in enumerate(_split(header[:_LONGEST], ",")):
        name, *rest = (piece.strip() for piece in _split(part, ";"))
        words = dict(_parameter(piece) for piece in rest)
        weight = _weight(words.get("q", "1"))
        if weight > 0:
            found.append((-weight, order, _media(name.lower(), words)))
    if not header.strip():
        return (Media("*/*", is_multipart=True, syntax=""),)
    return tuple(media for *_, media in sorted(found, key=lambda each: each[:2]))


def takes_json(header: str) -> bool:
    """Say whether DICOM JSON will do."""
    return any(media.name in _JSON_NAMES for media in accepted(header))


def choose_objects(header: str, stored: Iterable[str], *, is_one: bool) -> Choice | None:
    """Choose how to send whole objects; `None` if nothing asked for can be made of them."""
    syntaxes = set(stored)
    for media in accepted(header):
        is_any = media.name == "*/*"
        if not (is_any or media.name == DICOM) or not (media.is_multipart or is_one):
            continue
        syntax = media.syntax or (ANY if is_any else EXPLICIT)
        if syntax == ANY or syntaxes <= {syntax}:
            return Choice(DICOM, media.is_multipart, ANY)
        if syntax == EXPLICIT and all(is_decodable(each) for each in syntaxes):
            return Choice(DICOM, media.is_multipart, EXPLICIT)
    return None


def choose_frames(header: str, stored: str, *, is_one: bool) -> Choice | None:
    """Choose how to send frames; `None` if nothing asked for can be made of them."""
    own = media_of(stored)
    for media in accepted(header):
        if not (media.is_multipart or is_one):
            continue
        if media.name == "*/*" or (media.name == own and own != OCTETS):
            if media.syntax in ("", ANY, stored):
                return Choice(own, media.is_multipart, ANY)
        elif media.name == OCTETS:
            if media.syntax in (ANY, stored):
                return Choice(OCTETS, media.is_multipart, ANY)
            if media.syntax in ("", EXPLICIT) and is_decodable(stored):
                return Choice(OCTETS, media.is_multipart, EXPLICIT)
    return None


def media_of(syntax: str) -> str:
    """Return the media type of a frame as it is stored."""
    for start in (syntax, syntax[:22], syntax[:21]):
        if start in _MEDIA:
            return _MEDIA[start]
    return OCTETS


def is_decodable(syntax: str) -> bool:
    """Say whether pixels of a transfer syntax can be decoded here."""
    if syntax not in AllTransferSyntaxes or not UID(syntax).is_encapsulated:
        return True
    try:
        return bool(get_decoder(UID(syntax)).available_plugins)
    except NotImplementedError:
        return False


def _media(name: str, words: dict[str, str]) -> Media:
    syntax = words.get("transfer-syntax", "")
    if name in ("*/*", "multipart/*", "multipart/related"):
        return Media(words.get("type", "*/*").lower(), is_multipart=True, syntax=syntax)
    return Media(name, is_multipart=False, syntax=syntax)


def _split(text: str, mark: str) -> list[str]:
    return re.findall(rf'(?:[^{mark}"]|"[^"]*")+', text)


def _parameter(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key.strip().lower(), value.strip().strip('"')


def _weight(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](\.\d{0,3})?", text) else 1.0
