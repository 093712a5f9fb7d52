"""Image Pixel module (PS3.3 C.7.6.3): pixels as they are, or a JPEG stream."""

import numpy as np
from numpy import ndarray
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEGBaseline8Bit

from medloop.dicom.write.attributes import srgb_profile

JPEG_METHOD = "ISO_10918_1"


def describe_pixels(
    target: Dataset, size: tuple[int, int], photometric: str, bits: int
) -> None:
    """Write shape, color space and depth."""
    color = photometric not in ("MONOCHROME1", "MONOCHROME2")
    target.SamplesPerPixel = 3 if color else 1
    target.PhotometricInterpretation = photometric
    if color:
        target.PlanarConfiguration = 0
        target.ICCProfile = srgb_profile()
        target.ColorSpace = "SRGB"
    else:
        target.PresentationLUTShape = "IDENTITY"
    target.Rows, target.Columns = size
    target.BitsAllocated = target.BitsStored = bits
    target.HighBit = bits - 1
    target.PixelRepresentation = 0


def store_native(target: Dataset, array: ndarray) -> None:
    """Store (y, x) or (y, x, 3) uint8 or uint16 uncompressed."""
    bits = array.dtype.itemsize * 8
    describe_pixels(target, array.shape[:2], "RGB" if array.ndim == 3 else "MONOCHROME2", bits)
    data = np.ascontiguousarray(array, f"<u{bits // 8}").tobytes()
    target.PixelData = data + b"\0" * (len(data) % 2)
    target["PixelData"].VR = "OW" if bits == 16 else "OB"


def store_jpeg(target: Dataset, jpeg: bytes, size: tuple[int, int], photometric: str) -> None:
    """Store one 8-bit baseline JPEG stream, unchanged."""
    describe_pixels(target, size, photometric, 8)
    target.PixelData = encapsulate([jpeg])
    target["PixelData"].VR = "OB"
    target["PixelData"].is_undefined_length = True
    target.file_meta.TransferSyntaxUID = UID(JPEGBaseline8Bit)
    declare_lossy(target, len(jpeg))


def declare_lossy(target: Dataset, compressed: int) -> None:
    """Say that the pixels were once a JPEG of `compressed` bytes (PS3.3 C.7.6.1.1.5)."""
    raw = target.Rows * target.Columns * target.SamplesPerPixel
    target.LossyImageCompression = "01"
    target.LossyImageCompressionRatio = f"{raw / max(compressed, 1):.2f}"
    target.LossyImageCompressionMethod = JPEG_METHOD
