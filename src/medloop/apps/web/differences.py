"""Where two label maps differ, drawn over the image: one's alone, the other's alone, both."""

import io
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from jaxtyping import Integer, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw

from medloop.core.finding import Finding
from medloop.imaging.viewing import to_viewing, viewing_grid
from medloop.store import Store
from medloop.workflow.apart import label_array
from medloop.workflow.lightbox import Shown
from medloop.workflow.scene import Looked, first_window

# Okabe & Ito 2008: told apart by people who see few colors. Index: 1 first alone, 2 second
# alone, 3 both and alike, 4 both, but as different segments.
COLORS: Final = ((0, 0, 0), (86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167))
_ALPHA: Final = (0.0, 0.5, 0.5, 0.3, 0.6)
_WIDTH: Final = 900  # pixels of a picture at most; small slices are enlarged
_KEPT: Final = 4  # label maps in memory
_RING_MM: Final = 6.0

Codes = UInt8[ndarray, "z y x"]


@dataclass(frozen=True, slots=True)
class Ring:
    """A finding that is drawn: what is written beside it, its place [x, y, z], its color."""

    name: str
    place: tuple[float, float, float]
    color: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Maps:
    """Label maps in memory, those used last; each is read once."""

    store: Store
    _held: OrderedDict[tuple[int, str | None], Codes] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, looked: Looked, shown: Shown, mask: str | None) -> Integer[ndarray, "z y x"]:
        """Return a label map as it is looked at; of a photograph with one plane."""
        key = (looked.job.id, mask)
        with self._lock:
            held = self._held.get(key)
            if held is None:
                held = _seen(label_array(self.store, looked, shown, mask), shown)
                self._held[key] = held
                while len(self._held) > _KEPT:
                    self._held.popitem(last=False)
            self._held.move_to_end(key)
            return held


def codes(
    one: Integer[ndarray, "*shape"], other: Integer[ndarray, "*shape"]
) -> UInt8[ndarray, "*shape"]:
    """Say of each voxel who labeled it: an index of `COLORS`."""
    found = np.zeros(one.shape, np.uint8)
    found[(one > 0) & (other == 0)] = 1
    found[(one == 0) & (other > 0)] = 2
    both = (one > 0) & (other > 0)
    found[both & (one == other)] = 3
    found[both & (one != other)] = 4
    return found


def apart_by_slice(
    one: Integer[ndarray, "z y x"], other: Integer[ndarray, "z y x"]
) -> list[int]:
    """Count the voxels of each slice that differ."""
    return [int(np.count_nonzero(a != b)) for a, b in zip(one, other, strict=True)]


def _sides(pen: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    """Write the patient's sides where they are seen."""
    middle = size[1] // 2 - 6
    for letter, left in (("R", 4), ("L", size[0] - 12)):
        pen.text((left, middle), letter, fill="white", stroke_width=1, stroke_fill="black")


def draw(
    looked: Looked,
    shown: Shown,
    z: int,
    labels: tuple[Integer[ndarray, "z y x"], Integer[ndarray, "z y x"]],
    rings: Sequence[Ring] = (),
) -> bytes:
    """Draw one slice, front up and the patient's right at left, or a photograph, as PNG."""
    ground = _ground(looked, shown, z)
    layer = codes(labels[0][z], labels[1][z])
    if shown.grid is not None:
        layer = layer[::-1, ::-1]
    alpha = np.take(np.array(_ALPHA, np.float32), layer)[..., None]
    color = np.take(np.array(COLORS, np.float32), layer, axis=0)
    mixed = (ground * (1 - alpha) + color * alpha).astype(np.uint8)
    picture = Image.fromarray(mixed)
    size, scale = _size(shown, picture.size)
    picture = picture.resize(size, Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(picture)
    for ring in rings:
        _ring(pen, ring, shown, z, scale)
    if shown.grid is not None:
        _sides(pen, size)
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=3)
    return target.getvalue()


def rings_of(
    findings: Mapping[str, Sequence[tuple[str, Finding]]], shown: Shown
) -> tuple[Ring, ...]:
    """Place findings, by reader, in the reader's color; without a place they are left out."""
    found = []
    for n, named in enumerate(findings.values(), start=1):
        for name, finding in named:
            place = _place(finding, shown)
            if place is not None:
                found.append(Ring(name, place, COLORS[min(n, len(COLORS) - 1)]))
    return tuple(found)


def _seen(array: Integer[ndarray, "*shape"], shown: Shown) -> Integer[ndarray, "z y x"]:
    if shown.grid is None:
        return array[None]
    return np.ascontiguousarray(to_viewing(array, shown.grid))


def _ground(looked: Looked, shown: Shown, z: int) -> ndarray:
    if shown.grid is None:
        with Image.open(shown.file) as image:
            return np.asarray(image.convert("RGB"), np.float32)
    plane = shown.stored[z][::-1, ::-1] * np.float32(shown.slope) + np.float32(shown.intercept)
    center, width = first_window(looked, shown) or (0.0, 1.0)
    gray = np.clip((plane - (center - width / 2)) * (255 / width), 0, 255)
    return np.repeat(gray[..., None], 3, axis=2).astype(np.float32)


def _size(shown: Shown, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[float, float]]:
    """Return the size in pixels, and how many of them each voxel takes along x and y."""
    row_mm, column_mm = (1.0, 1.0)
    if shown.grid is not None:
        row_mm, column_mm = viewing_grid(shown.grid).spacing_mm[1:]
    scale = min(_WIDTH / (size[0] * column_mm), _WIDTH / (size[1] * row_mm))
    across, down = scale * column_mm, scale * row_mm
    return (max(round(size[0] * across), 1), max(round(size[1] * down), 1)), (across, down)


def _ring(
    pen: ImageDraw.ImageDraw, ring: Ring, shown: Shown, z: int, scale: tuple[float, float]
) -> None:
    x, y, depth = ring.place
    column_mm = 1.0
    if shown.grid is not None:
        grid = viewing_grid(shown.grid)
        column_mm = grid.spacing_mm[2]
        if abs(depth - z) * grid.spacing_mm[0] > _RING_MM:
            return
        x, y = grid.shape[2] - 1 - x, grid.shape[1] - 1 - y
    radius = _RING_MM / column_mm * scale[0] if shown.grid is not None else 14.0
    center = ((x + 0.5) * scale[0], (y + 0.5) * scale[1])
    radius = max(radius, 8.0)
    box = (center[0] - radius, center[1] - radius, center[0] + radius, center[1] + radius)
    pen.ellipse(box, outline=ring.color, width=2)
    pen.text((center[0] + radius + 3, center[1] - 7), ring.name, fill=ring.color, font_size=14)


def _place(finding: Finding, shown: Shown) -> tuple[float, float, float] | None:
    if shown.grid is None:
        if finding.center_px is not None:
            return (*finding.center_px, 0.0)
        if finding.box is not None and len(finding.box.low) == 2:
            (x0, y0), (x1, y1) = finding.box.low[:2], finding.box.high[:2]
            return (x0 + x1) / 2, (y0 + y1) / 2, 0.0
        return None
    if finding.center_lps_mm is None:
        return None
    z, y, x = viewing_grid(shown.grid).to_index(np.array(finding.center_lps_mm))
    return float(x), float(y), float(z)
