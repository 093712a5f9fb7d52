"""Taking a face out of the slices of a series, at the pixels that `imaging.deface` marks.

A series of CT or MR images, one slice an object, becomes a volume in memory; what the mask
covers is set to the value of air in each object's own stored pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pydicom
from jaxtyping import Bool, Float
from numpy import ndarray
from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from medloop.core.errors import GeometryError, InputError
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.dicom.damage import damage
from medloop.dicom.foreign import DICOM_ERRORS, quiet
from medloop.dicom.pixels import check, open_dataset, stored_frame

Finder = Callable[[Volume], Bool[ndarray, "k j i"]]


def face_masks(paths: Sequence[Path], find: Finder) -> Mapping[Path, Bool[ndarray, "j i"]]:
    """Find the face in a series, and return its mask slice by slice.

    Raises
    ------
    InputError
        If the slices form no volume.
    UnsuitableError
        If `find` sees no head.
    """
    with quiet():
        try:
            slices = sorted((_slice(path) for path in paths), key=lambda piece: piece[0])
        except (*DICOM_ERRORS, StopIteration) as error:
            raise InputError(f"the slices form no volume: {damage(error)}") from error
    heights = np.array([height for height, *_ in slices])
    gaps = np.diff(heights)
    if len(slices) < 3 or gaps.min() < 0.05 or gaps.max() > 3 * np.median(gaps):
        raise GeometryError(f"{len(slices)} slices form no volume")
    shapes = {array.shape for _, _, _, array in slices}
    if len(shapes) != 1:
        raise GeometryError(f"slices have {len(shapes)} different sizes")
    affine = np.eye(4)
    first, last = slices[0][2], slices[-1][2]
    affine[:3, 0] = (last[:3, 3] - first[:3, 3]) / (len(slices) - 1)
    affine[:3, 1:] = first[:3, 1:]
    array = np.stack([array for *_, array in slices])
    mask = find(Volume(array, Grid(array.shape, affine), "1"))
    return {path: plane for (_, path, _, _), plane in zip(slices, mask, strict=True)}


def _slice(
    path: Path,
) -> tuple[float, Path, Float[ndarray, "3 4"], Float[ndarray, "j i"]]:
    dataset = open_dataset(path)
    check(dataset)
    rows, columns = map(float, dataset.PixelSpacing)
    directions = np.array([float(v) for v in dataset.ImageOrientationPatient]).reshape(2, 3)
    place = np.array([float(v) for v in dataset.ImagePositionPatient])
    normal = np.cross(directions[0], directions[1])
    matrix = np.zeros((3, 4))
    matrix[:, 1], matrix[:, 2], matrix[:, 3] = (
        directions[1] * rows,
        directions[0] * columns,
        place,
    )
    slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
    array = stored_frame(dataset).astype(np.float32) * np.float32(slope) + np.float32(intercept)
    return float(normal @ place), path, matrix, array


def remove_face(dataset: Dataset, face: Bool[ndarray, "j i"]) -> None:
    """Set the stored pixels of a face to those of air.

    A compressed object becomes uncompressed if any pixel changes.

    Raises
    ------
    InputError
        If the pixels cannot be decoded.
    """
    check(dataset)
    if not face.any():
        return
    array = stored_frame(dataset).copy()
    if array.shape != face.shape:
        raise InputError(f"face mask is {face.shape}, the slice {array.shape}")
    dark = str(dataset.get("PhotometricInterpretation")) != "MONOCHROME1"
    array[face] = array.min() if dark else array.max()
    syntax = dataset.file_meta.TransferSyntaxUID
    big = syntax == ExplicitVRBigEndian
    data = array.astype(array.dtype.newbyteorder(">" if big else "<"), copy=False).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if array.dtype.itemsize == 1 else "OW"
    dataset["PixelData"].is_undefined_length = False
    if syntax.is_encapsulated:
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(ExplicitVRLittleEndian)
