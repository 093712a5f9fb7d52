"""How slices lie: apart into volumes, in order, on a grid or not (PS3.3 C.7.6.2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from medloop.core.errors import GeometryError
from medloop.core.study import Notice
from medloop.dicom.header import Pose

SAME_PLACE_MM: Final = 0.01
GAP_TOLERANCE: Final = 0.02  # of the usual gap
MAX_PLANE_TILT: Final = float(np.cos(np.radians(30)))
MAX_TILT_DEG: Final = 0.2  # beyond it, slices count as sheared
MAX_MISSING: Final = 0.1  # of all slices
MAX_MISSING_RUN: Final = 2
MAX_GAP_RATIO: Final = 3.0

_PHASE_NAMES: Final = ("temporal position", "acquisition", "echo time", "b value")


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice or frame: `index` is its place in the list it came from."""

    index: int
    pose: Pose
    shape: tuple[int, int]
    phase: tuple[str, ...] = ()
    image_type: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """Slices that belong to one volume; `label` says what sets it apart, if anything does."""

    slices: tuple[Slice, ...]
    label: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Slices in order along their normal.

    `order` holds indices; `duplicates` are pairs (kept, dropped)
    in one place, which must be equal.
    `steps_mm` are the LPS steps from row to row and column to column. Where `is_regular`, the
    slices are a grid with `affine`; otherwise they must be resampled from `origins_mm`.
    """

    order: tuple[int, ...]
    duplicates: tuple[tuple[int, int], ...]
    origins_mm: Float[ndarray, "k 3"]
    steps_mm: Float[ndarray, "2 3"]
    affine: Float[ndarray, "4 4"]
    is_regular: bool
    notices: tuple[Notice, ...]


def separate(slices: Sequence[Slice]) -> tuple[Part, ...]:
    """Split what cannot be one volume, losslessly; the largest part comes first.

    By localizer, matrix, orientation and pixel spacing; and by phase (temporal position,
    acquisition, echo, b value, image type) where that alone makes the places unique or regular.
    """
    parts = [Part(tuple(slices))]
    for name, key in _CRITERIA:
        parts = [piece for part in parts for piece in _split(part, name, key)]
    parts = [piece for part in parts for piece in _phases(part)]
    return tuple(sorted(parts, key=lambda part: -len(part.slices)))


def arrange(slices: Sequence[Slice]) -> Layout:
    """Sort slices of one part along their normal and say how regular they are.

    Raises
    ------
    GeometryError
        If positions are missing or too many slices are.
    """
    _check_complete(slices)
    normal, steps = _axes(slices[0].pose)
    origins = np.array([piece.pose.position for piece in slices], dtype=float)
    depth = origins @ normal
    ranks = np.argsort(depth, kind="stable")
    kept, duplicates = _unique(ranks, origins)
    layout_origins = origins[kept]
    notices: list[Notice] = []
    if len(kept) == 1:
        gap = slices[0].pose.thickness
        if gap is None:
            text = "The only slice states no thickness; 1 mm was assumed."
            notices.append(Notice("no-thickness", text))
        affine = _affine(layout_origins[0], normal * (gap or 1.0), steps)
        regular = True
    else:
        sheared = _shear(layout_origins, normal, notices)
        uneven = _gaps(np.diff(depth[kept]), notices)
        step = (layout_origins[-1] - layout_origins[0]) / (len(kept) - 1)
        affine = _affine(layout_origins[0], step, steps)
        regular = not sheared and not uneven
    order = tuple(slices[n].index for n in kept)
    pairs = tuple((slices[a].index, slices[b].index) for a, b in duplicates)
    return Layout(order, pairs, layout_origins, steps, affine, regular, tuple(notices))


def usual_gap_mm(slices: Sequence[Slice]) -> float | None:
    """Median distance between neighbors, or the stated thickness of a single slice."""
    placed = [piece.pose for piece in slices if _is_complete(piece.pose)]
    if len(placed) < 2:
        return placed[0].thickness if placed else None
    normal, _ = _axes(placed[0])
    depth = np.unique(np.round([np.dot(pose.position or 0, normal) for pose in placed], 3))
    return float(np.median(np.diff(depth))) if len(depth) > 1 else placed[0].thickness


def orientation_name(orientation: tuple[float, ...]) -> str:
    """Name the plane of a slice, "oblique" where it is tilted by more than 30 degrees."""
    row, column = np.array(orientation, dtype=float).reshape(2, 3)
    normal = np.abs(np.cross(row, column))
    length = float(np.linalg.norm(normal))
    if length < 0.5 or normal.max() < MAX_PLANE_TILT * length:
        return "oblique"
    return ("sagittal", "coronal", "axial")[int(normal.argmax())]


def _is_complete(pose: Pose) -> bool:
    return None not in (pose.position, pose.orientation, pose.spacing)


def _check_complete(slices: Sequence[Slice]) -> None:
    count = len(slices)
    for name, keyword in (
        ("position", "ImagePositionPatient"),
        ("orientation", "ImageOrientationPatient"),
        ("spacing", "PixelSpacing"),
    ):
        missing = sum(getattr(piece.pose, name) is None for piece in slices)
        if missing:
            raise GeometryError(f"{missing} of {count} slices lack a usable {keyword}")
    row, column = np.array(slices[0].pose.orientation).reshape(2, 3)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if not np.allclose(lengths, 1, atol=1e-2) or abs(float(row @ column)) > 1e-2:
        raise GeometryError("ImageOrientationPatient is not two perpendicular unit vectors")
    spacing = slices[0].pose.spacing or ()
    if min(spacing) <= 0 or max(spacing) > 1000:
        raise GeometryError(f"PixelSpacing is {spacing} mm, not positive")


def _axes(pose: Pose) -> tuple[Float[ndarray, "3"], Float[ndarray, "2 3"]]:
    """Compute the normal, pointing along LPS, and the steps between rows and columns."""
    along_row, along_column = np.array(pose.orientation, dtype=float).reshape(2, 3)
    normal = np.cross(along_row, along_column)
    if normal[np.abs(normal).argmax()] < 0:  # z never falls with k, however rows run
        normal = -normal
    length = np.linalg.norm(normal)
    between_rows, between_columns = pose.spacing or (1.0, 1.0)
    steps = np.stack([along_column * between_rows, along_row * between_columns])
    return normal / length if length > 0 else normal, steps


def _affine(
    origin: Float[ndarray, "3"], step: Float[ndarray, "3"], steps: Float[ndarray, "2 3"]
) -> Float[ndarray, "4 4"]:
    affine = np.eye(4)
    affine[:3, :3] = np.stack([step, steps[0], steps[1]], axis=1)
    affine[:3, 3] = origin
    return affine


def _unique(
    ranks: ndarray, origins: Float[ndarray, "n 3"]
) -> tuple[list[int], list[tuple[int, int]]]:
    kept = [int(ranks[0])]
    duplicates = []
    for rank in ranks[1:]:
        if np.abs(origins[rank] - origins[kept[-1]]).max() < SAME_PLACE_MM:
            duplicates.append((kept[-1], int(rank)))
        else:
            kept.append(int(rank))
    return kept, duplicates


def _shear(
    origins: Float[ndarray, "k 3"], normal: Float[ndarray, "3"], notices: list[Notice]
) -> bool:
    """Whether slices move sideways: gantry tilt if steadily, otherwise a table move."""
    moved = origins - origins[0]
    depth = moved @ normal
    sideways = moved - depth[:, None] * normal
    drift = float(np.linalg.norm(sideways, axis=1).max())
    if depth[-1] < SAME_PLACE_MM:
        raise GeometryError("slices lie beside each other, not behind each other")
    tilt = float(np.degrees(np.arctan2(np.linalg.norm(sideways[-1]), depth[-1])))
    if drift <= float(np.tan(np.radians(MAX_TILT_DEG))) * float(depth[-1]):
        return False
    steady = np.abs(sideways - np.outer(depth / depth[-1], sideways[-1])).max() < 0.5
    if steady:
        text = f"Gantry tilt of {tilt:.1f} degrees; the slices were resampled upright."
        notices.append(Notice("gantry-tilt", text, (("tilt_deg", round(tilt, 2)),)))
    else:
        text = f"Slices are displaced sideways by up to {drift:.1f} mm; they were resampled."
        notices.append(Notice("slices-displaced", text, (("drift_mm", round(drift, 2)),)))
    return True


def _gaps(gaps: Float[ndarray, " n"], notices: list[Notice]) -> bool:
    """Whether slices lie unevenly.

    Raises
    ------
    GeometryError
        If too many are missing, or the gaps differ too much to interpolate over.
    """
    usual = float(np.median(gaps))
    low, high = float(gaps.min()), float(gaps.max())
    if low <= 0:
        raise GeometryError("slices lie beside each other, not behind each other")
    if max(high - usual, usual - low) <= max(GAP_TOLERANCE * usual, SAME_PLACE_MM):
        return False
    multiples = np.rint(gaps / usual)
    if multiples.min() >= 1 and np.abs(gaps / usual - multiples).max() <= 0.1:
        missing, run = int(multiples.sum() - len(gaps)), int(multiples.max()) - 1
        whole = len(gaps) + 1 + missing
        if missing > MAX_MISSING * whole or run > MAX_MISSING_RUN:
            raise GeometryError(
                f"{missing} of {whole} slices are missing, {run} in a row; the limit is"
                f" {MAX_MISSING:.0%} and {MAX_MISSING_RUN} in a row"
            )
        if missing:
            text = f"{missing} of {whole} slices are missing; they were interpolated."
            notices.append(
                Notice("slices-missing", text, (("missing", missing), ("slices", whole)))
            )
            return True
    if high > MAX_GAP_RATIO * low:
        raise GeometryError(
            f"slice gaps run from {low:.2f} to {high:.2f} mm; the limit is a factor of"
            f" {MAX_GAP_RATIO:g}"
        )
    text = f"Slice gaps run from {low:.2f} to {high:.2f} mm; resampled at {usual:.2f} mm."
    values = (
        ("low_mm", round(low, 3)),
        ("high_mm", round(high, 3)),
        ("gap_mm", round(usual, 3)),
    )
    notices.append(Notice("irregular-slices", text, values))
    return True


def _is_sound(slices: Sequence[Slice]) -> bool:
    """Whether these slices alone fill a grid, each place once."""
    try:
        layout = arrange(slices)
    except GeometryError:
        return False
    return not layout.duplicates and layout.is_regular


def _split(part: Part, name: str, key: Callable[[Slice], tuple[float, ...]]) -> list[Part]:
    """Group by a key; numbers within one in a thousand are one."""
    groups: list[tuple[tuple[float, ...], list[Slice]]] = []
    for piece in part.slices:
        value = key(piece)
        for known, group in groups:
            if _is_near(known, value):
                group.append(piece)
                break
        else:
            groups.append((value, [piece]))
    if len(groups) == 1:
        return [part]
    return [
        Part(tuple(group), _joined(part.label, f"{name} {number}"))
        for number, (_, group) in enumerate(groups, 1)
    ]


def _is_near(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return len(one) == len(other) and all(
        abs(a - b) <= 1e-3 * max(1.0, abs(a)) for a, b in zip(one, other, strict=True)
    )


def _phases(part: Part) -> list[Part]:
    """Split by the first phase that turns an unsound stack into sound ones."""
    if len(part.slices) < 2 or _is_sound(part.slices):
        return [part]
    for number in range(len(_PHASE_NAMES) + 1):
        groups: dict[tuple[str, ...], list[Slice]] = {}
        for piece in part.slices:
            is_type = number == len(_PHASE_NAMES)
            key = piece.image_type if is_type else piece.phase[number : number + 1]
            groups.setdefault(key, []).append(piece)
        if len(groups) > 1 and all(_is_sound(group) for group in groups.values()):
            name = (*_PHASE_NAMES, "image type")[number]
            return [
                Part(tuple(group), _joined(part.label, _phase_label(name, key)))
                for key, group in groups.items()
            ]
    return [part]


def _phase_label(name: str, key: tuple[str, ...]) -> str:
    return name if name == "b value" else f"{name} {'/'.join(key)}"


def _joined(label: str, more: str) -> str:
    return f"{label}, {more}" if label else more


_CRITERIA: Final[tuple[tuple[str, Callable[[Slice], tuple[float, ...]]], ...]] = (
    ("localizer", lambda piece: (float("LOCALIZER" in piece.image_type),)),
    ("matrix", lambda piece: piece.shape),
    ("orientation", lambda piece: piece.pose.orientation or ()),
    ("pixel spacing", lambda piece: piece.pose.spacing or ()),
)
