"""Text in pictures, found by Tesseract."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from numpy import ndarray

from medloop.core.errors import ServiceError

_LANGUAGES: Final = ("eng", "chi_sim")
_SMALL_PX: Final = 900  # letters of ultrasound are eight pixels high
_STROKE_PX: Final = 15
_FAINTEST: Final = 40
_PLAIN: Final = 12
_LIKELY: Final = (40, 65)  # confidence in words of four letters, and of two
_SURE: Final = (70, 90)
_TIMEOUT_S: Final = 120


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """Rows top to bottom - 1 and columns left to right - 1 of an image."""

    top: int
    left: int
    bottom: int
    right: int

    def joined(self, other: "Box") -> "Box":
        """Return the smallest box around both."""
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def meets(self, other: "Box") -> bool:
        """Whether they share a pixel."""
        return (
            self.top < other.bottom
            and other.top < self.bottom
            and self.left < other.right
            and other.left < self.right
        )


@cache
def languages() -> str:
    """Return the installed languages among English and Chinese, as Tesseract names them.

    Raises
    ------
    ServiceError
        If pytesseract, tesseract-ocr or its English is not installed.
    """
    try:
        import pytesseract  # type: ignore[import-untyped] # noqa: PLC0415 # no types

        installed = pytesseract.get_languages()
    except (ImportError, OSError) as error:
        text = "text in pixels cannot be found: tesseract-ocr or pytesseract is not installed"
        raise ServiceError(text) from error
    if "eng" not in installed:
        raise ServiceError("text in pixels cannot be found: tesseract-ocr has no English")
    return "+".join(each for each in _LANGUAGES if each in installed)


def find_text(gray: UInt8[ndarray, "y x"], *, surely: bool = False) -> tuple[Box, ...]:
    """Find lines of text, bright on dark or dark on bright; each box has a margin.

    `surely` leaves out what may be speckle.

    Raises
    ------
    ServiceError
        If Tesseract is not installed, or does not end.
    """
    boxes: list[Box] = []
    for view in (gray, *_strokes(gray)):
        boxes += _read(view, _SURE if surely else _LIKELY)
    if not surely:
        boxes += _lines_on_plain_ground(gray)
    return united(boxes, gray.shape)


def _lines_on_plain_ground(gray: UInt8[ndarray, "y x"]) -> list[Box]:
    """Find rows of marks on a plain ground, as text beside an image is, read or not."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_STROKE_PX, _STROKE_PX))
    boxes = []
    for picture in (gray, 255 - gray):
        ground = cv2.morphologyEx(picture, cv2.MORPH_OPEN, kernel)
        uneven = cv2.morphologyEx(ground, cv2.MORPH_GRADIENT, np.ones((9, 9), np.uint8))
        marks = ((picture - ground > _FAINTEST) & (uneven < _PLAIN)).astype(np.uint8)
        rows = cv2.morphologyEx(marks, cv2.MORPH_CLOSE, np.ones((1, 11), np.uint8))
        _, labels, found, _ = cv2.connectedComponentsWithStats(rows)
        for number, (left, top, width, height, _) in enumerate(found):
            here = np.s_[top : top + height, left : left + width]
            inside = marks[here] * (labels[here] == number).astype(np.uint8)
            if number and _is_row(inside):
                boxes.append(Box(top - 2, left - 2, top + height + 2, left + width + 2))
    return boxes


def _is_row(marks: UInt8[ndarray, "y x"]) -> bool:
    """Whether marks are as high as letters and several beside each other."""
    height, width = marks.shape
    if not (6 <= height <= 40 and width >= max(16, 1.5 * height)):
        return False
    filled = float(marks.mean())
    strokes = np.count_nonzero(np.diff(marks.astype(np.int8), axis=1) == -1) / height
    return 0.08 <= filled <= 0.75 and strokes >= 2


