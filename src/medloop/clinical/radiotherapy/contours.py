"""Contours of organs whose labels a reader has looked at."""

import numpy as np
from scipy import ndimage

from medloop.clinical.radiotherapy.codes import ORGANS
from medloop.core.image import LabelMap
from medloop.core.structure import RoiKind, Structure
from medloop.imaging.contours import contours_of, without_fragments
from medloop.imaging.orientation import turn_of


def structures_of_labels(labels: LabelMap) -> tuple[Structure, ...]:
    """Draw the contours of each organ that has a voxel, around its voxels' centers.

    None where slices are not axial, as in the analysis.
    """
    grid = labels.grid
    if grid is None or turn_of(grid).axes[0] != 0:
        return ()
    boxes = ndimage.find_objects(labels.array)
    structures = []
    for organ in ORGANS.values():
        box = boxes[organ.label - 1] if organ.label <= len(boxes) else None
        if box is None:
            continue
        start = (box[0].start, box[1].start, box[2].start)
        field = (labels.array[box] == organ.label).astype(np.float32)
        contours, _ = without_fragments(contours_of(field, grid, offset=start))
        structures.append(
            Structure(
                number=organ.label,
                name=organ.tg263,
                contours=contours,
                color=organ.color,
                kind=RoiKind.ORGAN,
                concept=organ.concept,
                site=organ.side,
            )
        )
    return tuple(structures)
