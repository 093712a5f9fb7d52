"""The part of a CT that a network is shown."""

import pytest

from medloop.clinical.radiotherapy.region import Region, box_in, find_region
from tests.necks import a_grid, a_neck
from tests.thorax import a_chest

WHOLE = ((0.0, 1.0),) * 3


def test_every_organ_lies_in_the_box():
    drawn = a_neck()
    region = find_region(drawn.volume)
    box = box_in(region, drawn.volume.grid.shape, (1, 1, 1))
    for name, inside in drawn.organs.items():
        assert inside[box].sum() == inside.sum(), name


def test_shoulders_and_what_surrounds_the_patient_lie_outside():
    grid = a_grid(
        (4.0, 4.0, 4.0), low_mm=(-250.0, -250.0, -190.0), high_mm=(250.0, 250.0, 140.0)
    )
    low, high = find_region(a_neck(grid).volume).box[2]
    assert 200 < (high - low) * 500 < 250
    assert (low + high) / 2 == pytest.approx(0.5, abs=0.02)


def test_a_chest_has_no_region():
    assert find_region(a_chest().volume).extent_mm < 20


@pytest.mark.parametrize(
    ("span", "size", "least", "expected"),
    [
        ((0.25, 0.75), 100, 10, (25, 75)),
        ((0.4, 0.6), 100, 64, (18, 82)),
        ((0.0, 0.1), 100, 64, (0, 64)),
        ((0.9, 1.0), 100, 64, (36, 100)),
        ((0.2, 0.4), 50, 64, (0, 50)),
    ],
)
def test_a_box_grows_to_a_window_where_there_is_room(span, size, least, expected):
    region = Region(100.0, (span, *WHOLE[1:]))
    box = box_in(region, (size, 8, 9), (least, 1, 1))
    assert (box[0].start, box[0].stop) == expected
    assert (box[1], box[2]) == (slice(0, 8), slice(0, 9))


@pytest.mark.parametrize(("wide", "expected"), [(0.68, (18, 82)), (0.72, (14, 86))])
def test_a_box_a_little_wider_than_a_window_is_cut_to_one(wide, expected):
    span = ((1 - wide) / 2, (1 + wide) / 2)
    region = Region(100.0, (span, span, span))
    box = box_in(region, (100, 100, 100), (64, 64, 64))
    assert (box[1].start, box[1].stop) == (box[2].start, box[2].stop) == expected
    assert box[0].stop - box[0].start >= 100 * wide
