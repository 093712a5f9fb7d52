"""JPEG files as they are: whether the bytes can go into an object unchanged, and new ones."""

import io
import struct
from dataclasses import dataclass

from numpy import ndarray
from PIL import Image

from medloop.core.errors import InputError

_ORIENTATION, _TAKEN, _CAMERA_IFD = 0x0112, 0x9003, 0x8769  # EXIF tags
_STANDALONE = (*range(0xD0, 0xD8), 0x01)  # markers without a length
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# sampling of (luma, chroma, chroma) that YBR_FULL_422 may stand for (PS3.5 8.2.1)
_SUBSAMPLED = ("21 11 11", "22 11 11", "22 12 12")


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What the markers say before the entropy-coded data (ITU T.81 annex B)."""

    process: int  # 0 is baseline
    bits: int
    size: tuple[int, int]
    sampling: str  # one "hv" a component
    adobe_transform: int | None
    orientation: int
    taken: str  # YYYYMMDDHHMMSS, when the camera says so

    @property
    def photometric(self) -> str | None:
        """DICOM's name for the color space, or None where it has none (CMYK, unsure)."""
        if len(self.sampling.split()) == 1:
            return "MONOCHROME2"
        if self.adobe_transform == 0:
            return "RGB"
        return "YBR_FULL_422" if self.sampling in _SUBSAMPLED else None

    @property
    def is_plain(self) -> bool:
        """Whether every DICOM reader can decode and place it: 8-bit baseline, upright."""
        return (
            self.process == 0
            and self.bits == 8
            and self.orientation == 1
            and self.photometric is not None
        )


def jpeg_header(data: bytes) -> JpegHeader | None:
    """Read the markers up to the first scan; None if this is no JPEG or a broken one."""
    if data[:2] != b"\xff\xd8":
        return None
    place, process, frame = 2, 0, b""
    adobe, orientation, taken = None, 1, ""
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in _STANDALONE or marker == 0xFF:
            place += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, place + 2)
        body = data[place + 4 : place + 2 + length]
        if marker in _FRAMES:
            process, frame = marker - 0xC0, body
        elif marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        elif marker == 0xE1 and body[:6] == b"Exif\0\0":
            orientation, taken = _camera_data(body)
        elif marker == 0xDA:
            break
        place += 2 + length
    if len(frame) < 9 or len(frame) < 6 + 3 * frame[5]:
        return None
    bits, rows, columns, count = struct.unpack_from(">BHHB", frame)
    sampling = " ".join(f"{frame[7 + 3 * c]:02x}" for c in range(count))
    return JpegHeader(process, bits, (rows, columns), sampling, adobe, orientation, taken)


def _camera_data(body: bytes) -> tuple[int, str]:
    exif = Image.Exif()
    try:
        exif.load(body)
        orientation = int(exif.get(_ORIENTATION, 1)) or 1
        taken = str(exif.get_ifd(_CAMERA_IFD).get(_TAKEN, ""))
    except (SyntaxError, struct.error, ValueError, TypeError, KeyError, OSError):
        return 1, ""
    digits = taken.replace(":", "").replace(" ", "")[:14]
    return orientation, digits if len(digits) == 14 and digits.isdigit() else ""


def encode_jpeg(pixels: ndarray, *, quality: int = 92) -> bytes:
    """Compress (y, x, 3) uint8 as baseline JPEG 4:2:2, which DICOM calls YBR_FULL_422.

    Raises
    ------
    InputError
        If a side is longer than JPEG's 65 500 pixels.
    """
    if max(pixels.shape[:2]) > 65_500:
        raise InputError(
            f"picture of {pixels.shape[1]} x {pixels.shape[0]} exceeds 65500 pixels"
        )
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=1)
    return buffer.getvalue()