def _strokes(gray: UInt8[ndarray, "y x"]) -> list[UInt8[ndarray, "y x"]]:
    """Draw thin strokes alone, black on white: bright ones, and dark ones."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_STROKE_PX, _STROKE_PX))
    views = []
    middle = float(np.median(gray))
    brights = [cv2.MORPH_TOPHAT] if middle < 160 else []
    darks = [cv2.MORPH_BLACKHAT] if middle > 90 else []
    for operation in brights + darks:
        thin = cv2.morphologyEx(gray, operation, kernel)
        strongest = int(thin.max())
        strokes = thin > max(_FAINTEST, round(0.55 * strongest))
        strokes = _like_letters(strokes)
        if 20 < np.count_nonzero(strokes) < 0.25 * strokes.size:
            views.append(np.where(strokes, 0, 255).astype(np.uint8))
    return views


def _like_letters(strokes: Bool[ndarray, "y x"]) -> Bool[ndarray, "y x"]:
    """Keep pieces as large as letters or parts of them; speckle is smaller."""
    _, labels, pieces, _ = cv2.connectedComponentsWithStats(strokes.astype(np.uint8))
    height, area = pieces[:, cv2.CC_STAT_HEIGHT], pieces[:, cv2.CC_STAT_AREA]
    kept = (area >= 5) & (height <= 90)
    kept[0] = False
    large = kept & (height >= 5)
    if int(large.sum()) < 0.2 * max(int(kept.sum()), 1):
        return np.zeros_like(strokes)
    return kept[labels]


def _read(gray: UInt8[ndarray, "y x"], least: tuple[int, int]) -> list[Box]:
    import pytesseract  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    scale = 2 if min(gray.shape) < _SMALL_PX else 1
    edge = 10  # letters that touch the edge are not read
    larger = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    framed = cv2.copyMakeBorder(larger, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    try:
        read = pytesseract.image_to_data(
            Image.fromarray(framed),
            lang=languages(),
            config="--psm 11",
            output_type=pytesseract.Output.DICT,
            timeout=_TIMEOUT_S,
        )
    except (RuntimeError, OSError) as error:
        raise ServiceError(f"tesseract failed: {type(error).__name__}") from error
    lines: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for n, text in enumerate(read["text"]):
        if text.strip():
            lines[read["block_num"][n], read["par_num"][n], read["line_num"][n]].append(n)
    boxes = [box for words in lines.values() for box in _of_line(read, words, least)]
    return [_placed(box, scale, edge) for box in boxes]


def _of_line(
    read: Mapping[str, Any], words: Sequence[int], least: tuple[int, int]
) -> list[Box]:
    """Box the words that are likely text, and what stands close beside them."""
    boxes = {
        n: Box(
            read["top"][n],
            read["left"][n],
            read["top"][n] + read["height"][n],
            read["left"][n] + read["width"][n],
        )
        for n in words
    }
    taken = {n for n in words if _is_text(read["text"][n], float(read["conf"][n]), least)}
    grown = True
    while grown:
        near = {n for n in words if n not in taken and _beside(boxes, n, taken)}
        taken |= near
        grown = bool(near)
    return [boxes[n] for n in sorted(taken)]


def _beside(boxes: Mapping[int, Box], n: int, taken: set[int]) -> bool:
    box = boxes[n]
    for other in (boxes[m] for m in taken):
        height = max(box.bottom - box.top, other.bottom - other.top)
        gap = max(box.left - other.right, other.left - box.right)
        if gap < 1.5 * height and box.top < other.bottom and other.top < box.bottom:
            return True
    return False


def _is_text(text: str, confidence: float, least: tuple[int, int]) -> bool:
    marks = sum(2 if letter > "\u2fff" else 1 for letter in text if letter.isalnum())
    if marks >= 4:
        return confidence >= least[0]
    return marks >= 2 and confidence >= least[1]


def _placed(box: Box, scale: int, edge: int) -> Box:
    margin = 2 + (box.bottom - box.top) // (5 * scale)
    return Box(
        (box.top - edge) // scale - margin,
        (box.left - edge) // scale - margin,
        (box.bottom - edge) // scale + margin + 1,
        (box.right - edge) // scale + margin + 1,
    )


def united(boxes: Sequence[Box], shape: tuple[int, ...]) -> tuple[Box, ...]:
    """Join boxes that meet until none do, within the image."""
    height, width = shape[:2]
    open_boxes = [
        Box(max(b.top, 0), max(b.left, 0), min(b.bottom, height), min(b.right, width))
        for b in boxes
        if b.bottom > 0 and b.right > 0 and b.top < height and b.left < width
    ]
    done: list[Box] = []
    while open_boxes:
        box = open_boxes.pop()
        met = [other for other in open_boxes + done if box.meets(other)]
        if not met:
            done.append(box)
            continue
        open_boxes = [other for other in open_boxes if other not in met]
        done = [other for other in done if other not in met]
        for other in met:
            box = box.joined(other)
        open_boxes.append(box)
    return tuple(sorted(done))
