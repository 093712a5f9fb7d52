"""How far two labelings of the same voxels agree, and the volumes they claim."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer
from numpy import ndarray


@dataclass(frozen=True, slots=True)
class Overlap:
    """Voxels of one label in truth, in prediction and in both; the rest follows from these.

    Where neither truth nor prediction has the label, shares are NaN: such a case says nothing
    and belongs in no mean. Where only one has it, Dice and Jaccard are 0: a false alarm counts
    (so does nnU-Net; MONAI's `ignore_empty` leaves every case without truth out).
    """

    label: int
    truth_voxels: int
    predicted_voxels: int
    common_voxels: int
    voxel_mm3: float  # mm2 in a picture

    @property
    def dice(self) -> float:
        """Twice the common part over the sum of both (Dice 1945)."""
        return _share(2 * self.common_voxels, self.truth_voxels + self.predicted_voxels)

    @property
    def jaccard(self) -> float:
        """Common part over the union (Jaccard 1912): Dice / (2 - Dice)."""
        union = self.truth_voxels + self.predicted_voxels - self.common_voxels
        return _share(self.common_voxels, union)

    @property
    def sensitivity(self) -> float:
        """Share of the truth that was found; NaN without truth."""
        return _share(self.common_voxels, self.truth_voxels)

    @property
    def precision(self) -> float:
        """Share of what was found that is true; NaN if nothing was found."""
        return _share(self.common_voxels, self.predicted_voxels)

    @property
    def truth_mm3(self) -> float:
        """Volume of the truth, by counting voxels."""
        return self.truth_voxels * self.voxel_mm3

    @property
    def predicted_mm3(self) -> float:
        """Volume of the prediction, by counting voxels."""
        return self.predicted_voxels * self.voxel_mm3

    @property
    def difference_mm3(self) -> float:
        """Predicted less true volume: above 0 where too much was predicted."""
        return (self.predicted_voxels - self.truth_voxels) * self.voxel_mm3

    @property
    def difference_share(self) -> float:
        """Predicted less true volume, as a share of the truth; NaN without truth."""
        return _share(self.predicted_voxels - self.truth_voxels, self.truth_voxels)


def overlaps(
    truth: Integer[ndarray, "*n"],
    predicted: Integer[ndarray, "*n"],
    *,
    labels: Sequence[int],
    spacing_mm: Sequence[float],
) -> tuple[Overlap, ...]:
    """Compare two label maps, label by label; `spacing_mm` is in the order of the axes.

    Raises
    ------
    ValueError
        If the shapes differ, or there is not one positive spacing for each axis.
    """
    require_same_grid(truth, predicted, spacing_mm)
    voxel_mm3 = math.prod(spacing_mm)
    found = []
    for label in labels:
        ours, theirs = truth == label, predicted == label
        found.append(
            Overlap(
                label,
                truth_voxels=int(np.count_nonzero(ours)),
                predicted_voxels=int(np.count_nonzero(theirs)),
                common_voxels=int(np.count_nonzero(ours & theirs)),
                voxel_mm3=voxel_mm3,
            )
        )
    return tuple(found)


def require_same_grid(truth: ndarray, predicted: ndarray, spacing_mm: Sequence[float]) -> None:
    """Refuse arrays that cannot be compared voxel by voxel.

    Raises
    ------
    ValueError
        If the shapes differ, or there is not one positive spacing for each axis.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"truth has shape {truth.shape}, prediction {predicted.shape}")
    right = len(spacing_mm) == truth.ndim and all(0 < s < math.inf for s in spacing_mm)
    if not right:
        raise ValueError(f"spacing {tuple(spacing_mm)} mm does not fit {truth.ndim} axes")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
