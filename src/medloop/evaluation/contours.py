"""Everything that tells two drawings of one organ apart, in one row."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer
from numpy import ndarray

from medloop.evaluation.overlap import Overlap, overlaps
from medloop.evaluation.surface import (
    AddedPath,
    SurfaceFigures,
    added_path_length,
    surface_figures,
)


@dataclass(frozen=True, slots=True)
class ContourFigures:
    """Overlap, surfaces, the contour that would have to be drawn anew, and where both lie.

    `shift_mm` is from the truth's center of mass to the prediction's, along the axes of the
    arrays; NaN where one is empty.
    """

    overlap: Overlap
    surface: SurfaceFigures
    added_path: AddedPath
    shift_mm: tuple[float, float, float]

    @property
    def apart_mm(self) -> float:
        """Distance between the centers of mass."""
        return math.hypot(*self.shift_mm)


def contour_figures(
    truth: Bool[ndarray, "k j i"],
    predicted: Bool[ndarray, "k j i"],
    *,
    spacing_mm: Sequence[float],
    tolerances_mm: Sequence[float] = (1.0, 2.0, 3.0),
    path_tolerance_mm: float = 0.0,
) -> ContourFigures:
    """Compare two drawings; slices lie along the first axis.

    Raises
    ------
    ValueError
        If the shapes differ, or there is not one positive spacing for each axis.
    """
    (overlap,) = overlaps(
        truth.astype(np.uint8), predicted.astype(np.uint8), labels=(1,), spacing_mm=spacing_mm
    )
    return ContourFigures(
        overlap,
        surface_figures(truth, predicted, spacing_mm=spacing_mm, tolerances_mm=tolerances_mm),
        added_path_length(
            truth, predicted, spacing_mm=spacing_mm, tolerance_mm=path_tolerance_mm
        ),
        _shift(truth, predicted, spacing_mm),
    )


def contour_figures_by_label(
    truth: Integer[ndarray, "k j i"],
    predicted: Integer[ndarray, "k j i"],
    *,
    labels: Sequence[int],
    spacing_mm: Sequence[float],
    tolerances_mm: Sequence[float] = (1.0, 2.0, 3.0),
    path_tolerance_mm: float = 0.0,
) -> Mapping[int, ContourFigures]:
    """Compare each label of two label maps.

    Raises
    ------
    ValueError
        As `contour_figures` does.
    """
    return {
        label: contour_figures(
            truth == label,
            predicted == label,
            spacing_mm=spacing_mm,
            tolerances_mm=tolerances_mm,
            path_tolerance_mm=path_tolerance_mm,
        )
        for label in labels
    }


def _shift(
    truth: Bool[ndarray, "k j i"],
    predicted: Bool[ndarray, "k j i"],
    spacing_mm: Sequence[float],
) -> tuple[float, float, float]:
    k, j, i = ((_center(predicted) - _center(truth)) * np.array(spacing_mm)).tolist()
    return k, j, i


def _center(mask: Bool[ndarray, "k j i"]) -> Float[ndarray, "3"]:
    total = int(np.count_nonzero(mask))
    if total == 0:
        return np.full(3, np.nan)
    sums = [mask.sum(axis=tuple(m for m in range(3) if m != n)) for n in range(3)]
    return np.array([float(s @ np.arange(len(s))) / total for s in sums])
