"""What a reader drew is measured again; what rested on a network's probabilities is dropped."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Integer
from numpy import ndarray

from medloop.clinical.lung import codes as lung
from medloop.clinical.lung.nodule import Axes
from medloop.clinical.retina.redrawn import redrawn_lesions, rejected_lesions, without_quadrants
from medloop.core.code import Code
from medloop.core.finding import Finding, Measurement, Result
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap
from medloop.imaging.mask_size import mask_size
from medloop.imaging.orientation import turn_of, upright_grid

VOLUME: Final = Code("SCT", "118565006", "Volume")
_PER_MM3: Final[Mapping[str, float]] = {"mm3": 1.0, "cm3": 1e-3, "ml": 1e-3, "mL": 1e-3}
# Of a nodule, what is not of its outline alone and stays true when that changes a little.
_KEPT: Final = frozenset(
    {
        lung.LOBE_SURE,
        lung.PRIOR_LONG,
        lung.PRIOR_SHORT,
        lung.PRIOR_MEAN,
        lung.PRIOR_VOLUME,
        lung.PRIOR_DAYS,
        lung.FIRST_MEAN,
        lung.FIRST_DAYS,
    }
)


def drawn_labels(now: LabelMap, before: LabelMap | None) -> frozenset[int]:
    """Return the labels whose voxels differ between two label maps."""
    if before is None or before.array.shape != now.array.shape:
        return frozenset(int(n) for n in np.unique(now.array) if n)
    differ = now.array != before.array
    touched = {*np.unique(now.array[differ]), *np.unique(before.array[differ])}
    return frozenset(int(n) for n in touched if n)


def without_rejected(
    result: Result, now: LabelMap, before: LabelMap, rejected: Iterable[Finding]
) -> LabelMap:
    """Leave lesions of photographs out that the analysis drew and the reader rejected.

    Many of them share a label, so that drawing one more leaves the rejected ones in it.
    """
    if result.provenance.analysis != "retina" or before.array.shape != now.array.shape:
        return now
    return without_quadrants(result, now, rejected_lesions(rejected), before=before)


def remeasured(result: Result, drawn: Collection[int]) -> Result:
    """Measure findings again whose labels are among the `drawn`.

    Of volumes: volume and center, of nodules their axes too; of photographs: lesions are
    counted anew. A finding whose label has no voxel left keeps no measurement.
    """
    labels = result.labels
    if labels is None or not drawn:
        return result
    if labels.grid is None:
        return redrawn_lesions(result, labels, drawn)
    findings = tuple(
        _in_volume(each, labels.array, labels.grid, result.provenance.analysis)
        if each.segment in drawn
        else each
        for each in result.findings
    )
    return replace(result, findings=findings)


def _in_volume(
    finding: Finding, labels: Integer[ndarray, "k j i"], grid: Grid, analysis: str
) -> Finding:
    mask, start = _cut(labels, finding.segment or 0)
    if not mask.any():
        return replace(finding, measurements=(), probability=None)
    center = grid.to_world(np.argwhere(mask).mean(axis=0) + start)
    place = (float(center[0]), float(center[1]), float(center[2]))
    measures = {"lung": _nodule, "head_neck": _organ}.get(analysis, _volume)
    return replace(
        finding,
        measurements=measures(finding, mask, grid),
        probability=None,
        center_lps_mm=place,
        box=None,
    )


def _cut(
    labels: Integer[ndarray, "k j i"], label: int
) -> tuple[Bool[ndarray, "k j i"], tuple[int, int, int]]:
    """Cut out where a label lies, and say where that begins."""
    part, start = labels == label, [0, 0, 0]
    for axis in range(3):  # slices first, so that little is left to look through
        others = tuple(n for n in range(3) if n != axis)
        inside = np.flatnonzero(part.any(axis=others))
        if not len(inside):
            return np.zeros((1, 1, 1), bool), (0, 0, 0)
        start[axis] = int(inside[0])
        part = part.take(range(int(inside[0]), int(inside[-1]) + 1), axis=axis)
    return part, (start[0], start[1], start[2])


def _volume(
    finding: Finding, mask: Bool[ndarray, "k j i"], grid: Grid
) -> tuple[Measurement, ...]:
    return _volume_in("mm3", finding, mask, grid)


def _organ(
    finding: Finding, mask: Bool[ndarray, "k j i"], grid: Grid
) -> tuple[Measurement, ...]:
    return _volume_in("cm3", finding, mask, grid)


def _volume_in(
    usual: str, finding: Finding, mask: Bool[ndarray, "k j i"], grid: Grid
) -> tuple[Measurement, ...]:
    unit = next((m.unit for m in finding.measurements if m.concept == VOLUME), usual)
    value = float(mask.sum()) * grid.voxel_mm3 * _PER_MM3.get(unit, 1.0)
    return (Measurement(VOLUME, round(value, 3), unit),)


def _nodule(
    finding: Finding, mask: Bool[ndarray, "k j i"], grid: Grid
) -> tuple[Measurement, ...]:
    turn = turn_of(grid)
    spacing = upright_grid(grid, turn).spacing_mm
    size = mask_size(turn.upright(mask), spacing)
    if size is None:
        return ()
    long_mm = round(size.long_mm, 1)
    short_mm = min(round(size.short_mm, 1), long_mm)
    values = (
        (lung.LONG_AXIS, long_mm, "mm"),
        (lung.SHORT_AXIS, short_mm, "mm"),
        (lung.MEAN_DIAMETER, Axes(long_mm, short_mm).mean_mm, "mm"),
        (lung.LARGEST_DIAMETER, round(size.greatest_mm, 1), "mm"),
        (lung.VOLUME, round(size.volume_mm3, 1), "mm3"),
    )
    kept = tuple(each for each in finding.measurements if each.concept in _KEPT)
    return (*(Measurement(concept, value, unit) for concept, value, unit in values), *kept)
