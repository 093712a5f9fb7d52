"""PNG, JPEG and TIFF photographs, upright, with the bit depth they were stored in."""

import re
import warnings
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from jaxtyping import Shaped
from numpy import ndarray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from medloop.core.errors import FOREIGN_ERRORS, InputError
from medloop.core.image import Picture

MAX_SIDE_PX = 20_000
MAX_PIXELS = 150_000_000

_FORMATS: Final = ("PNG", "JPEG", "TIFF")  # Pillow opens MPO, of stereo cameras, as JPEG
_ORIENTATION = 274  # Exif and TIFF tags
_BITS_PER_SAMPLE = 258
_PLANAR = 284


def read_picture(path: Path) -> Picture:
    """Decode a photograph: upright after its Exif orientation, RGB or gray, 8 or 16 bit.

    Transparent parts become black, palettes and CMYK become RGB; of a file of several pages
    the first is read. No pixel is decoded before the header's size was checked.

    Raises
    ------
    InputError
        If it is empty, truncated, too large, or not a PNG, JPEG or TIFF we can decode.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks about damaged metadata
        ImageFile.LOAD_TRUNCATED_IMAGES = False  # other libraries allow it process-wide
        try:
            with Image.open(path, formats=_FORMATS) as image:
                _check_size(image)
                array = _decode_deep(image, path) if _is_deep_color(image) else _decode(image)
        except Image.DecompressionBombError as error:
            pixels = "".join(re.findall(r"\d+", str(error))[:1])
            limit = f"{MAX_PIXELS // 1_000_000} million"
            raise InputError(f"picture has {pixels} pixels; the limit is {limit}") from error
        except FOREIGN_ERRORS as error:
            raise InputError(f"picture cannot be decoded: {_one_line(error)}") from error
    return Picture(array)


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
        limit = f"{MAX_SIDE_PX} pixels a side and {MAX_PIXELS // 1_000_000} million in all"
        raise InputError(f"picture is {width} x {height} pixels; the limit is {limit}")
    if min(width, height) < 1:
        raise InputError(f"picture is {width} x {height} pixels")


def _is_deep_color(image: Image.Image) -> bool:
    """Whether Pillow would cut 16-bit color to 8 bits."""
    if isinstance(image, TiffImageFile):
        bits = image.tag_v2.get(_BITS_PER_SAMPLE, (1,))
        if len(bits) > 1 and max(bits) > 8 and image.tag_v2.get(_PLANAR, 1) == 2:
            raise InputError(
                "picture is a 16-bit TIFF stored plane by plane; store it by pixel"
            )
        return len(bits) > 1 and max(bits) == 16
    tiles = getattr(image, "tile", ())  # of ImageFile, which Pillow does not declare here
    mode = tiles[0].args if tiles else ""
    return isinstance(mode, str) and mode.startswith(("RGB;16", "RGBA;16", "LA;16"))


def _decode(image: Image.Image) -> Shaped[ndarray, "y x *c"]:
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I", "F"):
        return _sixteen_bit(np.asarray(image))
    if image.mode in ("1", "L"):
        return np.array(image.convert("L"))
    if image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return np.array(image.convert("RGB"))


def _sixteen_bit(array: Shaped[ndarray, "y x"]) -> Shaped[ndarray, "y x"]:
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 65535) or array.dtype.kind == "f":
        kind = "floating-point" if array.dtype.kind == "f" else "32-bit"
        raise InputError(
            f"picture holds {kind} values {low:g} to {high:g}; 8 or 16 bit are read"
        )
    return array.astype(np.uint16)


def _decode_deep(image: Image.Image, path: Path) -> Shaped[ndarray, "y x *c"]:
    array = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype != np.uint16:
        raise InputError("picture cannot be decoded: 16-bit color is damaged or truncated")
    if array.ndim == 3 and array.shape[2] == 4:
        alpha = array[..., 3:].astype(np.float32) / 65535
        array = np.rint(array[..., :3] * alpha).astype(np.uint16)
    if array.ndim == 3:
        array = array[..., ::-1]
    if image.format != "TIFF":  # OpenCV turns TIFF itself
        array = _upright(array, int(image.getexif().get(_ORIENTATION, 1)))
    return np.ascontiguousarray(array)


def _upright(array: Shaped[ndarray, "y x *c"], orientation: int) -> Shaped[ndarray, "y x *c"]:
    """Undo the rotation that Exif tag 274 describes."""
    if orientation in (5, 6, 7, 8):
        array = np.swapaxes(array, 0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def _one_line(error: BaseException) -> str:
    """Say what went wrong without the path: names of files may name people."""
    if isinstance(error, UnidentifiedImageError):
        return "its header is damaged or truncated"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
