"""Read back what dicom.write wrote: numbers from a report, labels from a segmentation."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod

import numpy as np
from jaxtyping import Bool, Integer, UInt8
from numpy import ndarray
from pydicom import Dataset

from medloop.core.code import Code
from medloop.core.errors import InputError
from medloop.core.finding import Assessment, Box, Finding, Measurement
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap, Segment
from medloop.dicom.annotations import segment_value
from medloop.dicom.cielab import to_srgb
from medloop.dicom.codes import CONCEPTS, NO, PRIVATE, PROBABILITY, SCALES, YES
from medloop.dicom.write.groups import (
    ASSESSMENTS,
    BOX,
    CENTER,
    COMMENT,
    FINDING,
    GROUP,
    LABEL,
    SITE,
    TRACKING,
)

# Planes that lie between are empty: a file of few planes far apart would fill the memory.
_TIMES, _ROOM = 8, 1 << 26  # voxels, of the grid's and at least
_KEYS = {code.value: key for key, code in CONCEPTS.items()}
_LABEL = re.compile(r"label (\d+)")
_ELEMENT = re.compile(r"(.+) \[(\w+)\]")


def read_sr_values(
    dataset: Dataset,
) -> tuple[tuple[Finding, ...], Mapping[str, Assessment]]:
    """Return the findings and the assessments of a report that medloop wrote.

    What an SR cannot say comes back as if it had not been said: None among the assessments, and
    the segment of a finding that shares it with others. Pixels are 0-based centers again.

    Raises
    ------
    InputError
        If this is no TID 1500 report with measurement groups.
    """
    groups = [item for item in _walk(dataset) if _is(item, GROUP)]
    if not groups:
        raise InputError("the report has no measurement groups")
    findings = []
    assessments: dict[str, Assessment] = {}
    for group in groups:
        items = group.get("ContentSequence") or []
        tracking = next((i.TextValue for i in items if _is(i, TRACKING)), "")
        if tracking == ASSESSMENTS:
            assessments = _assessments(items)
        else:
            findings.append(_finding(items, tracking))
    return tuple(findings), assessments


def _walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence") or []:
        yield child
        yield from _walk(child)


def _code(item: Dataset) -> Code:
    return Code(item.CodingSchemeDesignator, item.CodeValue, item.CodeMeaning)


def _concept(item: Dataset) -> Code | None:
    names = item.get("ConceptNameCodeSequence")
    return _code(names[0]) if names else None


def _is(item: Dataset, concept: Code) -> bool:
    name = _concept(item)
    return name is not None and (name.scheme, name.value) == (concept.scheme, concept.value)


def _number(item: Dataset) -> tuple[float, str]:
    measured = item.MeasuredValueSequence[0]
    value = float(measured.get("FloatingPointValue", measured.NumericValue))
    return value, measured.MeasurementUnitsCodeSequence[0].CodeValue


def _finding(items: Sequence[Dataset], tracking: str) -> Finding:
    coded = {item.ValueType: item for item in items if _is(item, FINDING)}
    if "CODE" not in coded:
        raise InputError("a measurement group has no finding")
    site = next((_code(i.ConceptCodeSequence[0]) for i in items if _is(i, SITE)), None)
    numbers = [item for item in items if item.ValueType == "NUM"]
    measurements = [
        Measurement(concept, *_number(item))
        for item in numbers
        if (concept := _concept(item)) is not None and not _is(item, PROBABILITY)
    ]
    named = next((i.TextValue for i in items if _is(i, LABEL)), tracking)
    label = _LABEL.fullmatch(named)
    flat, center_mm, box = _places(items)
    return Finding(
        _code(coded["CODE"].ConceptCodeSequence[0]),
        site,
        tuple(measurements),
        probability=next((_number(i)[0] for i in numbers if _is(i, PROBABILITY)), None),
        center_lps_mm=center_mm,
        center_px=flat,
        box=box,
        segment=int(label[1]) if label else None,
    )


def _places(
    items: Sequence[Dataset],
) -> tuple[tuple[float, float] | None, tuple[float, float, float] | None, Box | None]:
    center_px, center_mm, box = None, None, None
    for item in items:
        if item.ValueType == "SCOORD":
            points = np.array(item.GraphicData, float).reshape(-1, 2) - 0.5
            if item.GraphicType == "POINT":
                center_px = (float(points[0, 0]), float(points[0, 1]))
            else:
                box = Box(
                    tuple(points.min(axis=0).tolist()), tuple(points.max(axis=0).tolist())
                )
        elif item.ValueType == "SCOORD3D":
            points = np.array(item.GraphicData, float).reshape(-1, 3)
            if _is(item, CENTER):
                x, y, z = points[0].tolist()
                center_mm = (x, y, z)
            elif _is(item, BOX):
                box = Box(tuple(points[0].tolist()), tuple(points[1].tolist()))
    return center_px, center_mm, box


def _assessments(items: Sequence[Dataset]) -> dict[str, Assessment]:
    values: dict[str, Assessment] = {}
    elements: dict[str, dict[str, float | str]] = {}
    for item in items:
        concept = _concept(item)
        is_ours = concept is not None and concept.scheme == PRIVATE
        if concept is None or not is_ours or item.RelationshipType != "CONTAINS":
            continue
        key, index = _key(concept)
        if index is not None:
            value = _number(item)[0] if item.ValueType == "NUM" else str(item.TextValue)
            elements.setdefault(key, {})[index] = value
        elif not _is(item, COMMENT):
            values[key] = _assessment(key, item)
    for key, parts in elements.items():
        numbers = [v for v in parts.values() if isinstance(v, float)]
        words = {k: v for k, v in parts.items() if isinstance(v, str)}
        values[key] = words or tuple(numbers)
    return values


def _key(concept: Code) -> tuple[str, str | None]:
    """Return the key of an assessment, and which element of it this is."""
    if concept.value in _KEYS:
        return _KEYS[concept.value], None
    match = _ELEMENT.fullmatch(concept.meaning)
    if match is None:
        return concept.meaning, None
    base = concept.value.rpartition("-")[0]
    return _KEYS.get(base, match[1]), match[2]


def _assessment(key: str, item: Dataset) -> Assessment:
    if item.ValueType == "NUM":
        return _number(item)[0]
    if item.ValueType == "TEXT":
        return str(item.TextValue)
    code = _code(item.ConceptCodeSequence[0])
    if (code.scheme, code.value) in ((YES.scheme, YES.value), (NO.scheme, NO.value)):
        return code.value == YES.value
    for grade, known in SCALES.get(key, {}).items():
        if (known.scheme, known.value) == (code.scheme, code.value):
            return grade
    name, mark, word = code.value.partition(":")
    return word if mark else int(name.rpartition("-")[2])


def read_segmentation(dataset: Dataset, *, grid: Grid | None = None) -> LabelMap:
    """Return the labels of a binary segmentation, numbered as when medloop wrote them.

    Planes come back on `grid`, which they must coincide with; without one, on the smallest
    regular grid that holds the stored planes (empty ones were left out), or on the pixels of
    the picture where the object has no frame of reference.

    Raises
    ------
    InputError
        If this is no binary segmentation, or its planes do not fill the grid.
    """
    if dataset.get("SegmentationType") != "BINARY" or "PixelData" not in dataset:
        raise InputError("not a binary segmentation")
    segments = {int(item.SegmentNumber): _segment(item) for item in dataset.SegmentSequence}
    frames = _frames(dataset)
    groups = dataset.PerFrameFunctionalGroupsSequence
    shared = dataset.SharedFunctionalGroupsSequence[0]
    numbers = [_segment_number(group, shared) for group in groups]
    described = dict(segments.values())
    dtype = np.uint8 if max(described) < 256 else np.uint16
    labels = np.array([segments[number][0] for number in numbers], dtype)
    if "FrameOfReferenceUID" not in dataset:
        flat = np.zeros((int(dataset.Rows), int(dataset.Columns)), dtype)
        for (first, bits), label in zip(frames, labels, strict=True):
            np.copyto(flat.reshape(-1)[first : first + len(bits)], label, where=bits)
        return LabelMap(flat, described)
    positions = np.array(
        [group.PlanePositionSequence[0].ImagePositionPatient for group in groups]
    )
    stored = _stored_grid(dataset, positions.astype(float))
    if grid is not None and prod(stored.shape) > max(_TIMES * prod(grid.shape), _ROOM):
        raise InputError("the segmentation does not lie on the voxels of the grid")
    array = np.zeros(stored.shape, dtype)
    where = np.round(stored.to_index(positions.astype(float))[:, 0]).astype(int)
    for (first, bits), label, k in zip(frames, labels, where, strict=True):
        np.copyto(array[k].reshape(-1)[first : first + len(bits)], label, where=bits)
    labels_stored = LabelMap(array, described, stored)
    return labels_stored if grid is None else _onto(labels_stored, grid)


def segments_in(dataset: Dataset) -> Mapping[int, Segment]:
    """Return what the labels of a segmentation stand for, by label."""
    return dict(_segment(item) for item in dataset.get("SegmentSequence") or [])


def _segment(item: Dataset) -> tuple[int, Segment]:
    site = item.get("AnatomicRegionSequence")
    color = item.get("RecommendedDisplayCIELabValue")
    segment = Segment(
        str(item.SegmentLabel),
        _code(item.SegmentedPropertyCategoryCodeSequence[0]),
        _code(item.SegmentedPropertyTypeCodeSequence[0]),
        to_srgb(color) if color else (128, 128, 128),
        _code(site[0]) if site else None,
    )
    return segment_value(item), segment


def _segment_number(group: Dataset, shared: Dataset) -> int:
    for item in (group, shared):
        if item.get("SegmentIdentificationSequence"):
            return int(item.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
    raise InputError("a frame of the segmentation belongs to no segment")


def _frames(dataset: Dataset) -> Iterator[tuple[int, Bool[ndarray, " n"]]]:
    """Unpack each frame (PS3.5 8.1.1): its first pixel that may be set, and those from there.

    A structure fills few rows of a frame; the bytes before and after are not unpacked.
    """
    count = int(dataset.get("NumberOfFrames", 1))
    size = int(dataset.Rows) * int(dataset.Columns)
    data = np.frombuffer(dataset.PixelData, np.uint8)
    if data.size * 8 < count * size:
        raise InputError(f"the segmentation holds {data.size * 8} of {count * size} pixels")
    return (_frame(data, n * size, size) for n in range(count))


def _frame(
    data: UInt8[ndarray, " b"], begin: int, size: int
) -> tuple[int, Bool[ndarray, " n"]]:
    low, high = begin // 8, -(-(begin + size) // 8)
    filled = np.flatnonzero(data[low:high])
    if not len(filled):
        return 0, np.zeros(0, np.bool_)
    low, high = low + int(filled[0]), low + int(filled[-1]) + 1
    bits = np.unpackbits(data[low:high], bitorder="little").view(np.bool_)
    first = low * 8 - begin  # the first and last byte may belong to neighbors, too
    cut = max(-first, 0)
    return first + cut, bits[cut : size - first]


def _stored_grid(dataset: Dataset, positions: ndarray) -> Grid:
    """Span the stored planes: k along the plane normal, in steps of the slice spacing."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    measures = shared.PixelMeasuresSequence[0]
    orientation = np.array(
        shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float
    )
    row, column = orientation[:3], orientation[3:]
    along = positions @ np.cross(row, column)
    first, last = positions[np.argmin(along)], positions[np.argmax(along)]
    step_mm = float(measures.get("SpacingBetweenSlices", measures.get("SliceThickness", 1)))
    count = round((along.max() - along.min()) / step_mm) + 1
    step = (last - first) / (count - 1) if count > 1 else np.cross(row, column) * step_mm
    row_mm, column_mm = (float(v) for v in measures.PixelSpacing)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = step, column * row_mm, row * column_mm
    affine[:3, 3] = first
    shape = (count, int(dataset.Rows), int(dataset.Columns))
    return Grid(shape, affine, str(dataset.FrameOfReferenceUID))


