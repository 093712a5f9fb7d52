"""Key images of organs at risk: three planes through each region, all outlines in them."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray
from scipy import ndimage

from medloop.clinical.radiotherapy.codes import ORGANS
from medloop.clinical.report.planes import AXES, Rgb, View, annotate, draw_labels, gray_plane
from medloop.core.finding import Result
from medloop.core.image import Volume
from medloop.core.study import Case
from medloop.imaging.orientation import turn_of, upright_grid

PANEL_PX: Final = (225, 300)  # rows, columns
_MARGIN_MM: Final = 15.0
_SOFT, _BONE = (-160.0, 240.0), (-200.0, 1200.0)  # HU that are black and white
# Rows of the picture: what each shows, and how.
REGIONS: Final[Mapping[str, tuple[tuple[str, ...], tuple[float, float]]]] = {
    "stem": (("brainstem", "spinal_cord"), _SOFT),
    "parotids": (("right_parotid", "left_parotid"), _SOFT),
    "jaw": (("mandible",), _BONE),
    "throat": (("larynx", "oesophagus"), _SOFT),
}


def head_neck_pictures(case: Case, result: Result) -> Mapping[str, Rgb]:
    """Draw ``overlay``: a row a region, numbered, of its axial, coronal and sagittal plane.

    Each plane lies where the organs of the region cover most of it.
    """
    volume, labels = case.images[0], result.labels
    if not isinstance(volume, Volume) or labels is None or not labels.array.any():
        return {}
    turn = turn_of(volume.grid)
    spacing_mm = upright_grid(volume.grid, turn).spacing_mm
    image, marked = turn.upright(volume.array), turn.upright(labels.array)
    colors = {label: segment.color for label, segment in labels.segments.items()}
    boxes = ndimage.find_objects(marked, max_label=max(colors))
    rows = []
    for number, (names, window) in enumerate(REGIONS.values(), start=1):
        wanted = [ORGANS[name].label for name in names if ORGANS[name].label in colors]
        box = _joined([boxes[label - 1] for label in wanted if boxes[label - 1] is not None])
        if box is None:
            continue
        panels: list[Rgb] = []
        for view in _views(np.isin(marked[box], wanted), box, spacing_mm):
            panel = gray_plane(image, spacing_mm, view, window)
            draw_labels(panel, marked, spacing_mm, view, colors)
            annotate(panel, view, name=str(number) if not panels else "")
            panels.append(panel)
        rows.append(np.concatenate(panels, axis=1))
    return {"overlay": np.concatenate(rows)} if rows else {}


def _joined(boxes: list[tuple[slice, ...]]) -> tuple[slice, ...] | None:
    """Return the box around all boxes."""
    if not boxes:
        return None
    return tuple(
        slice(min(b.start for b in along), max(b.stop for b in along))
        for along in zip(*boxes, strict=True)
    )


def _views(
    inside: Shaped[ndarray, "z y x"],
    box: tuple[slice, ...],
    spacing_mm: tuple[float, float, float],
) -> list[View]:
    """Look at a region where it is fullest, all planes at one scale that shows it whole."""
    extent = [
        n * step + 2 * _MARGIN_MM for n, step in zip(inside.shape, spacing_mm, strict=True)
    ]
    mm = max(
        extent[axis] / pixels
        for _, rows, columns in AXES.values()
        for axis, pixels in ((rows, PANEL_PX[0]), (columns, PANEL_PX[1]))
    )
    views = []
    for plane, (axis, *others) in AXES.items():
        center = np.array([(b.start + b.stop - 1) / 2 for b in box])
        covered = np.count_nonzero(inside, axis=tuple(others))
        fullest = np.flatnonzero(covered == covered.max())
        center[axis] = box[axis].start + int(fullest[len(fullest) // 2])
        views.append(View(plane, center, mm, PANEL_PX))
    return views
