"""RT structure sets: contours on planes, filled into the voxels of an image (PS3.3 C.8.8.6)."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from pydicom import Dataset

from medloop.core.code import Code
from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.structure import Contour, RoiKind, Structure
from medloop.dicom.damage import damage
from medloop.dicom.foreign import DICOM_ERRORS, quiet

_CLOSED: Final = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_TILT_SLICES: Final = 0.5  # a contour that leaves its slice by more is drawn in another plane
_SAME_PLANE_SLICES: Final = 0.05
_HALFWAY_SLICES: Final = 0.01  # a plane so little below the middle of two slices is the upper's
_DIGITS: Final = 6  # of a pixel: what conversion to voxels and back blurs
_GRAY: Final = (128, 128, 128)  # of structures that have no color
_KINDS: Final = {kind.value: kind for kind in RoiKind}


def structure_names(dataset: Dataset) -> Mapping[int, str]:
    """Return the names of the structures by ROI number, drawn or not.

    Raises
    ------
    InputError
        If this is no structure set.
    """
    if "StructureSetROISequence" not in dataset:
        raise InputError("not an RT structure set")
    return {
        int(item.ROINumber): str(item.get("ROIName", "")).strip()
        for item in dataset.StructureSetROISequence
    }


def read_structures(
    dataset: Dataset, grid: Grid, *, names: Sequence[str] = ()
) -> Mapping[str, Bool[ndarray, "k j i"]]:
    """Fill the closed contours of each structure into voxels; others are left out.

    A voxel is inside if its center is. Contours of one structure on one plane are combined by
    exclusive or, and a contour that crosses itself by the even-odd rule, so holes may be drawn
    as contours of their own or by a keyhole. A contour stored twice counts once, one of less
    than three points is none. Planes between slices belong to the nearest slice (the upper one,
    if halfway), which takes the plane nearest to it; slices between planes stay empty. Contours
    beyond the image are left out, and so are structures in another frame of reference.
    Structures of one name become one.

    Parameters
    ----------
    names
        Structures to read; all that have contours if empty.

    Raises
    ------
    InputError
        If this is no structure set, it names another frame of reference, a wanted structure is
        missing, or contours are not drawn on the slices of the grid.
    """
    with quiet():
        try:
            return _read(dataset, grid, names)
        except DICOM_ERRORS as error:
            raise InputError(f"structure set is damaged: {damage(error, dataset)}") from error


def fill(
    contours: Sequence[Float[ndarray, "_ 2"]], shape: tuple[int, int]
) -> Bool[ndarray, "j i"]:
    """Fill closed polygons of (row, column) points by the even-odd rule.

    True where a pixel's center lies within an odd number of turns. A center on an edge belongs
    to the polygon if the edge is its left or upper one, so polygons that share an edge
    share no pixel.
    """
    toggles = np.zeros((shape[0], shape[1] + 1), np.uint8)
    for points in contours:
        start = np.round(points, _DIGITS)
        end = np.roll(start, -1, axis=0)
        swapped = start[:, 0] > end[:, 0]  # both directions along a keyhole cross alike
        upper = np.where(swapped[:, None], end, start)
        lower = np.where(swapped[:, None], start, end)
        first = np.clip(np.ceil(upper[:, 0]), 0, shape[0]).astype(int)
        stop = np.clip(np.ceil(lower[:, 0]), 0, shape[0]).astype(int)
        count = stop - first
        edge = np.repeat(np.arange(len(start)), count)
        begun = np.repeat(np.cumsum(count) - count, count)
        row = np.arange(count.sum()) - begun + first[edge]
        rise = lower[edge, 0] - upper[edge, 0]
        run = lower[edge, 1] - upper[edge, 1]
        column = upper[edge, 1] + (row - upper[edge, 0]) * run / rise
        column = np.clip(np.ceil(np.round(column, _DIGITS)), 0, shape[1]).astype(int)
        np.bitwise_xor.at(toggles, (row, column), np.uint8(1))
    return np.bitwise_xor.accumulate(toggles, axis=1)[:, :-1].astype(bool)


def structures_of(dataset: Dataset, *, grid: Grid | None = None) -> tuple[Structure, ...]:
    """Return every structure with its closed contours as points, none left out but empty ones.

    Structures without contours are among them. `grid` is the image; with it each contour knows
    the slice nearest to it, in or beyond the image.

    Raises
    ------
    InputError
        If this is no structure set, or a damaged one.
    """
    with quiet():
        try:
            return _structures(dataset, grid)
        except DICOM_ERRORS as error:
            raise InputError(f"structure set is damaged: {damage(error, dataset)}") from error


def _structures(dataset: Dataset, grid: Grid | None) -> tuple[Structure, ...]:
    named = structure_names(dataset)
    drawn: dict[int, list[Dataset]] = {number: [] for number in named}
    for item in dataset.get("ROIContourSequence") or []:
        drawn.setdefault(int(item.ReferencedROINumber), []).append(item)
    seen: dict[int, Dataset] = {}
    for item in dataset.get("RTROIObservationsSequence") or []:
        seen.setdefault(int(item.ReferencedROINumber), item)
    structures = []
    for number, name in named.items():
        concept, site, kind = _observed(seen.get(number, Dataset()))
        contours = tuple(
            Contour(points, None if grid is None else _slice_of(_depth(grid.to_index(points))))
            for item in drawn[number]
            for points in _closed(item)
        )
        color = _color(drawn[number])
        structures.append(Structure(number, name, contours, color, kind, concept, site))
    return tuple(structures)


def _observed(item: Dataset) -> tuple[Code | None, Code | None, RoiKind]:
    """Read concept, site (or side) and kind of a structure."""
    concept = next(iter(item.get("RTROIIdentificationCodeSequence") or []), Dataset())
    sites = item.get("AnatomicRegionSequence") or []
    sides = concept.get("SegmentedPropertyTypeModifierCodeSequence") or []
    site = next(iter([*sites, *sides]), Dataset())
    kind = _KINDS.get(str(item.get("RTROIInterpretedType") or "").strip(), RoiKind.OTHER)
    return _code(concept), _code(site), kind


def _code(item: Dataset) -> Code | None:
    kinds = ("CodeValue", "LongCodeValue", "URNCodeValue")
    value = next((str(item[kind].value) for kind in kinds if item.get(kind)), "")
    if not value:
        return None
    return Code(
        str(item.get("CodingSchemeDesignator", "")), value, str(item.get("CodeMeaning", ""))
    )


def _color(items: Sequence[Dataset]) -> tuple[int, int, int]:
    for item in items:
        values = item.get("ROIDisplayColor") or []
        if len(values) == 3:
            red, green, blue = (min(max(int(v), 0), 255) for v in values)
            return red, green, blue
    return _GRAY


def _read(
    dataset: Dataset, grid: Grid, names: Sequence[str]
) -> Mapping[str, Bool[ndarray, "k j i"]]:
    named = _in_frame(dataset, grid)
    missing = [name for name in names if name not in named.values()]
    if missing:
        raise InputError(f"the structure set has no structure {missing[0]!r}")
    masks: dict[str, Bool[ndarray, "k j i"]] = {}
    for item in dataset.get("ROIContourSequence") or []:
        name = named.get(int(item.ReferencedROINumber), "")
        contours = [grid.to_index(points) for points in _closed(item)]
        if name and (name in names if names else contours):
            masks[name] = masks.get(name, False) | _fill_volume(contours, grid, name)
    for name in names:
        masks.setdefault(name, np.zeros(grid.shape, bool))
    return masks


def _in_frame(dataset: Dataset, grid: Grid) -> Mapping[int, str]:
    """Return the names of the structures that are in the grid's frame, or in none stated."""
    named = structure_names(dataset)
    if not grid.frame_of_reference:
        return named
    frames = {
        int(item.ROINumber): str(item.get("ReferencedFrameOfReferenceUID", ""))
        for item in dataset.StructureSetROISequence
    }
    here = {n: name for n, name in named.items() if frames[n] in ("", grid.frame_of_reference)}
    if named and not here:
        raise InputError("the structure set belongs to another frame of reference")
    return here


