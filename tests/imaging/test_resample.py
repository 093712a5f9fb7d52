import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.imaging.resample import (
    read_of,
    regularize,
    resize,
    resize_part,
    resize_piece,
    written_from,
)

STEPS = np.array([[0.0, 0.5, 0.0], [0.75, 0.0, 0.0]])


def ramp(depths):
    """A volume whose value is its height in mm, which linear interpolation keeps."""
    return np.stack([np.full((4, 5), z, np.float32) for z in depths])


def origins(depths):
    return np.array([[1.0, 2.0, z] for z in depths])


gaps = st.lists(st.floats(0.5, 3), min_size=1, max_size=8)


@given(gaps)
def test_a_ramp_keeps_its_slope_on_the_regular_grid(gaps):
    depths = np.cumsum([0.0, *gaps])
    array, affine = regularize(ramp(depths), origins(depths), STEPS)
    heights = affine[2, 3] + affine[2, 0] * np.arange(len(array))
    np.testing.assert_allclose(array[:, 0, 0], heights, atol=1e-4)
    assert heights[-1] == pytest.approx(depths[-1])


def test_even_slices_stay_as_they_are():
    depths = [0.0, 2.0, 4.0]
    rng = np.random.default_rng(0)
    given_array = rng.integers(-1000, 1000, (3, 4, 5)).astype(np.int16)
    array, affine = regularize(given_array, origins(depths), STEPS)
    np.testing.assert_array_equal(array, given_array)
    np.testing.assert_allclose(affine[:3, 0], [0, 0, 2])
    np.testing.assert_allclose(affine[:3, 3], [1, 2, 0])


def test_a_point_seen_in_tilted_slices_stays_where_it_is():
    places = np.array([[0.0, 0.3 * n, 2.0 * n] for n in range(6)])
    tilted = np.zeros((6, 20, 5), np.float32)
    for n, (_, y, _) in enumerate(places):
        row = (4.0 - y) / 0.5  # a plane at y = 4 mm, between rows
        low = int(np.floor(row))
        tilted[n, low], tilted[n, low + 1] = 1 - (row - low), row - low
    array, affine = regularize(tilted, places, STEPS)
    rows = affine[1, 3] + affine[1, 1] * np.arange(array.shape[1])
    for k in range(6):
        weights = array[k, :, 2]
        assert (weights * rows).sum() / weights.sum() == pytest.approx(4.0, abs=0.05)


def test_slices_in_one_place_are_misuse():
    with pytest.raises(ValueError, match="in order"):
        regularize(ramp([0, 0]), origins([0, 0]), STEPS)


def test_resizing_keeps_a_ramp_and_the_mean():
    ramp = np.broadcast_to(np.arange(12.0)[:, None, None], (12, 3, 4))
    coarse = resize(ramp, (4, 3, 4))
    np.testing.assert_allclose(coarse[1:3, 0, 0], [4, 7], atol=1e-5)
    fine = resize(ramp, (24, 3, 4))
    np.testing.assert_allclose(fine[1:-1, 0, 0], np.arange(22) / 2 + 0.25, atol=1e-5)
    assert resize(np.ones((5, 6)), (7, 3)).tolist() == np.ones((7, 3)).tolist()


def test_a_part_of_the_rows_is_that_part_of_the_whole():
    image = np.random.default_rng(0).standard_normal((9, 7, 5))
    for size in ((9, 7, 5), (20, 7, 11), (4, 14, 5)):
        whole = resize(image, size)
        np.testing.assert_allclose(resize(image, size, rows=(1, 4)), whole[1:4], atol=1e-6)


@pytest.mark.parametrize("size", [(128, 128), (41, 28), (30, 97)])
def test_cubic_enlargement_is_opencvs(size):
    picture = np.random.default_rng(0).uniform(0, 255, (28, 28)).astype(np.float32)
    ours = resize(picture, size, cubic=True)
    theirs = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(ours, np.clip(theirs, picture.min(), picture.max()), atol=2e-3)


def test_what_is_reduced_is_averaged_even_if_cubic():
    picture = np.random.default_rng(0).uniform(0, 255, (28, 28)).astype(np.float32)
    np.testing.assert_array_equal(
        resize(picture, (14, 9), cubic=True), resize(picture, (14, 9))
    )


@given(
    st.lists(st.tuples(st.integers(2, 9), st.integers(2, 12)), min_size=3, max_size=3),
    st.booleans(),
    st.data(),
)
def test_a_box_is_that_box_of_the_whole(sizes, cubic, data):
    have, size = zip(*sizes, strict=True)
    box = []
    for n in size:
        low = data.draw(st.integers(0, n - 1))
        box.append((low, data.draw(st.integers(low + 1, n))))
    array = np.random.default_rng(3).normal(size=have).astype(np.float32)
    whole = resize(array, size, cubic=cubic)[tuple(slice(*each) for each in box)]
    part = resize_part(array, size, box, cubic=cubic)
    assert part.shape == whole.shape
    assert np.allclose(part, whole, atol=1e-5)


sizes = st.integers(1, 12)


@given(st.tuples(sizes, sizes), st.tuples(sizes, sizes), st.data())
def test_a_piece_is_enough_for_a_box(have, size, data):
    array = np.random.default_rng(0).random(have, np.float32)
    box = []
    for n in size:
        first = data.draw(st.integers(0, n - 1))
        box.append((first, data.draw(st.integers(first + 1, n))))
    read = [read_of(*each) for each in zip(have, size, box, strict=True)]
    piece = array[tuple(slice(*each) for each in read)]
    found = resize_piece(piece, [a for a, _ in read], have, size, box)
    whole = resize(array, size)[tuple(slice(*each) for each in box)]
    np.testing.assert_allclose(found, whole, atol=1e-6)


@given(sizes, sizes, st.data())
def test_what_old_voxels_shape_holds_every_new_one_that_reads_them(have, size, data):
    first = data.draw(st.integers(0, have - 1))
    last = data.draw(st.integers(first + 1, have))
    low, high = written_from(have, size, (first, last))
    for n in range(size):
        a, b = read_of(have, size, (n, n + 1))
        assert low <= n < high or b <= first or last <= a
