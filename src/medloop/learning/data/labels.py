"""The labels of a case on the pixels of its image: masks and boxes."""

import json
import warnings
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

import numpy as np
from jaxtyping import Float, Integer
from numpy import ndarray

from medloop.core.errors import InputError, ServiceError
from medloop.core.geometry import Grid, apart
from medloop.dicom.pixels import open_dataset
from medloop.dicom.read_results import read_segmentation
from medloop.dicom.read_rtstruct import read_structures
from medloop.learning.data.description import (
    Balls,
    Bits,
    CaseSource,
    Contours,
    DicomSegmentation,
    Mask,
    Shape,
    Shapes,
)
from medloop.learning.data.pixels import Image, read_grid_array


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Objects in an image, one a row.

    `edges` are the lower and upper faces of each box in voxels, (k, j, i) or (y, x), where
    whole numbers are centers of voxels: a box around voxel 3 alone runs from 2.5 to 3.5.
    """

    edges: Float[ndarray, "n 2 d"]
    values: Integer[ndarray, " n"]


def read_mask(case: CaseSource, image: Image) -> Integer[ndarray, "*space"]:
    """Read the mask of a case; values are those of the data set's classes.

    Raises
    ------
    InputError
        If the label is no mask, damaged, not of whole numbers, or not on the image's grid.
    """
    label = case.label
    shape = image.array.shape[1:]
    if isinstance(label, Mask | Bits):
        array, grid = read_grid_array(label.path)
        reason = apart(image.grid, grid, shape, array.shape)
        if reason:
            raise InputError(f"{reason} of the image")
        whole = _whole(array)
        return whole if isinstance(label, Mask) else _of_bits(whole, label)
    if isinstance(label, Shapes):
        return _painted(label, (shape[-2], shape[-1]))
    if image.grid is not None and isinstance(label, DicomSegmentation | Contours):
        return _of_dicom(label, image.grid)
    raise InputError("label is no mask")


def read_boxes(case: CaseSource, image: Image) -> Boxes:
    """Read the objects of a case as boxes on the voxels of its image.

    Raises
    ------
    InputError
        If the label lists no objects.
    """
    label = case.label
    if isinstance(label, Shapes):
        corners = [(s.low_xy[::-1], s.high_xy[::-1]) for s in label.shapes]
        edges = np.array(corners, float).reshape(-1, 2, 2) - 0.5
        values = np.array([s.value for s in label.shapes], int)
        return Boxes(edges, values)
    if isinstance(label, Balls) and image.grid is not None:
        return _enclosing(label, image.grid)
    raise InputError("label lists no objects")


def _enclosing(label: Balls, grid: Grid) -> Boxes:
    """Return the smallest box along the voxels' axes around each ball."""
    balls = label.balls
    centers = np.array([b.center_lps_mm for b in balls], float).reshape(-1, 3)
    radii = np.array([b.diameter_mm for b in balls], float).reshape(-1, 1) / 2
    voxels_per_mm = np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1)
    middle = grid.to_index(centers)
    reach = radii * voxels_per_mm
    edges = np.stack([middle - reach, middle + reach], axis=1)
    return Boxes(edges, np.array([b.value for b in balls], int))


def _whole(array: ndarray) -> Integer[ndarray, "*space"]:
    if array.dtype.kind in "iu":
        return array
    rounded = np.rint(array)
    if not np.array_equal(rounded, array):
        off = int(np.count_nonzero(rounded != array))
        raise InputError(f"mask holds {off} values that are no whole numbers")
    return rounded.astype(np.int32)


def _of_bits(stored: Integer[ndarray, "*space"], label: Bits) -> Integer[ndarray, "*space"]:
    array = np.zeros(stored.shape, np.int32)
    for bit, value in label.values.items():
        array[(stored >> bit) & 1 == 1] = value
    return array


def _of_dicom(label: DicomSegmentation | Contours, grid: Grid) -> Integer[ndarray, "k j i"]:
    dataset = open_dataset(label.path)
    array = np.zeros(grid.shape, np.int32)
    if isinstance(label, Contours):
        masks = read_structures(dataset, grid, names=tuple(label.values))
        for name, value in label.values.items():
            array[masks[name]] = value
        return array
    stored = read_segmentation(dataset, grid=grid).array
    for number, value in label.numbers.items():
        array[stored == number] = value
    return array


def _painted(label: Shapes, size: tuple[int, int]) -> Integer[ndarray, "y x"]:
    array = np.zeros(size, np.int32)
    for shape in label.shapes:
        array[_pixels_of(shape, size)] = shape.value
    return array


def _pixels_of(shape: Shape, size: tuple[int, int]) -> ndarray:
    """Decode one object by COCO's own rules (Lin 2014, pycocotools)."""
    try:
        coco = import_module("pycocotools.mask")  # only outlines in COCO need it
    except ModuleNotFoundError as error:
        raise ServiceError("outlines in COCO need the package pycocotools") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its arrays predate NumPy 2
        try:
            pixels = coco.decode(_runs(coco, shape, size)).astype(bool)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"an outline is damaged: {type(error).__name__}") from error
    if pixels.shape != size:
        raise InputError(f"an outline is for {pixels.shape} pixels, the picture has {size}")
    return pixels


def _runs(coco: ModuleType, shape: Shape, size: tuple[int, int]) -> object:
    """Return COCO's compressed run-length code of an object."""
    if shape.runs:
        runs = json.loads(shape.runs)
        if isinstance(runs["counts"], list):
            return coco.frPyObjects(runs, *runs["size"])
        return {**runs, "counts": runs["counts"].encode()}
    if shape.polygons:
        return coco.merge(coco.frPyObjects([list(p) for p in shape.polygons], *size))
    raise InputError("an object has a box and no outline")
