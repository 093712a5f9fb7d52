"""Text burned into pixels: which objects are at risk, where it is, and taking it out."""

from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import cv2
import numpy as np
from jaxtyping import Shaped, UInt8
from numpy import ndarray
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from medloop.core.errors import InputError
from medloop.dicom.deidentify.ocr import Box, united
from medloop.dicom.deidentify.streams import without_remarks
from medloop.dicom.foreign import DICOM_ERRORS
from medloop.dicom.pixels import check, stored_frame

_AT_RISK: Final = frozenset(
    [
        "US",
        "IVUS",
        "SC",
        "OT",
        "XC",
        "ES",
        "GM",
        "DOC",
        "EPS",
        "HC",
        "RF",
        "XA",
        "DG",
        "TG",
        "OP",
        "OPT",
        "SM",
    ]
)
_RISKY_CLASSES: Final = (
    "1.2.840.10008.5.1.4.1.1.7",  # secondary capture, single and multi-frame
    "1.2.840.10008.5.1.4.1.1.3.1",  # ultrasound multi-frame
    "1.2.840.10008.5.1.4.1.1.6.1",  # ultrasound
    "1.2.840.10008.5.1.4.1.1.77.1",  # visible light
)
_NO_PICTURES: Final = frozenset(["SEG", "RTDOSE", "REG"])
_ROUNDS: Final = 3
_BLOCK_PX: Final = 8


class Reader(Protocol):
    """Finds text in a gray picture."""

    def __call__(
        self, gray: UInt8[ndarray, "y x"], /, *, surely: bool = False
    ) -> tuple[Box, ...]:
        """Return where; `surely` leaves out what may be none."""


