import numpy as np
import pytest

from medloop.clinical.report.planes import View, annotate, draw_labels, gray_plane

SPACING = (5.0, 2.0, 1.0)  # mm between slices, rows and columns
SHAPE = (9, 21, 41)
SPOT = (6, 14, 28)  # above, behind and left of the middle (4, 10, 20)


@pytest.mark.parametrize(
    ("plane", "right_mm", "down_mm"),
    [("axial", 8, 8), ("coronal", 8, -10), ("sagittal", 8, -10)],
)
def test_a_bright_voxel_is_seen_where_it_lies(plane, right_mm, down_mm):
    image = np.zeros(SHAPE, np.int16)
    image[SPOT] = 100
    view = View(plane, np.array([*SPOT], float), 0.5, (121, 161))
    axis = {"axial": 0, "coronal": 1, "sagittal": 2}[plane]
    center = np.array([4.0, 10.0, 20.0])
    center[axis] = SPOT[axis]
    drawn = gray_plane(image, SPACING, View(plane, center, view.mm, view.size), (0, 100))
    row, column = np.unravel_index(int(drawn[..., 0].argmax()), view.size)
    assert (column - 80, row - 60) == (right_mm / 0.5, down_mm / 0.5)


def test_what_lies_beyond_the_image_is_black():
    image = np.full(SHAPE, 100, np.int16)
    drawn = gray_plane(image, SPACING, View("axial", np.zeros(3), 1.0, (61, 61)), (0, 100))
    assert drawn[0, 0].tolist() == [0, 0, 0]
    assert drawn[40, 40].tolist() == [255, 255, 255]


def test_only_labels_of_the_plane_are_outlined_in_their_colors():
    labels = np.zeros(SHAPE, np.uint8)
    labels[3:6, 5:15, 10:30] = 1
    labels[8, 5:15, 10:30] = 2
    canvas = np.zeros((80, 80, 3), np.uint8)
    view = View("axial", np.array([4.0, 10, 20]), 0.6, (80, 80))
    draw_labels(canvas, labels, SPACING, view, {1: (250, 10, 10), 2: (10, 250, 10)})
    assert (canvas[..., 0] > 200).any()
    assert not (canvas[..., 1] > 200).any()


def test_directions_are_named_at_the_sides():
    canvas = np.zeros((225, 300, 3), np.uint8)
    annotate(canvas, View("axial", np.zeros(3), 0.5, (225, 300)))
    middle = canvas[100:118]
    assert min(middle[:, 1:25].max(), middle[:, 280:299].max()) > 200
    assert middle[:, 40:260].max() == 0
