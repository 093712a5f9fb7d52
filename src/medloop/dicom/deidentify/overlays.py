"""Graphics over an image as one bit a pixel (PS3.3 C.9.2), with the text found blanked."""

import numpy as np
from pydicom import Dataset

from medloop.dicom.deidentify.pixels import Reader
from medloop.dicom.foreign import DICOM_ERRORS


def clean_overlays(dataset: Dataset, read: Reader) -> int:
    """Blank the text in each overlay plane, and return how many boxes; drop unreadable planes.

    Raises
    ------
    ServiceError
        If text cannot be looked for.
    """
    blanked = 0
    for group in range(0x6000, 0x6020, 2):
        if (group, 0x3000) in dataset:
            try:
                blanked += _clean(dataset, group, read)
            except DICOM_ERRORS:
                _drop(dataset, group)
        elif any(tag.group == group for tag in dataset.keys()):  # noqa: SIM118 # raw tags
            _drop(dataset, group)  # its bits lay in the pixels, from which they are cleared
    return blanked


def _clean(dataset: Dataset, group: int, read: Reader) -> int:
    rows, columns = int(dataset[group, 0x0010].value), int(dataset[group, 0x0011].value)
    element = dataset[group, 0x3000]
    frames = int(dataset[group, 0x0015].value or 1) if (group, 0x0015) in dataset else 1
    bits = np.unpackbits(np.frombuffer(element.value, np.uint8), bitorder="little")
    planes = bits[: frames * rows * columns].reshape(frames, rows, columns)
    count = 0
    for plane in planes:
        boxes = read((plane * np.uint8(255)).astype(np.uint8))
        count += len(boxes)
        for box in boxes:
            plane[box.top : box.bottom, box.left : box.right] = 0
    packed = np.packbits(planes.ravel(), bitorder="little").tobytes()
    element.value = packed + b"\0" * (len(packed) % 2)
    return count


def _drop(dataset: Dataset, group: int) -> None:
    for tag in [tag for tag in dataset.keys() if tag.group == group]:  # noqa: SIM118 # raw tags
        del dataset[tag]
