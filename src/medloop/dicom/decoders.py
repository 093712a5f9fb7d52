"""Which transfer syntaxes can be read here, and by which decoder."""

from dataclasses import dataclass

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, AllTransferSyntaxes


@dataclass(frozen=True, slots=True)
class Decoding:
    """How one transfer syntax (PS3.5 section 10) is read.

    Without plugins it cannot be read here; without `missing` nothing could be installed for it.
    """

    uid: str
    name: str
    plugins: tuple[str, ...]
    missing: tuple[str, ...] = ()


def decodings() -> tuple[Decoding, ...]:
    """List every transfer syntax that pydicom knows and that can hold pixels."""
    ordered = sorted(
        AllTransferSyntaxes, key=lambda uid: [int(part) for part in uid.split(".")]
    )
    return tuple(_decoding(UID(uid)) for uid in ordered)


def _decoding(uid: UID) -> Decoding:
    if not uid.is_encapsulated:
        return Decoding(str(uid), uid.name, ("pydicom",))
    try:
        decoder = get_decoder(uid)
    except NotImplementedError:
        return Decoding(str(uid), uid.name, ())
    return Decoding(
        str(uid),
        uid.name,
        tuple(decoder.available_plugins),
        tuple(decoder.missing_dependencies),
    )
