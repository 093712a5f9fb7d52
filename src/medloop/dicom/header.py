"""One file's header: what indexing and geometry need, decoded."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pydicom
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue

from medloop.core.errors import InputError
from medloop.core.study import Patient
from medloop.dicom.damage import damage
from medloop.dicom.deflate import open_inflated
from medloop.dicom.foreign import DICOM_ERRORS, quiet
from medloop.dicom.scan import CutOffError, NotPlainError, Values, scan

_HEAD_BYTES: Final = 16 * 1024
_MAX_HEADER_BYTES: Final = 64 * 1024**2
SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
_DIRECTORY: Final = "1.2.840.10008.1.3.10"

_CHARSET, _IMAGE_TYPE, _SOP_CLASS, _SOP_UID = 0x00080005, 0x00080008, 0x00080016, 0x00080018
_STUDY_DATE, _ACCESSION, _MODALITY = 0x00080020, 0x00080050, 0x00080060
_MAKER, _STUDY_TEXT, _SERIES_TEXT = 0x00080070, 0x00081030, 0x0008103E
_NAME, _ID, _BIRTH, _SEX = 0x00100010, 0x00100020, 0x00100030, 0x00100040
_BODY_PART, _THICKNESS, _ECHO, _GAP = 0x00180015, 0x00180050, 0x00180081, 0x00180088
_B_VALUE, _STUDY_UID, _SERIES_UID = 0x00189087, 0x0020000D, 0x0020000E
_ACQUISITION, _NUMBER, _POSITION = 0x00200012, 0x00200013, 0x00200032
_ORIENTATION, _FRAME_OF_REFERENCE, _SIDE = 0x00200037, 0x00200052, 0x00200060
_IMAGE_SIDE, _TEMPORAL, _FRAMES = 0x00200062, 0x00200100, 0x00280008
_ROWS, _COLUMNS, _SPACING = 0x00280010, 0x00280011, 0x00280030
_INTERCEPT, _SLOPE, _KERNEL = 0x00281052, 0x00281053, 0x00181210
SHORTS: Final = frozenset([_ROWS, _COLUMNS, 0x00280100])  # numbers of two bytes that are read
_META: Final = (0x00020002, 0x00020003, 0x00020010)
_WANTED: Final = frozenset([
    _CHARSET, _IMAGE_TYPE, _SOP_CLASS, _SOP_UID, _STUDY_DATE, _ACCESSION, _MODALITY,
    _STUDY_TEXT, _SERIES_TEXT, _NAME, _ID, _BIRTH, _SEX, _BODY_PART, _THICKNESS, _ECHO, _GAP,
    _MAKER, _B_VALUE, _STUDY_UID, _SERIES_UID, _ACQUISITION, _NUMBER, _POSITION, _ORIENTATION,
    _FRAME_OF_REFERENCE, _SIDE, _IMAGE_SIDE, _TEMPORAL, _FRAMES, _ROWS, _COLUMNS, _SPACING,
    _INTERCEPT, _SLOPE, _KERNEL,
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pose:
    """Where one slice lies, as far as its header says; lengths in mm (PS3.3 C.7.6.2)."""

    position: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    spacing: tuple[float, ...] | None = None
    thickness: float | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """One DICOM file without its pixels; `frames` is 0 where it has none."""

    path: Path
    sop_class: str
    uid: str
    study_uid: str
    series_uid: str
    modality: str
    patient: Patient
    study_date: str
    study_description: str
    accession: str
    description: str
    body_part: str
    laterality: str
    image_type: tuple[str, ...]
    frame_of_reference: str | None
    rows: int
    columns: int
    frames: int
    number: int
    pose: Pose
    rescale: tuple[float, float]  # slope, intercept
    phase: tuple[str, str, str, str]  # temporal position, acquisition, echo time, b value
    thickness_mm: float | None
    kernel: str
    maker: str


def read_header(path: Path) -> Header:
    """Read one header.

    Raises
    ------
    InputError
        If the file is no DICOM object that can be indexed, in one line.
    """
    return read_header_with(path, frozenset())[0]


def header_of(dataset: pydicom.Dataset, path: Path) -> Header:
    """Take the header of a data set that came another way than by a file, decoded.

    `path` is where its file will be.

    Raises
    ------
    InputError
        If it names no object, study or series, or is damaged.
    """
    with quiet():
        try:
            values = {tag: _raw(dataset, tag) for tag in _WANTED if tag in dataset}
        except DICOM_ERRORS as error:
            raise InputError(f"DICOM header is damaged: {damage(error, dataset)}") from error
    values[_CHARSET] = b"ISO_IR 192"  # as `_raw` encodes what was decoded
    if not all(_text(values, tag) for tag in (_SOP_UID, _STUDY_UID, _SERIES_UID)):
        raise InputError("DICOM header names no object, study or series")
    return _header(path, values)


def read_header_with(path: Path, more: frozenset[int]) -> tuple[Header, Values]:
    """Read one header, and the values of more tags as they are encoded.

    Raises
    ------
    InputError
        As `read_header`.
    """
    try:
        values = _values(path, _WANTED | more)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}") from error
    if _text(values, 0x00020002) == _DIRECTORY or _text(values, _SOP_CLASS) == _DIRECTORY:
        raise InputError("DICOMDIR lists other files; it holds no image")
    return _header(path, values), values


def _values(path: Path, wanted: frozenset[int]) -> Values:
    is_cut_off = False
    with path.open("rb") as file:
        data = file.read(_HEAD_BYTES)
        try:
            return scan(data, wanted, is_whole=len(data) < _HEAD_BYTES)
        except CutOffError:
            is_cut_off = True
        except NotPlainError:
            pass
        if is_cut_off and len(data) == _HEAD_BYTES:
            data += file.read(_MAX_HEADER_BYTES)
            try:
                return scan(data, wanted, is_whole=True)
            except NotPlainError:
                pass
    values = _foreign_values(path, wanted)
    if is_cut_off and _ROWS not in values:
        raise InputError(f"DICOM file is truncated: it ends after {len(data)} bytes")
    return values


def _foreign_values(path: Path, wanted: frozenset[int]) -> Values:
    """Let pydicom read what is not plain."""
    with quiet():
        try:
            with open_inflated(path) as file:
                dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True)
            found = {tag: _raw(dataset, tag) for tag in wanted if tag in dataset}
            meta = getattr(dataset, "file_meta", {})  # absent where the file has none
            found |= {tag: str(meta[tag].value).encode() for tag in _META if tag in meta}
        except DICOM_ERRORS as error:
            raise InputError(f"DICOM header is damaged: {damage(error)}") from error
    if not found or not {_SOP_CLASS, _SOP_UID, _MODALITY, _ROWS, 0x00020002} & set(found):
        raise InputError("holds no DICOM object: neither class, modality nor image in it")
    return found


def _raw(dataset: pydicom.Dataset, tag: int) -> bytes:
    element: object = dataset.get_item(tag)
    if isinstance(element, RawDataElement):
        value = element.value or b""
        return value if element.is_little_endian or tag not in SHORTS else value[::-1]
    decoded = dataset[tag].value
    if isinstance(decoded, int) and tag in SHORTS:
        return decoded.to_bytes(2, "little")
    parts = decoded if isinstance(decoded, MultiValue) else [decoded]
    return "\\".join("" if part is None else str(part) for part in parts).encode()


def _header(path: Path, values: Values) -> Header:
    uid = _text(values, _SOP_UID) or _text(values, 0x00020003) or _uid_of(path)
    rows, columns = _short(values, _ROWS), _short(values, _COLUMNS)
    frames = _integer(values, _FRAMES, default=1)
    series_uid = _text(values, _SERIES_UID) or _derived(uid, "series")
    return Header(
        path=path,
        sop_class=_text(values, _SOP_CLASS) or _text(values, 0x00020002) or SECONDARY_CAPTURE,
        uid=uid,
        study_uid=_text(values, _STUDY_UID) or _derived(series_uid, "study"),
        series_uid=series_uid,
        modality=_text(values, _MODALITY),
        patient=Patient(
            _words(values, _NAME),
            _words(values, _ID),
            _text(values, _BIRTH),
            _text(values, _SEX),
        ),
        study_date=_text(values, _STUDY_DATE),
        study_description=_words(values, _STUDY_TEXT),
        accession=_words(values, _ACCESSION),
        description=_words(values, _SERIES_TEXT),
        body_part=_text(values, _BODY_PART),
        laterality=_text(values, _IMAGE_SIDE) or _text(values, _SIDE),
        image_type=tuple(_text(values, _IMAGE_TYPE, limit=256).split("\\")),
        frame_of_reference=_text(values, _FRAME_OF_REFERENCE) or None,
        rows=rows,
        columns=columns,
        frames=max(frames, 1) if rows and columns else 0,
        number=_integer(values, _NUMBER, default=0),
        pose=_pose(values),
        rescale=(
            (_numbers(values, _SLOPE, 1) or (1.0,))[0],
            (_numbers(values, _INTERCEPT, 1) or (0.0,))[0],
        ),
        phase=(
            _text(values, _TEMPORAL),
            _text(values, _ACQUISITION),
            _text(values, _ECHO),
            values.get(_B_VALUE, b"").hex(),
        ),
        thickness_mm=_positive(values, _THICKNESS),
        kernel=_text(values, _KERNEL, limit=128).partition("\\")[0].strip(),
        maker=_text(values, _MAKER),
    )


def _pose(values: Values) -> Pose:
    gap_or_thickness = _GAP if _numbers(values, _GAP, 1) else _THICKNESS
    return Pose(
        position=_numbers(values, _POSITION, 3),
        orientation=_numbers(values, _ORIENTATION, 6),
        spacing=_numbers(values, _SPACING, 2),
        thickness=_positive(values, gap_or_thickness),
    )


def _positive(values: Values, tag: int) -> float | None:
    number = _numbers(values, tag, 1)
    return number[0] if number and number[0] > 0 else None


def _text(values: Values, tag: int, *, limit: int = 64) -> str:
    """Decode a code, number or UID in the default repertoire; damage counts as absence."""
    raw = values.get(tag, b"")[: limit + 2].decode("latin-1").strip("\0 ")
    return raw if raw.isascii() and raw.isprintable() and len(raw) <= limit else ""


def _words(values: Values, tag: int) -> str:
    """Decode text, as one line of at most 256 characters."""
    text = decoded_text(values, tag)[:256]
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def decoded_text(values: Values, tag: int) -> str:
    """Decode text in the file's character sets (PS3.5 section 6.1), Chinese ones included."""
    raw = values.get(tag, b"").strip(b"\0 ")
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    declared = _text(values, _CHARSET)
    if not declared:
        return _guess(raw)
    with quiet():
        try:
            encodings = convert_encodings(declared.split("\\"))
            return decode_bytes(raw, encodings, {0x3D, 0x5C, 0x5E}).strip("\0 ")
        except DICOM_ERRORS:
            return _guess(raw)


def _guess(raw: bytes) -> str:
    """Without a declared set: UTF-8 where it fits, then what Chinese scanners write."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def _numbers(values: Values, tag: int, count: int) -> tuple[float, ...] | None:
    raw = values.get(tag)
    if not raw:
        return None
    try:
        parts = tuple(float(part) for part in raw.rstrip(b"\0 ").split(b"\\"))
    except ValueError:
        return None
    is_sane = len(parts) >= count and all(abs(part) < 1e9 for part in parts)
    return parts[:count] if is_sane else None


def _integer(values: Values, tag: int, *, default: int) -> int:
    numbers = _numbers(values, tag, 1)
    return default if numbers is None else int(numbers[0])


def _short(values: Values, tag: int) -> int:
    raw = values.get(tag, b"")
    return int.from_bytes(raw[:2], "little")


def _uid_of(path: Path) -> str:
    return _derived(hashlib.sha256(path.read_bytes()).hexdigest(), "instance")


def _derived(seed: str, kind: str) -> str:
    """Make up a UID for a file that lacks one; the same file gets the same (PS3.5 B.2)."""
    digest = hashlib.sha256(f"{kind}:{seed}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
