"""Labels laid out as planes, each matched by position to the source frame under it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Integer
from numpy import ndarray
from pydicom import Dataset

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap

_TOLERANCE = 0.1  # voxels: how far a grid may lie from the source and still be its own


@dataclass(frozen=True, slots=True)
class Plane:
    """Where one plane is (LPS mm), and the source frame under it.

    `covers` says whether the two have the same pixels; otherwise the source is the nearest.
    """

    position_mm: tuple[float, float, float] | None
    source: Dataset
    frame: int = 1
    covers: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Label planes in the order to write them, with the geometry they share."""

    array: Integer[ndarray, "n row column"]
    planes: tuple[Plane, ...]
    orientation: tuple[float, ...] | None = None  # as in Image Orientation (Patient)
    spacing_mm: tuple[float, float, float] | None = None  # slice, row, column
    frame_of_reference: str | None = None


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """Where one frame of a source lies (LPS mm), as its header says."""

    position: ndarray
    orientation: ndarray  # row direction, column direction
    spacing: ndarray  # between rows, between columns
    plane: Plane


def lay_out(labels: LabelMap, sources: Sequence[Dataset]) -> Planes:
    """Arrange labels as the source's frames, or as the grid's slices if those differ.

    Raises
    ------
    InputError
        If flat labels do not have the picture's size.
    """
    if labels.grid is None:
        source = sources[0]
        size = (int(source.Rows), int(source.Columns))
        if labels.array.shape != size:
            raise InputError(f"labels are {labels.array.shape}, the picture is {size}")
        return Planes(labels.array[None], (Plane(None, source),))
    frames = source_frames(sources)
    if frames:
        matched = _as_source(labels.array, labels.grid, frames)
        if matched is not None:
            return matched
    return _as_grid(labels.array, labels.grid, frames, sources[0])


def _as_source(array: ndarray, grid: Grid, frames: Sequence[SourceFrame]) -> Planes | None:
    first = frames[0]
    row_mm, column_mm = first.orientation[:3], first.orientation[3:]
    normal = np.cross(row_mm, column_mm)
    frames = sorted(frames, key=lambda f: float(f.position @ normal))
    origin, last = frames[0].position, frames[-1].position
    step = (
        (last - origin) / (len(frames) - 1) if len(frames) > 1 else normal * grid.spacing_mm[0]
    )
    # from (slice, row, column) of the source to (k, j, i) of the grid
    axes = np.stack([step, column_mm * first.spacing[0], row_mm * first.spacing[1]], axis=1)
    change = np.linalg.solve(grid.affine[:3, :3], axes)
    turn = np.round(change)
    if not np.array_equal(np.abs(turn) @ np.abs(turn).T, np.eye(3)):
        return None
    order = tuple(int(np.argmax(np.abs(turn[:, axis]))) for axis in range(3))
    shape = tuple(array.shape[axis] for axis in order)
    flipped = [axis for axis in range(3) if turn[order[axis], axis] < 0]
    turned = np.flip(array.transpose(order), tuple(flipped))
    header = first.plane.source
    if shape != (len(frames), header.Rows, header.Columns):
        return None
    corner = np.zeros(3)
    for axis in flipped:
        corner[order[axis]] = shape[axis] - 1
    expected = np.array([f.position for f in frames])
    indices = grid.to_index(expected)
    wanted = corner + np.arange(len(frames))[:, None] * turn[:, 0]
    drift = np.abs(change - turn) @ np.array(shape, float)
    if np.abs(indices - wanted).max() > _TOLERANCE or drift.max() > _TOLERANCE:
        return None
    return Planes(
        turned,
        tuple(f.plane for f in frames),
        orientation=tuple(first.orientation.tolist()),
        spacing_mm=(
            float(np.linalg.norm(step)),
            float(first.spacing[0]),
            float(first.spacing[1]),
        ),
        frame_of_reference=header.get("FrameOfReferenceUID") or grid.frame_of_reference,
    )


def _as_grid(
    array: ndarray, grid: Grid, frames: Sequence[SourceFrame], source: Dataset
) -> Planes:
    units = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    positions = grid.to_world(np.array([(k, 0, 0) for k in range(array.shape[0])], float))
    normal = np.cross(units[:, 2], units[:, 1])
    heights = np.array([f.position @ normal for f in frames])
    planes = []
    for position in positions:
        x, y, z = position.tolist()
        nearest = Plane((x, y, z), source, covers=False)
        if frames:
            below = frames[int(np.argmin(np.abs(heights - position @ normal)))].plane
            nearest = replace(nearest, source=below.source, frame=below.frame)
        planes.append(nearest)
    return Planes(
        array,
        tuple(planes),
        orientation=(*units[:, 2].tolist(), *units[:, 1].tolist()),
        spacing_mm=grid.spacing_mm,
        frame_of_reference=grid.frame_of_reference or source.get("FrameOfReferenceUID"),
    )


def source_frames(sources: Sequence[Dataset]) -> list[SourceFrame]:
    """List every frame of the sources that says where it is; empty if one does not."""
    found = []
    for source in sources:
        for number in range(1, int(source.get("NumberOfFrames", 1)) + 1):
            frame = _source_frame(source, number)
            if frame is None:
                return []
            found.append(frame)
    return found


def _source_frame(source: Dataset, number: int) -> SourceFrame | None:
    position = _of_frame(source, number, "PlanePositionSequence", "ImagePositionPatient")
    orientation = _of_frame(
        source, number, "PlaneOrientationSequence", "ImageOrientationPatient"
    )
    spacing = _of_frame(source, number, "PixelMeasuresSequence", "PixelSpacing")
    if position is None or orientation is None or spacing is None:
        return None
    x, y, z = position.tolist()
    return SourceFrame(position, orientation, spacing, Plane((x, y, z), source, number))


def _of_frame(source: Dataset, number: int, sequence: str, keyword: str) -> ndarray | None:
    """Look an attribute up in the frame's functional groups, the shared ones, or the header."""
    groups: list[Dataset] = [source]
    for name, index in (
        ("SharedFunctionalGroupsSequence", 0),
        ("PerFrameFunctionalGroupsSequence", number - 1),
    ):
        items = source.get(name) or []
        if index < len(items):
            groups[:0] = list(items[index].get(sequence) or [])
    for group in groups:
        if group.get(keyword):
            try:
                values = np.array([float(v) for v in group[keyword].value])
            except (TypeError, ValueError):
                return None
            return values if np.isfinite(values).all() else None
    return None
