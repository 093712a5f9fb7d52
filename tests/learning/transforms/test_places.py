"""Points and boxes go where their voxels go."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medloop.learning.transforms import (
    Sampling,
    SpatialRanges,
    draw_warp,
    move_boxes,
    move_points,
    resample,
)
from tests.learning.transforms.drawn import EXACT, values, warps

GENTLE = SpatialRanges(elastic_chance=1, elastic=0.3, scale=0.1)


def box_of(mask: np.ndarray) -> np.ndarray:
    where = np.argwhere(mask)
    return np.stack([where.min(axis=0) - 0.5, where.max(axis=0) + 0.5])


def block_in(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A mask of one block somewhere."""
    rng = np.random.default_rng(seed)
    ends = [sorted(rng.integers(0, side, 2)) for side in shape]
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(a, b + 1) for a, b in ends)] = 1
    return mask


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([(40, 36), (30, 28, 26)]))
def test_a_point_follows_its_blob(seed, shape):
    rng = np.random.default_rng(seed)
    warp = draw_warp(rng, GENTLE, spacing_mm=(1.0,) * len(shape), shape=shape)
    point = rng.uniform(0.35, 0.65, len(shape)) * np.array(shape)
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    blob = np.exp(-((grid - point) ** 2).sum(axis=-1) / 4).astype(np.float32)
    (moved,), _none = resample(warp, blob[None])
    assert move_points(warp, point[None])[0] == pytest.approx(
        ndimage.center_of_mass(moved), abs=0.5
    )


@settings(max_examples=20, deadline=None)
@given(warps(), st.integers(0, 10_000), st.booleans())
def test_a_moved_box_encloses_the_moved_mask(drawn, seed, smooth):
    warp, shape = drawn
    mask = block_in(shape, seed)
    _image, moved = resample(
        warp, values((1, *shape)), mask, sampling=Sampling(smooth_labels=smooth)
    )
    (box,) = move_boxes(warp, box_of(mask)[None])
    if moved.any():
        low, high = box_of(moved)
        assert (box[0] <= low).all()
        assert (high <= box[1]).all()


@settings(max_examples=20, deadline=None)
@given(warps(), st.integers(0, 10_000))
def test_the_box_of_a_full_block_is_tight(drawn, seed):
    warp, shape = drawn
    mask = block_in(shape, seed)
    _image, moved = resample(warp, values((1, *shape)), mask)
    (box,) = move_boxes(warp, box_of(mask)[None])
    if moved.any():  # a voxel on the very edge may be rounded either way
        assert np.abs(box - box_of(moved)).max() <= 1


@settings(max_examples=20, deadline=None)
@given(warps(EXACT), st.integers(0, 10_000))
def test_flips_and_turns_move_boxes_exactly(drawn, seed):
    warp, shape = drawn
    mask = block_in(shape, seed)
    _image, moved = resample(warp, values((1, *shape)), mask)
    (box,) = move_boxes(warp, box_of(mask)[None])
    assert np.isnan(box).all() if not moved.any() else (box == box_of(moved)).all()


def test_a_box_out_of_view_is_nan_and_rows_stay_rows():
    still = SpatialRanges(affine_chance=0, elastic_chance=0, flip_chance=0)
    warp = draw_warp(
        np.random.default_rng(0),
        still,
        spacing_mm=(1, 1),
        shape=(20, 20),
        patch=(10, 10),
        center=(4.5, 4.5),
    )
    boxes = np.array([[[14.5, 14.5], [17.5, 17.5]], [[1.5, 7.5], [3.5, 12.5]]])
    gone, cut = move_boxes(warp, boxes)
    assert np.isnan(gone).all()
    assert cut.tolist() == [[1.5, 7.5], [3.5, 9.5]]


def test_a_box_smaller_than_a_voxel_keeps_the_voxel_of_its_middle():
    still = SpatialRanges(affine_chance=0, elastic_chance=0, flip_chance=0)
    warp = draw_warp(np.random.default_rng(0), still, spacing_mm=(1, 1), shape=(20, 20))
    (box,) = move_boxes(warp, np.array([[[3.1, 4.1], [3.4, 4.4]]]))
    assert box.tolist() == [[2.5, 3.5], [3.5, 4.5]]


def test_no_boxes_are_no_boxes():
    warp = draw_warp(np.random.default_rng(0), GENTLE, spacing_mm=(1, 1), shape=(20, 20))
    assert move_boxes(warp, np.zeros((0, 2, 2))).shape == (0, 2, 2)
    assert move_points(warp, np.zeros((0, 2))).shape == (0, 2)
