"""Boxes of an image in one file."""

import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medloop.core.errors import GeometryError, InputError, ServiceError
from medloop.core.image import Patch
from medloop.files.patches import read_patches, write_patches


def a_patch(seed=0, size=(3, 4, 5), low=(1, 2, 3), shape=(10, 11, 12)):
    array = np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)
    return Patch(array, low, shape)


def is_same(one, other):
    placed = (one.low, one.shape) == (other.low, other.shape)
    return placed and np.array_equal(one.array, other.array)


@given(
    array=arrays(np.uint8, st.tuples(*[st.integers(1, 6)] * 3)),
    low=st.tuples(*[st.integers(0, 5)] * 3),
    number=st.integers(1, 65535),
)
def test_boxes_come_back_as_they_were(tmp_path_factory, array, low, number):
    path = tmp_path_factory.mktemp("boxes") / "heat.npz"
    patch = Patch(array, low, tuple(a + n for a, n in zip(low, array.shape, strict=True)))
    write_patches({number: patch, 70_000: a_patch()}, path)
    read = read_patches(path)
    assert is_same(read[number], patch)
    assert is_same(read[70_000], a_patch())
    assert list(read_patches(path, [number])) == [number]


def test_boxes_of_pictures_have_two_axes(tmp_path):
    patch = a_patch(size=(3, 4), low=(0, 0), shape=(3, 4))
    write_patches({2: patch}, tmp_path / "p.npz")
    assert is_same(read_patches(tmp_path / "p.npz")[2], patch)


def test_same_boxes_give_the_same_bytes_and_numpy_reads_them(tmp_path):
    for name in ("one.npz", "other.npz"):
        write_patches({2: a_patch(2), 1: a_patch(1)}, tmp_path / name)
    one, other = (tmp_path / name for name in ("one.npz", "other.npz"))
    assert one.read_bytes() == other.read_bytes()
    with np.load(one) as arrays_:
        assert sorted(arrays_) == ["1", "1_low", "1_shape", "2", "2_low", "2_shape"]
        assert np.array_equal(arrays_["2"], a_patch(2).array)


def test_a_box_beyond_its_image_is_refused():
    with pytest.raises(GeometryError, match="does not lie in"):
        a_patch(low=(8, 0, 0))


def test_a_damaged_file_is_said_in_one_line(tmp_path):
    path = tmp_path / "heat.npz"
    write_patches({1: a_patch()}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"heat\.npz is damaged"):
        read_patches(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("1.npy", b"no array")
    with pytest.raises(InputError, match=r"heat\.npz is damaged"):
        read_patches(path)


def test_a_box_that_does_not_lie_in_its_image_is_damage(tmp_path):
    path = tmp_path / "heat.npz"
    places = {"1_low": np.array([9, 9, 9]), "1_shape": np.array([10, 10, 10])}
    np.savez(path, **{"1": np.zeros((3, 3, 3), np.uint8)}, **places)
    with pytest.raises(InputError, match=r"heat\.npz is damaged"):
        read_patches(path)


def test_a_missing_file_may_come_back(tmp_path):
    with pytest.raises(ServiceError):
        read_patches(tmp_path / "none.npz")
