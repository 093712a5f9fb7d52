"""Pictures of frames for browsers (PS3.18 8.3.5): windowed, cut, scaled, PNG or JPEG."""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
import pydicom
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from medloop.core.errors import InputError
from medloop.dicom.damage import damage
from medloop.dicom.foreign import DICOM_ERRORS, quiet
from medloop.dicom.photo import picture_of
from medloop.dicom.pixels import check, stored_frame
from medloop.dicom.web.frames import Opened

PNG, JPEG = "image/png", "image/jpeg"
FUNCTIONS: Final = ("linear", "linear-exact", "sigmoid")
MAX_VIEW_PX: Final = 8192
THUMBNAIL_PX: Final = 128
_GRAY: Final = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True, slots=True)
class Window:
    """Values shown from black to white (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: str = "linear"


@dataclass(frozen=True, slots=True)
class View:
    """How to show a frame. `size` is the largest width and height.

    `region` is x, y, width and height; a negative width or height flips it.
    """

    media: str = JPEG
    window: Window | None = None
    size: tuple[int, int] | None = None
    region: tuple[float, float, float, float] | None = None
    quality: int = 90


def render(opened: Opened, index: int, view: View) -> bytes:
    """Draw one frame.

    Raises
    ------
    InputError
        If there is no such frame, it cannot be decoded, or the region lies outside.
    """
    with quiet():
        image = Image.fromarray(_shown(opened.dataset, index, view.window))
    if view.region is not None:
        image = _cut(image, view.region)
    if view.size is not None:
        scale = min(view.size[0] / image.width, view.size[1] / image.height)
        fit = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
        image = image.resize(fit, Image.Resampling.BILINEAR)
    target = io.BytesIO()
    if view.media == PNG:
        image.save(target, "PNG", compress_level=3)
    else:
        image.save(target, "JPEG", quality=view.quality)
    return target.getvalue()


def _shown(
    dataset: pydicom.Dataset, index: int, window: Window | None
) -> UInt8[ndarray, "..."]:
    photometric = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2")
    if photometric not in _GRAY or dataset.get("BitsAllocated") == 1:
        pixels = picture_of(dataset, index).array
        return (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
    check(dataset)
    stored = stored_frame(dataset, index)
    try:
        values = apply_modality_lut(stored, _of_frame(dataset, index, "RescaleSlope"))
        values = values.astype(np.float32)
        shown = _windowed(values, window) if window else _usual(values, stored, dataset, index)
    except DICOM_ERRORS as error:
        raise InputError(f"image cannot be shown ({damage(error, dataset)})") from error
    gray = np.clip(np.round(shown * 255), 0, 255).astype(np.uint8)
    return 255 - gray if photometric == "MONOCHROME1" else gray


def _usual(
    values: Float[ndarray, "j i"], stored: ndarray, dataset: pydicom.Dataset, index: int
) -> Float[ndarray, "j i"]:
    """Show the first window or table that the object brings, or else all its values."""
    said = _of_frame(dataset, index, "WindowCenter")
    if "VOILUTSequence" in said:
        table = apply_voi_lut(values.astype(stored.dtype), said).astype(np.float32)
        bits = int(said.VOILUTSequence[0].LUTDescriptor[2])
        return table / np.float32((1 << bits) - 1)
    center, width = _first(said.get("WindowCenter")), _first(said.get("WindowWidth"))
    if center is not None and width is not None and width >= 1:
        name = str(said.get("VOILUTFunction") or "LINEAR").lower().replace("_", "-")
        return _windowed(values, Window(center, width, name))
    low, high = float(values.min()), float(values.max())
    return (values - low) / max(high - low, 1e-6)


def _windowed(values: Float[ndarray, "j i"], window: Window) -> Float[ndarray, "j i"]:
    center, width = np.float32(window.center), np.float32(window.width)
    if window.function == "sigmoid":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -80, 80)))
    if window.function == "linear-exact":
        return (values - center) / width + np.float32(0.5)
    return (values - (center - np.float32(0.5))) / np.float32(
        max(window.width - 1, 1e-6)
    ) + np.float32(0.5)


def _of_frame(dataset: pydicom.Dataset, index: int, keyword: str) -> pydicom.Dataset:
    """Return what states an attribute: the object, or its groups for all or for one frame."""
    if keyword in dataset:
        return dataset
    groups = [*(dataset.get("SharedFunctionalGroupsSequence") or ())]
    groups += [*(dataset.get("PerFrameFunctionalGroupsSequence") or ())][index : index + 1]
    for group in reversed(groups):
        for name in ("FrameVOILUTSequence", "PixelValueTransformationSequence"):
            for item in group.get(name) or ():
                if keyword in item:
                    return item
    return dataset


def _first(value: object) -> float | None:
    if value is None or value == "":
        return None
    return float(value[0] if isinstance(value, pydicom.multival.MultiValue) else str(value))


def _cut(image: Image.Image, region: tuple[float, float, float, float]) -> Image.Image:
    x, y, width, height = region
    wide, high = abs(width), abs(height)
    box = round(x), round(y), round(x + wide), round(y + high)
    inside = 0 <= box[0] < box[2] <= image.width and 0 <= box[1] < box[3] <= image.height
    if not inside:
        raise InputError(f"region lies outside the image of {image.width} x {image.height}")
    image = image.crop(box)
    if width < 0:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if height < 0 else image
