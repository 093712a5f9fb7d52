"""Objects from a network's maps, with networks whose every answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.imaging.orientation import turn_of, upright_grid
from medloop.models.architecture import center_unet
from medloop.models.detect import (
    Marks,
    box_overlap,
    detect,
    find,
    in_patient,
    prepare,
    suppressed,
)
from medloop.models.detection_plan import DetectionPlan
from medloop.models.segmentation_plan import PICTURES, Intensity
from tests.strategies import grids

AS_IS = Intensity(-1e30, 1e30, 0.0, 1.0)
SOLID = DetectionPlan(
    channels=("CT",),
    classes=("bright", "dark"),
    spacing=(1.0, 1.0, 1.0),
    patch=(16, 16, 16),
    intensities=(AS_IS,),
    architecture=center_unet(3, 1, 2, widths=(4, 8, 8)),
    size=(4.0, 6.0, 8.0),
)
FLAT = replace(
    SOLID,
    spacing=(1.0, 1.0),
    patch=(16, 16),
    architecture=center_unet(2, 1, 2, widths=(4, 8, 8)),
    size=(4.0, 6.0),
    frame=PICTURES,
)


class CellMeans:
    """Bright where a cell's mean is positive, dark where negative; off as its slope says."""

    def run(self, x_BCHW):  # noqa: N803 (as the protocol)
        x = x_BCHW[0, 0].astype(np.float64)
        shape = [n for side in x.shape for n in (side // 2, 2)]
        means = x.reshape(shape).mean(axis=tuple(range(1, 2 * x.ndim, 2)))
        slopes = np.stack([_slope(means, axis) for axis in range(x.ndim)])
        heat = np.stack([np.clip(means, 0, 1), np.clip(-means, 0, 1)])
        box = np.concatenate([slopes, np.full_like(slopes, np.log(0.5))])
        return {"heat": heat[None], "box": box[None]}


def _slope(means, axis):
    """An odd answer: mirrored images have the opposite."""
    return ndimage.convolve1d(means, [1.0, 0.0, -1.0], axis=axis, mode="constant")


def a_volume(*dots, shape=(20, 24, 28)):
    """Zeros with cells of 2 voxels a side at even places."""
    array = np.zeros((1, *shape), np.float32)
    for place, value in dots:
        array[(0, *(slice(n, n + 2) for n in place))] = value
    return array


UPRIGHT = Grid((20, 24, 28), np.eye(4)[:, [2, 1, 0, 3]])


def test_a_cell_becomes_a_box_of_half_the_typical_size_around_its_middle():
    marks = detect(CellMeans(), a_volume(((4, 10, 20), 0.8)), UPRIGHT, SOLID)
    assert marks.score == pytest.approx([0.8])
    assert marks.classes.tolist() == [0]
    middle, half = np.array([4.5, 10.5, 20.5]), np.array([1.0, 1.5, 2.0])
    np.testing.assert_allclose(marks.edges[0], [middle - half, middle + half], atol=1e-5)


def test_objects_of_two_classes_come_in_the_order_of_their_scores():
    dots = (((2, 2, 2), 0.4), ((14, 16, 6), -0.9), ((8, 18, 24), 0.6))
    marks = detect(CellMeans(), a_volume(*dots), UPRIGHT, SOLID)
    assert marks.score == pytest.approx([0.9, 0.6, 0.4])
    assert marks.classes.tolist() == [1, 0, 0]


def test_nothing_is_found_in_nothing_nor_below_the_least_score():
    marks = detect(CellMeans(), a_volume(((4, 4, 4), 0.04)), UPRIGHT, SOLID)
    assert marks.edges.shape == (0, 2, 3)
    assert len(marks.score) == len(marks.classes) == 0


@pytest.mark.parametrize("corner", [(0, 0, 0), (18, 22, 26), (0, 22, 12)])
def test_an_object_at_the_border_is_found_and_may_reach_beyond(corner):
    marks = detect(CellMeans(), a_volume((corner, 0.8)), UPRIGHT, SOLID)
    np.testing.assert_allclose(marks.edges[0].mean(axis=0), np.array(corner) + 0.5, atol=1e-5)


def test_a_box_in_a_picture_ends_with_it():
    picture = np.zeros((1, 20, 24), np.float32)
    picture[0, :2, 22:] = 0.7
    marks = detect(CellMeans(), picture, None, FLAT)
    np.testing.assert_allclose(marks.edges[0], [[-0.5, 21.0], [1.5, 23.5]], atol=1e-5)


@pytest.mark.parametrize("patch", [(8, 8, 8), (16, 8, 12), (32, 32, 32)])
def test_windows_of_any_size_find_the_same(patch):
    dots = (((2, 2, 2), 0.4), ((14, 16, 6), -0.9), ((8, 18, 24), 0.6))
    one = detect(CellMeans(), a_volume(*dots), UPRIGHT, SOLID)
    other = detect(CellMeans(), a_volume(*dots), UPRIGHT, replace(SOLID, patch=patch))
    np.testing.assert_allclose(other.edges, one.edges, atol=1e-4)
    np.testing.assert_allclose(other.score, one.score, atol=1e-5)


def test_a_sides_remainder_is_searched_too():
    grid = Grid((21, 17, 19), UPRIGHT.affine)
    image = a_volume(((19, 15, 17), 0.9), shape=grid.shape)
    marks = detect(CellMeans(), image, grid, replace(SOLID, least_score=0.02))
    assert (np.abs(marks.edges[0].mean(axis=0) - [19.5, 15.5, 17.5]) < 2).all()


def test_mirror_images_agree_on_where_an_object_is():
    rng = np.random.default_rng(3)
    image = ndimage.gaussian_filter(rng.normal(0, 4, (1, 16, 16, 16)), (0, 1, 1, 1))
    grid = Grid((16, 16, 16), UPRIGHT.affine)
    plain = detect(CellMeans(), image.astype(np.float32), grid, SOLID)
    mirrored = detect(CellMeans(), image.astype(np.float32), grid, replace(SOLID, flips=(0, 2)))
    assert len(plain.score) > 3
    np.testing.assert_allclose(mirrored.edges, plain.edges, atol=1e-4)


@given(grid=grids(), seed=st.integers(0, 1000))
def test_boxes_go_to_the_networks_input_and_back(grid, seed):
    rng = np.random.default_rng(seed)
    plan = replace(SOLID, spacing=tuple(rng.uniform(0.5, 3, 3)), intensities=(AS_IS,))
    prepared = prepare(np.zeros((1, *grid.shape), np.float32), grid, plan)
    low = rng.uniform(-1, 5, (4, 3))
    edges = np.stack([low, low + rng.uniform(0.1, 4, (4, 3))], axis=1)
    there = prepared.from_image(edges)
    assert (there[:, 1] > there[:, 0]).all()
    np.testing.assert_allclose(prepared.to_image(there), edges, atol=1e-9)


@given(grid=grids(), seed=st.integers(0, 1000))
def test_a_box_stays_around_its_voxel_however_the_volume_lies(grid, seed):
    rng = np.random.default_rng(seed)
    at = tuple(int(rng.integers(0, n)) for n in grid.shape)
    image = np.zeros((1, *grid.shape), np.float32)
    image[(0, *at)] = 1
    own = upright_grid(grid, turn_of(grid)).spacing_mm
    prepared = prepare(image, grid, replace(SOLID, spacing=own))
    box = np.array([[np.array(at) - 0.5, np.array(at) + 0.5]])
    middle = prepared.from_image(box).mean(axis=1)[0]
    brightest = np.unravel_index(prepared.array[0].argmax(), prepared.array.shape[1:])
    np.testing.assert_allclose(middle, brightest, atol=1e-6)


def test_centers_and_sizes_are_told_in_the_patients_space():
    affine = np.zeros((4, 4))
    affine[:, 3] = (10, 20, 30, 1)
    affine[1, 0] = 2.0  # k toward the back
    affine[2, 1] = -1.5  # j toward the feet
    affine[0, 2] = 0.5  # i toward the left
    grid = Grid((10, 12, 14), affine)
    edges = np.array([[[0.0, 2.0, 4.0], [4.0, 6.0, 8.0]]])
    centers, sizes = in_patient(edges, grid)
    np.testing.assert_allclose(centers, [[10 + 6 * 0.5, 20 + 2 * 2, 30 - 4 * 1.5]])
    np.testing.assert_allclose(sizes, [[4 * 0.5, 4 * 2.0, 4 * 1.5]])  # x, y, z


def test_overlap_is_measured_by_hand():
    one = np.array([[0.0, 0, 0], [2, 2, 2]])
    others = np.array([[[1.0, 0, 0], [3, 2, 2]], [[2.0, 0, 0], [4, 2, 2]], one])
    np.testing.assert_allclose(box_overlap(one, others), [4 / 12, 0, 1])


boxes_in_space = st.integers(0, 2**32 - 1).map(
    lambda seed: _some_marks(np.random.default_rng(seed))
)


def _some_marks(rng):
    count = int(rng.integers(0, 30))
    low = rng.uniform(0, 10, (count, 3))
    edges = np.stack([low, low + rng.uniform(0.5, 6, (count, 3))], axis=1)
    return Marks(edges, rng.integers(0, 2, count), rng.random(count))


@given(marks=boxes_in_space, most_overlap=st.floats(0, 0.9))
def test_what_is_kept_does_not_overlap_and_what_is_not_overlaps_something_surer(
    marks, most_overlap
):
    spacing = (2.0, 1.0, 0.5)
    kept = suppressed(marks, spacing, most_overlap=most_overlap, most=100)
    assert (np.diff(kept.score) <= 0).all()
    mm = np.array(spacing)
    for n in range(len(marks.score)):
        same = kept.classes == marks.classes[n]
        surer = same & (kept.score > marks.score[n])
        overlap = box_overlap(marks.edges[n] * mm, kept.edges[surer] * mm)
        is_kept = marks.score[n] in kept.score
        assert is_kept == (not surer.any() or overlap.max() <= most_overlap)


def test_no_more_than_the_most_marks_are_told():
    dots = [((4 * n, 4 * m, 4), 0.5) for n in range(4) for m in range(5)]
    plan = replace(SOLID, most_marks=7)
    assert len(detect(CellMeans(), a_volume(*dots), UPRIGHT, plan).score) == 7


@pytest.mark.train
@pytest.mark.slow
def test_suppression_is_monais():
    theirs = pytest.importorskip("monai.data.box_utils", reason="MONAI is absent")
    rng = np.random.default_rng(5)
    low = rng.uniform(0, 20, (200, 3))
    edges = np.stack([low, low + rng.uniform(3, 9, (200, 3))], axis=1)
    score = rng.random(200)
    marks = Marks(edges, np.zeros(200, int), score)
    ours = suppressed(marks, (1.0, 1.0, 1.0), most_overlap=0.2, most=200)
    kept = theirs.non_max_suppression(edges.reshape(-1, 6), score, 0.2)
    assert 10 < len(kept) < 190
    np.testing.assert_array_equal(ours.edges, edges[kept])


def test_an_image_of_another_kind_is_refused():
    with pytest.raises(InputError, match="2 channels"):
        detect(CellMeans(), np.zeros((2, 20, 24, 28), np.float32), UPRIGHT, SOLID)
    with pytest.raises(InputError, match="another kind"):
        detect(CellMeans(), np.zeros((1, 20, 24), np.float32), None, SOLID)


def test_an_object_seen_only_in_the_padding_is_not_told():
    class Corner:
        def run(self, x_BCHW):  # noqa: N803 (as the protocol)
            sides = [side // 2 for side in x_BCHW.shape[2:]]
            heat = np.zeros((1, 2, *sides))
            heat[0, 0, 0, 0, 0] = 1
            return {"heat": heat, "box": np.zeros((1, 6, *sides))}

    assert not len(find(Corner(), np.zeros((1, 6, 6, 6), np.float32), SOLID).score)