@dataclass(frozen=True, slots=True)
class _Window:
    """The values shown as black and as white."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Blanked:
    """Which boxes were blanked, in all frames, and whether text was looked for at all."""

    boxes: tuple[Box, ...] = ()
    was_read: bool = False


def is_at_risk(dataset: Dataset) -> bool:
    """Whether text is usually burned into such images, or the object says that it is."""
    if "PixelData" not in dataset or str(dataset.get("Modality")) in _NO_PICTURES:
        return False
    kinds = [str(kind) for kind in dataset.get("ImageType") or ()]
    return (
        str(dataset.get("BurnedInAnnotation")) == "YES"
        or str(dataset.get("Modality")) in _AT_RISK
        or str(dataset.get("SOPClassUID")).startswith(_RISKY_CLASSES)
        or "ConversionType" in dataset
        or "SCREEN SAVE" in kinds
        or "SECONDARY" in kinds[1:2]
    )


def has_pictures(dataset: Dataset) -> bool:
    """Whether an object holds images a person could write on."""
    return "PixelData" in dataset and str(dataset.get("Modality")) not in _NO_PICTURES


def blank_text(dataset: Dataset, read: Reader) -> Blanked:
    """Find text in the frames and blank it, in all of them at the same places.

    A compressed object in which text was found is stored uncompressed.

    Raises
    ------
    InputError
        If pixels cannot be decoded, or text remains after three rounds.
    ServiceError
        If no text can be found because Tesseract is missing.
    """
    check(dataset)
    frames = int(dataset.get("NumberOfFrames") or 1)
    boxes: tuple[Box, ...] = ()
    shape = (int(dataset.Rows), int(dataset.Columns))
    window = _window_of(dataset)
    for number in range(_ROUNDS):
        found = _text_in(dataset, window, boxes, partial(read, surely=number > 0))
        if not found:
            break
        boxes = united((*boxes, *found), shape)
    else:
        raise InputError(f"text in the pixels was still found after {_ROUNDS} rounds")
    if boxes:
        _blank(dataset, frames, boxes)
    return Blanked(boxes, was_read=True)


def tidy(dataset: Dataset) -> None:
    """Take away what hides beside the pixels: remarks in frames, bytes past the end.

    High bits of pixels in which old overlays are stored are cleared.
    """
    if "PixelData" not in dataset:
        return
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        _tidy_frames(dataset)
        return
    bits, samples = int(dataset.BitsAllocated), int(dataset.get("SamplesPerPixel") or 1)
    frames = int(dataset.get("NumberOfFrames") or 1)
    count = int(dataset.Rows) * int(dataset.Columns) * samples * frames
    if str(dataset.get("PhotometricInterpretation")) == "YBR_FULL_422":
        count = count * 2 // 3
    needed = (count * bits + 7) // 8
    needed += needed % 2
    data = dataset.PixelData
    if len(data) > needed:
        dataset.PixelData = data[:needed]
    if bits == 16 and any(_bit_position(dataset, group) for group in range(0x6000, 0x6020, 2)):
        _clear_high_bits(dataset)


def _bit_position(dataset: Dataset, group: int) -> int:
    return int(dataset[group, 0x0102].value or 0) if (group, 0x0102) in dataset else 0


def _clear_high_bits(dataset: Dataset) -> None:
    order = ">" if dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian else "<"
    kind = "i" if dataset.get("PixelRepresentation") == 1 else "u"
    values = np.frombuffer(dataset.PixelData, f"{order}{kind}2")
    left = 16 - int(dataset.BitsStored)
    cleared = ((values.astype(f"{kind}2") << left) >> left).astype(values.dtype)
    dataset.PixelData = cleared.tobytes()


def _tidy_frames(dataset: Dataset) -> None:
    count = int(dataset.get("NumberOfFrames") or 1)
    try:
        frames = list(generate_frames(dataset.PixelData, number_of_frames=count))
    except DICOM_ERRORS as error:
        raise InputError("compressed frames cannot be told apart") from error
    cleaned = [without_remarks(frame) for frame in frames]
    if cleaned != frames:
        dataset.PixelData = encapsulate(cleaned)
        for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            if keyword in dataset:
                delattr(dataset, keyword)


def _text_in(
    dataset: Dataset, window: _Window, known: tuple[Box, ...], read: Reader
) -> list[Box]:
    """Read the first frame, and each one that has new strokes like those of text."""
    found: list[Box] = []
    seen: UInt8[ndarray, "y x"] | None = None
    for index in range(int(dataset.get("NumberOfFrames") or 1)):
        gray = as_gray(stored_frame(dataset, index), dataset, window)
        for box in (*known, *found):
            gray[box.top : box.bottom, box.left : box.right] = 0
        blocks = _stroke_blocks(gray)
        if seen is None or np.count_nonzero((blocks > 0) & (seen == 0)) >= 3:
            found += read(gray)
            seen = blocks if seen is None else np.maximum(seen, blocks)
    return found


def _window_of(dataset: Dataset) -> _Window:
    """Choose what is shown as black and as white by the first and the last frame, once."""
    ends = {0, int(dataset.get("NumberOfFrames") or 1) - 1}
    values = np.stack([_colors(stored_frame(dataset, index), dataset) for index in ends])
    low, high = float(values.min()), float(np.percentile(values, 99.95))
    return _Window(low, high if high > low else max(float(values.max()), low + 1))


def _colors(frame: Shaped[ndarray, "y x *c"], dataset: Dataset) -> Shaped[ndarray, "y x"]:
    """Return the brightest of red, green and blue: text of any color stands out."""
    if str(dataset.get("PhotometricInterpretation")) == "PALETTE COLOR":
        frame = apply_color_lut(frame, dataset)
    return frame[..., :3].max(axis=2) if frame.ndim == 3 else frame


def as_gray(
    frame: Shaped[ndarray, "y x *c"], dataset: Dataset, window: _Window
) -> UInt8[ndarray, "y x"]:
    """Show a frame in 256 grays."""
    values = _colors(frame, dataset).astype(np.float32)
    scaled = (values - window.low) * (255 / (window.high - window.low))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def _stroke_blocks(gray: UInt8[ndarray, "y x"]) -> UInt8[ndarray, "y x"]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    strokes = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, kernel) > 110
    height, width = (max(1, side // _BLOCK_PX) for side in gray.shape)
    shares = strokes.astype(np.float32)
    small = cv2.resize(shares, (width, height), interpolation=cv2.INTER_AREA)
    return (small > 0.12).astype(np.uint8)


def _blank(dataset: Dataset, frames: int, boxes: tuple[Box, ...]) -> None:
    syntax = dataset.file_meta.TransferSyntaxUID
    plain = not syntax.is_encapsulated and int(dataset.BitsAllocated) in (8, 16, 32)
    if plain and str(dataset.get("PhotometricInterpretation")) != "YBR_FULL_422":
        _blank_in_place(dataset, frames, boxes)
        return
    first = stored_frame(dataset, 0)
    whole = np.empty((frames, *first.shape), first.dtype)
    for index in range(frames):
        whole[index] = stored_frame(dataset, index)
    photometric = str(dataset.get("PhotometricInterpretation"))
    if whole.ndim == 4:
        dataset.PlanarConfiguration = 0
        photometric = "RGB"
        dataset.PhotometricInterpretation = "RGB"
    for frame in whole:
        _fill(frame, boxes, photometric, dataset)
    data = whole.astype(whole.dtype.newbyteorder("<"), copy=False).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if whole.dtype.itemsize == 1 else "OW"
    dataset["PixelData"].is_undefined_length = False
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            delattr(dataset, keyword)


def _blank_in_place(dataset: Dataset, frames: int, boxes: tuple[Box, ...]) -> None:
    """Change the bytes of the boxes alone."""
    order = ">" if dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian else "<"
    kind = "i" if dataset.get("PixelRepresentation") == 1 else "u"
    dtype = np.dtype(f"{order}{kind}{int(dataset.BitsAllocated) // 8}")
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    samples = int(dataset.get("SamplesPerPixel") or 1)
    data = bytearray(dataset.PixelData)
    values = np.frombuffer(data, dtype, frames * rows * columns * samples)
    whole: ndarray = values.reshape(frames, rows, columns, samples)
    if samples == 1:
        whole = whole[..., 0]
    elif dataset.get("PlanarConfiguration") == 1:
        whole = np.moveaxis(values.reshape((frames, samples, rows, columns)), 1, -1)
    for frame in whole:
        _fill(frame, boxes, str(dataset.get("PhotometricInterpretation")), dataset)
    vr = dataset["PixelData"].VR
    dataset.PixelData = bytes(data)
    dataset["PixelData"].VR = vr


def _fill(
    frame: Shaped[ndarray, "y x *c"],
    boxes: tuple[Box, ...],
    photometric: str,
    dataset: Dataset,
) -> None:
    """Set the boxes to black."""
    black: object = frame.min()
    if photometric == "MONOCHROME1":
        black = frame.max()
    elif photometric == "PALETTE COLOR":
        black = frame.flat[int(_colors(frame, dataset).argmin())]
    elif frame.ndim == 3:
        black = np.array([0, 128, 128] if photometric.startswith("YBR") else [0] * 3)
    for box in boxes:
        frame[box.top : box.bottom, box.left : box.right] = black
