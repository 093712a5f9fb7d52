"""Probabilities are kept small, and come back where they were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from medloop.imaging.likely import LEAST, leveled, likely_in, likely_patch
from medloop.imaging.resample import resize

shares = arrays(np.float32, (5, 6, 7), elements=st.floats(0, 1, width=32))


def whole(shape):
    return [slice(0, n) for n in shape]


@given(shares)
def test_on_the_same_voxels_nothing_is_lost_but_a_step_of_255(probability):
    kept = likely_patch(probability)
    if kept is None:
        assert probability.max() <= LEAST
        return
    back = likely_in(kept, probability.shape, whole(probability.shape))
    assert np.abs(back - probability).max() <= max(LEAST, 0.5 / 255) + 1e-6


def a_hill(shape=(12, 16, 14), center=(5, 9, 6)):
    away = np.indices(shape) - np.array(center).reshape(3, 1, 1, 1)
    return np.exp(-(away**2).sum(0) / 8).astype(np.float32)


def test_only_where_an_object_is_possible_is_kept():
    kept = likely_patch(a_hill())
    assert kept.array.shape == (12, 13, 13)
    assert kept.low == (0, 3, 0)
    assert kept.array.max() == 255
    assert likely_patch(np.full((4, 4), LEAST, np.float32)) is None


@given(
    low=st.tuples(*[st.integers(0, 20)] * 3),
    size=st.tuples(*[st.integers(1, 10)] * 3),
)
def test_a_box_of_a_finer_image_holds_what_the_whole_would(low, size):
    fine = (31, 32, 33)
    box = [slice(a, min(a + n, most)) for a, n, most in zip(low, size, fine, strict=True)]
    kept = likely_patch(a_hill())
    coarse = likely_in(kept, kept.shape, whole(kept.shape))
    assert_allclose(likely_in(kept, fine, box), resize(coarse, fine)[tuple(box)], atol=1e-5)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_the_level_of_outlines_becomes_a_half(threshold):
    moved = leveled(np.array([0.0, threshold, 1.0]), threshold)
    assert_allclose(moved, [0, 0.5, 1])
    assert (np.diff(leveled(np.linspace(0, 1, 50), threshold)) > 0).all()