def _onto(labels: LabelMap, grid: Grid) -> LabelMap:
    """Copy labels to a grid of the same voxels, its axes in any order and direction."""
    assert labels.grid is not None, "labels read from a space have a grid"  # noqa: S101
    array = np.zeros(grid.shape, labels.array.dtype)
    found = _filled(labels.array)
    if found is None:
        return LabelMap(array, labels.segments, grid)
    low, high = found
    corners = np.array(list(product(*zip(low, high, strict=True))), float)
    exact = grid.to_index(labels.grid.to_world(corners))
    index = np.round(exact).astype(int)
    turn = np.linalg.solve(grid.affine[:3, :3], labels.grid.affine[:3, :3])
    order, is_whole = np.abs(turn).argmax(axis=1), np.sort(np.abs(turn), axis=1).round(1)
    apart = np.abs(exact - index).max()
    is_turned = len(set(order)) == 3 and bool((is_whole == (0, 0, 1)).all())
    if apart > 0.1 or not is_turned or not _inside(index, grid.shape):
        raise InputError("the segmentation does not lie on the voxels of the grid")
    box = labels.array[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))]
    back = tuple(axis for axis in range(3) if turn[axis, order[axis]] < 0)
    first, last = index.min(axis=0), index.max(axis=0)
    place = tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))
    array[place] = np.flip(box.transpose(order), back)
    return LabelMap(array, labels.segments, grid)


def _filled(array: Integer[ndarray, "k j i"]) -> tuple[list[int], list[int]] | None:
    """First and last voxel along each axis that is labeled; None where none is."""
    flat = np.asarray(array.any(axis=0))
    lines = [
        np.flatnonzero(line)
        for line in (array.any(axis=(1, 2)), flat.any(axis=1), flat.any(axis=0))
    ]
    if not len(lines[0]):
        return None
    return [int(line[0]) for line in lines], [int(line[-1]) for line in lines]


def _inside(index: ndarray, shape: tuple[int, int, int]) -> bool:
    return bool((index >= 0).all() and (index < np.array(shape)).all())
