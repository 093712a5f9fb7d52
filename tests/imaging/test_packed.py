"""Bits of a box go to the page and come back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from medloop.core.errors import InputError
from medloop.imaging.packed import MOST_VOXELS, pack, require_box, slices_of, unpack

SIDE = st.integers(1, 9)


@given(st.tuples(SIDE, SIDE, SIDE), st.integers(0, 2**32 - 1))
def test_bits_come_back(shape, seed):
    mask = np.random.default_rng(seed).random(shape) > 0.5
    assert_array_equal(unpack(pack(mask), shape), mask)


def test_the_first_voxel_is_the_highest_bit_and_x_runs_fastest():
    mask = np.zeros((1, 2, 8), bool)
    mask[0, 0, 0] = mask[0, 1, 7] = True
    assert pack(mask) == "gAE="  # 0x80 0x01


def test_a_box_cuts_what_it_says():
    array = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    box = ((1, 2, 3), (5, 4, 4))
    assert require_box(box, array.shape) == (1, 2, 4)
    assert_array_equal(array[slices_of(box)], array[3:4, 2:4, 1:5])


@pytest.mark.parametrize(
    ("box", "said"),
    [
        (((0, 0, 0), (0, 1, 1)), "is empty"),
        (((0, 0, 0), (7, 1, 1)), "does not lie in the image"),
        (((-1, 0, 0), (1, 1, 1)), "does not lie in the image"),
    ],
)
def test_boxes_that_cannot_be_meant_are_refused(box, said):
    with pytest.raises(InputError, match=said):
        require_box(box, (4, 5, 6))


def test_a_box_beyond_all_measure_is_refused():
    with pytest.raises(InputError, match=f"the limit is {MOST_VOXELS}"):
        require_box(((0, 0, 0), (1 << 12, 1 << 12, 1 << 12)))


@pytest.mark.parametrize(
    ("text", "said"), [("%", "no base64"), ("gAE=", "2 bytes for 8 voxels"), ("é", "no base64")]
)
def test_what_is_no_mask_is_refused(text, said):
    with pytest.raises(InputError, match=said):
        unpack(text, (2, 2, 2))