def _closed(item: Dataset) -> list[Float[ndarray, "_ 3"]]:
    """Return the closed contours of three points or more, in LPS mm, each once."""
    found: dict[bytes, Float[ndarray, "_ 3"]] = {}
    for contour in item.get("ContourSequence") or []:
        if contour.get("ContourGeometricType") not in _CLOSED or not contour.get("ContourData"):
            continue
        points_mm = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
        if not np.isfinite(points_mm).all():
            raise InputError("a contour holds coordinates that are no numbers")
        if len(points_mm) > 1 and (points_mm[0] == points_mm[-1]).all():
            points_mm = points_mm[:-1]  # some repeat the first point
        if len(points_mm) >= 3:
            found.setdefault(points_mm.tobytes(), points_mm)
    return list(found.values())


def _depth(index: Float[ndarray, "_ 3"]) -> float:
    return float(index[:, 0].mean())


def _slice_of(depth: float) -> int:
    return int(np.floor(depth + 0.5 + _HALFWAY_SLICES))


def _fill_volume(
    contours: Sequence[Float[ndarray, "_ 3"]], grid: Grid, name: str
) -> Bool[ndarray, "k j i"]:
    mask = np.zeros(grid.shape, bool)
    nearest: dict[int, float] = {}
    for depth, plane in _planes(contours, name):
        k = _slice_of(depth)
        away = abs(depth - k)
        if 0 <= k < grid.shape[0] and away < nearest.get(k, np.inf):
            nearest[k] = away
            mask[k] = fill([points[:, 1:] for points in plane], grid.shape[1:])
    return mask


def _planes(
    contours: Sequence[Float[ndarray, "_ 3"]], name: str
) -> list[tuple[float, list[Float[ndarray, "_ 3"]]]]:
    """Group contours by the plane they lie on; depths are in slices."""
    planes: list[tuple[float, list[Float[ndarray, "_ 3"]]]] = []
    for points in sorted(contours, key=_depth):
        depth = _depth(points)
        spread = float(np.ptp(points[:, 0]))
        if spread > _TILT_SLICES:
            raise InputError(
                f"a contour of {name!r} crosses {spread:.1f} slices;"
                f" at most {_TILT_SLICES} is one drawn on a slice"
            )
        if planes and depth - planes[-1][0] <= _SAME_PLANE_SLICES:
            planes[-1][1].append(points)
        else:
            planes.append((depth, [points]))
    return planes
