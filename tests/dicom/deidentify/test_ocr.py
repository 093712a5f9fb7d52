"""Rows of marks beside an image are found, read or not; what is no text is left."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.dicom.deidentify.ocr import Box, _lines_on_plain_ground, united

SHAPE = (120, 200)
boxes = st.builds(
    lambda top, left, height, width: Box(top, left, top + height, left + width),
    st.integers(-5, 100),
    st.integers(-5, 180),
    st.integers(1, 30),
    st.integers(1, 60),
)


@pytest.mark.parametrize("ink", [255, 0], ids=["bright on dark", "dark on bright"])
@pytest.mark.parametrize("size", [0.4, 0.6, 1.0])
def test_a_line_of_letters_on_a_plain_ground_is_found(ink, size):
    gray = np.full(SHAPE, 255 - ink, np.uint8)
    cv2.putText(gray, "Kowalczyk", (10, 60), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1)
    drawn = gray != 255 - ink
    for box in _lines_on_plain_ground(gray):
        drawn[box.top : box.bottom, box.left : box.right] = False
    assert not drawn.any()


def test_speckle_and_smooth_shapes_are_no_lines():
    rng = np.random.default_rng(0)
    speckle = cv2.GaussianBlur(rng.integers(0, 180, SHAPE).astype(np.uint8), (0, 0), 1.5)
    shape = np.zeros(SHAPE, np.uint8)
    cv2.ellipse(shape, (100, 60), (60, 40), 20, 0, 360, 200, -1)
    assert _lines_on_plain_ground(speckle) == []
    assert _lines_on_plain_ground(shape) == []


@given(st.lists(boxes, max_size=8))
def test_joined_boxes_never_meet_and_cover_what_they_joined(found):
    joined = united(found, SHAPE)
    mask = np.zeros(SHAPE, int)
    for box in joined:
        mask[box.top : box.bottom, box.left : box.right] += 1
    assert mask.max(initial=0) <= 1
    for box in found:
        if min(box.bottom, box.right) <= 0:
            continue  # lies outside
        assert mask[max(box.top, 0) : box.bottom, max(box.left, 0) : box.right].all()
