"""Marks on the viewing grid refine a mask in a box, and nowhere else."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from medloop.annotation.refining import Asked, box_of, refined, within
from medloop.core.errors import InputError
from medloop.imaging.packed import require_box, slices_of
from medloop.imaging.refine import Marks, refine

SPACING = (2.0, 1.0, 0.5)  # z, y, x
SHAPE = (30, 50, 90)


def a_bright_ball():
    """Draw an ellipsoid about voxel [x, y, z] = [40, 20, 12]; return image and truth."""
    z, y, x = np.indices(SHAPE)
    truth = np.hypot(np.hypot((x - 40) * 0.5, y - 20), (z - 12) * 2.0) <= 8
    noise = np.random.default_rng(1).normal(0, 10, SHAPE)
    return (100 * truth + noise).astype(np.int16), truth


def no_mask(box):
    return np.zeros(require_box(box), bool)


def test_a_click_draws_what_it_was_put_on():
    image, truth = a_bright_ball()
    asked = Asked(((40, 20, 12),), (), 14.0)
    box = box_of(asked, SPACING, SHAPE)
    assert box == ((12, 6, 5), (69, 35, 20))
    mask = refined(image, SPACING, asked, (box, no_mask(box)))
    wanted = truth[slices_of(box)]
    assert 2 * (mask & wanted).sum() / (mask.sum() + wanted.sum()) > 0.95


def test_the_answer_is_that_of_the_whole_image():
    image, truth = a_bright_ball()
    drawn = truth.copy()
    drawn[:, :18] = False
    asked = Asked(((40, 15, 12),), ((60, 20, 12),), 12.0)
    box = box_of(asked, SPACING, SHAPE)
    mask = refined(image, SPACING, asked, (box, drawn[slices_of(box)]))
    marks = Marks(np.array([[12, 15, 40]]), np.array([[12, 20, 60]]))
    whole = refine(
        image.astype(np.float32), SPACING, marks, probability=drawn * 1.0, reach=12.0
    )
    assert_array_equal(mask, whole[slices_of(box)])


def test_another_refiner_gets_the_box_and_the_marks_in_it():
    image, _ = a_bright_ball()
    asked = Asked(((40, 20, 12),), ((45, 21, 13),), 5.0)
    box = ((30, 10, 10), (50, 30, 15))

    def network(part, spacing, marks, *, probability=None, likely=None, reach=12.0):
        assert_array_equal(part, image[10:15, 10:30, 30:50])
        assert (spacing, probability, likely, reach) == (SPACING, None, None, 5.0)
        assert_array_equal(marks.inside, [[2, 10, 10]])
        assert_array_equal(marks.outside, [[3, 11, 15]])
        return part > 50

    mask = refined(image, SPACING, asked, (box, no_mask(box)), refiner=network)
    assert_array_equal(mask, image[10:15, 10:30, 30:50] > 50)


def test_a_picture_is_refined_in_the_plane():
    image, truth = a_bright_ball()
    picture, wanted = image[12:13], truth[12]
    asked = Asked(((40, 20, 0),), (), 20.0)
    box = box_of(asked, (1.0, 1.0, 0.5), picture.shape)
    mask = refined(picture, (1.0, 1.0, 0.5), asked, (box, no_mask(box)))
    inner = slices_of(box)[1:]
    overlap = (mask[0] & wanted[inner]).sum()
    assert 2 * overlap / (mask.sum() + wanted[inner].sum()) > 0.95


@pytest.mark.parametrize("places", [((90, 0, 0),), ((0, -1, 0),), ((0, 0, 30),)])
def test_marks_outside_of_the_image_are_refused(places):
    with pytest.raises(InputError, match="outside of the image"):
        box_of(Asked(places, (), 5.0), SPACING, SHAPE)


def test_marks_outside_of_the_image_are_left_out_where_others_are_in_it():
    asked = Asked(((5, 5, 5), (-1, 5, 5)), ((90, 0, 0),), 5.0)
    assert within(asked, SHAPE) == Asked(((5, 5, 5),), (), 5.0)
    with pytest.raises(InputError, match="outside of the image"):
        within(Asked(((-1, 5, 5),), ((90, 0, 0),), 5.0), SHAPE)
    assert within(Asked((), (), 5.0), SHAPE) == Asked((), (), 5.0)


def test_no_mark_is_refused():
    with pytest.raises(InputError, match="no place is marked"):
        box_of(Asked((), (), 5.0), SPACING, SHAPE)


def test_a_mark_outside_of_its_box_is_refused():
    image, _ = a_bright_ball()
    box = ((0, 0, 0), (10, 10, 10))
    with pytest.raises(InputError, match="outside of the box"):
        refined(image, SPACING, Asked(((40, 20, 12),), (), 5.0), (box, no_mask(box)))
