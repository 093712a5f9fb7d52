"""Connected parts of a probability map: where they are, how large, how sure."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, Int32
from numpy import ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The parts of one map; row n of each array is the part labeled n + 1.

    `center_px` is (x, y), the centroid; `box` is (x0, y0, x1, y1), half open; `mean` and `peak`
    are of the probability inside the part.
    """

    labels: Int32[ndarray, "y x"]
    area_px: Int[ndarray, " n"]
    center_px: Float[ndarray, "n 2"]
    box: Int[ndarray, "n 4"]
    mean: Float[ndarray, " n"]
    peak: Float[ndarray, " n"]


def find_parts(
    probability: Float[ndarray, "y x"], *, threshold: float, min_area_px: int = 1
) -> Parts:
    """Find 8-connected parts where the probability reaches the threshold; drop small ones.

    Raises
    ------
    ValueError
        If the threshold is not above 0: then everything would be one part.
    """
    if not threshold > 0:
        raise ValueError(f"threshold must be above 0, got {threshold}")
    above = (probability >= threshold).astype(np.uint8)
    count, labels, stats, centers = cv2.connectedComponentsWithStats(above, connectivity=8)
    keep = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= min_area_px) + 1
    renumbered = np.zeros(count, np.int32)
    renumbered[keep] = np.arange(1, len(keep) + 1)
    labels = renumbered[labels]
    inside = labels > 0
    owner, values = labels[inside] - 1, probability[inside].astype(np.float64)
    area = stats[keep, cv2.CC_STAT_AREA]
    peak = np.zeros(len(keep))
    np.maximum.at(peak, owner, values)
    x0, y0 = stats[keep, cv2.CC_STAT_LEFT], stats[keep, cv2.CC_STAT_TOP]
    x1 = x0 + stats[keep, cv2.CC_STAT_WIDTH]
    y1 = y0 + stats[keep, cv2.CC_STAT_HEIGHT]
    return Parts(
        labels=labels,
        area_px=area.astype(np.int64),
        center_px=centers[keep].astype(np.float64),
        box=np.stack([x0, y0, x1, y1], axis=1).astype(np.int64),
        mean=np.bincount(owner, values, minlength=len(keep)) / np.maximum(area, 1),
        peak=peak,
    )
