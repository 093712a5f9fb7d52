import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from medloop.imaging.components import find_parts


def test_two_blobs_have_their_places_areas_and_probabilities():
    probability = np.zeros((20, 30), np.float32)
    probability[2:5, 3:7] = 0.8
    probability[10:12, 20:22] = 0.6
    probability[10, 20] = 0.9
    parts = find_parts(probability, threshold=0.5)
    assert parts.area_px.tolist() == [12, 4]
    assert parts.center_px.tolist() == [[4.5, 3.0], [20.5, 10.5]]
    assert parts.box.tolist() == [[3, 2, 7, 5], [20, 10, 22, 12]]
    assert parts.mean == pytest.approx([0.8, 0.675])
    assert parts.peak == pytest.approx([0.8, 0.9])


def test_diagonal_neighbors_are_one_part():
    assert len(find_parts(np.eye(5, dtype=np.float32), threshold=0.5).area_px) == 1


def test_small_parts_are_dropped_and_labels_stay_dense():
    probability = np.zeros((10, 10), np.float32)
    probability[1, 1] = probability[5:8, 5:8] = 1
    parts = find_parts(probability, threshold=0.5, min_area_px=2)
    assert parts.area_px.tolist() == [9]
    assert np.unique(parts.labels).tolist() == [0, 1]
    assert parts.labels[1, 1] == 0


def test_an_empty_map_has_no_parts():
    parts = find_parts(np.zeros((4, 4), np.float32), threshold=0.5)
    assert len(parts.area_px) == len(parts.mean) == len(parts.box) == 0


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan")])
def test_a_threshold_that_takes_everything_is_misuse(threshold):
    with pytest.raises(ValueError, match="threshold"):
        find_parts(np.zeros((4, 4), np.float32), threshold=threshold)


@settings(max_examples=25, deadline=None)
@given(npst.arrays(np.float32, (12, 9), elements=st.floats(0, 1, width=32)))
def test_areas_add_up_to_the_pixels_above_the_threshold(probability):
    parts = find_parts(probability, threshold=0.5)
    assert parts.area_px.sum() == (probability >= 0.5).sum()
    assert np.array_equal(parts.labels > 0, probability >= 0.5)
    assert np.all(parts.peak >= parts.mean - 1e-9)
