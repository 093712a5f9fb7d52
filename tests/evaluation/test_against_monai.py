"""Overlap and surface figures against MONAI's, and where ours are other on purpose."""

import numpy as np
import pytest

from medloop.evaluation.elements import element_sizes
from medloop.evaluation.overlap import overlaps
from medloop.evaluation.surface import (
    hausdorff_distance,
    mean_surface_distance,
    surface_dice,
    surface_distances,
)
from tests.evaluation.masks import ball

torch = pytest.importorskip("torch")
monai = pytest.importorskip("monai.metrics")
pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # MONAI's own calls
    pytest.mark.filterwarnings("ignore:the (ground truth|prediction):UserWarning"),
]

CASES = [
    pytest.param(shape, spacing_mm, kind, id=f"{kind}-{len(shape)}D-{spacing_mm[0]:g}mm")
    for shape, spacings in (
        ((24, 20, 28), [(1.0, 1.0, 1.0), (5.0, 0.7, 0.7)]),
        ((40, 33), [(1.0, 1.0), (2.0, 0.5)]),
    )
    for spacing_mm in spacings
    for kind in ("balls", "noise", "edge", "far")
]


def drawn(shape, kind):
    middle = np.array(shape) / 2
    if kind == "balls":
        return ball(shape, middle, 8, (1,) * len(shape)), ball(
            shape, middle + 1, 7, (1,) * len(shape)
        )
    if kind == "noise":
        return tuple(np.random.default_rng(0).random((2, *shape)) < 0.3)
    if kind == "edge":  # masks cut off by the edge of the image
        return np.indices(shape)[0] < 9, np.indices(shape)[1] < 12
    return ball(shape, (2,) * len(shape), 2, (1,) * len(shape)), ball(
        shape, np.array(shape) - 3, 2, (1,) * len(shape)
    )


def tensors(*masks):
    return [torch.from_numpy(np.ascontiguousarray(mask))[None, None] for mask in masks]


@pytest.mark.parametrize(("shape", "spacing_mm", "kind"), CASES)
def test_dice_is_that_of_monai(shape, spacing_mm, kind):
    truth, given = drawn(shape, kind)
    (ours,) = overlaps(truth.astype(int), given.astype(int), labels=[1], spacing_mm=spacing_mm)
    theirs = monai.compute_dice(*tensors(given, truth), include_background=True)
    assert ours.dice == pytest.approx(float(theirs), rel=1e-6)


@pytest.mark.parametrize(("shape", "spacing_mm", "kind"), CASES)
@pytest.mark.parametrize("percentile", [95, 50])
def test_hausdorff_distance_is_that_of_monai(shape, spacing_mm, kind, percentile):
    truth, given = drawn(shape, kind)
    distances = surface_distances(truth, given, spacing_mm=spacing_mm)
    theirs = monai.compute_hausdorff_distance(
        *tensors(given, truth),
        include_background=True,
        percentile=percentile,
        spacing=spacing_mm,
    )
    ours = hausdorff_distance(distances, percentile=percentile)
    assert ours == pytest.approx(float(theirs), rel=1e-5)


@pytest.mark.parametrize(("shape", "spacing_mm", "kind"), CASES)
def test_greatest_and_mean_distance_are_those_of_monai(shape, spacing_mm, kind):
    truth, given = drawn(shape, kind)
    distances = surface_distances(truth, given, spacing_mm=spacing_mm)
    options = {"include_background": True, "spacing": spacing_mm}
    greatest = monai.compute_hausdorff_distance(*tensors(given, truth), **options)
    mean = monai.compute_average_surface_distance(
        *tensors(given, truth), symmetric=True, **options
    )
    assert hausdorff_distance(distances) == pytest.approx(float(greatest), rel=1e-5)
    assert mean_surface_distance(distances) == pytest.approx(float(mean), rel=1e-5)


@pytest.mark.parametrize(("shape", "spacing_mm", "kind"), CASES)
@pytest.mark.parametrize("tolerance_mm", [0.0, 1.1, 4.0])
def test_surface_dice_is_that_of_monai_with_subvoxels(shape, spacing_mm, kind, tolerance_mm):
    truth, given = drawn(shape, kind)
    theirs = monai.compute_surface_dice(
        *tensors(given, truth),
        [tolerance_mm],
        include_background=True,
        spacing=spacing_mm,
        use_subvoxels=True,
    )
    (ours,) = surface_dice(truth, given, spacing_mm=spacing_mm, tolerances_mm=[tolerance_mm])
    assert ours == pytest.approx(float(theirs), abs=1e-5)


@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (3, 2, 0.5), (2, 0.7)], ids=str)
def test_every_surface_element_has_the_size_of_the_published_table(spacing_mm):
    tables = pytest.importorskip("monai.metrics.utils")
    table, _ = tables.get_code_to_measure_table(spacing_mm)
    assert element_sizes(spacing_mm) == pytest.approx(table.numpy(), abs=1e-5)


def test_a_false_alarm_counts_for_us_and_is_left_out_by_monai():
    truth, given = np.zeros((4, 4, 4), bool), np.ones((4, 4, 4), bool)
    (ours,) = overlaps(truth.astype(int), given.astype(int), labels=[1], spacing_mm=(1, 1, 1))
    theirs = monai.compute_dice(*tensors(given, truth), include_background=True)
    assert ours.dice == 0
    assert np.isnan(float(theirs))


def test_monai_counts_voxels_of_the_border_unless_asked_and_we_weigh_elements():
    # a ball against one 1.2 mm larger: at 1 mm, corners and faces of its steps differ
    truth, given = (ball((30, 30, 30), (14, 14, 14), r) for r in (8, 9.2))
    (ours,) = surface_dice(truth, given, spacing_mm=(1, 1, 1), tolerances_mm=[1])
    theirs = monai.compute_surface_dice(*tensors(given, truth), [1], include_background=True)
    assert abs(ours - float(theirs)) > 0.02
