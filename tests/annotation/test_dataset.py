"""Segments become classes, and objects get a size, as training needs them."""

from dataclasses import replace

import numpy as np
import pytest

from medloop.annotation.dataset import Labelled, balls_of, classes_of, diameter_mm
from medloop.core.code import Code
from medloop.core.finding import Finding, Measurement
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap, Segment, Volume

NODULE = Code("SCT", "27925004", "Nodule")
PAROTID = Code("SCT", "45289007", "Parotid gland")
RIGHT, LEFT = (Code("99MEDLOOP", f"SIDE-{side}", side) for side in ("Right", "Left"))
LONG_AXIS = Code("SCT", "103339001", "Long axis")
GRID = Grid((10, 12, 14), np.diag([2.0, 2.0, 2.0, 1.0])[[2, 1, 0, 3]])


def a_segment(name, concept=NODULE, site=None):
    return Segment(name, concept, concept, (255, 0, 0), site)


def a_case(*findings, labels=None):
    volume = Volume(np.zeros(GRID.shape, np.int16), GRID, "HU")
    return Labelled("job000001", "p00001", volume, labels, findings, {})


@pytest.mark.parametrize(
    ("segments", "names"),
    [
        ([a_segment("Nodule 1"), a_segment("Nodule 2")], ["Nodule"]),
        ([a_segment("Nodule 12")], ["Nodule"]),
        ([a_segment("tumor"), a_segment("edge")], ["Nodule"]),
        (
            [a_segment("Gland", PAROTID, RIGHT), a_segment("Gland", PAROTID, LEFT)],
            ["Gland", "Gland, Left"],
        ),
        ([a_segment("12")], ["12"]),
        ([], []),
    ],
)
def test_segments_of_one_concept_and_site_are_one_class(segments, names):
    assert list(classes_of(segments).values()) == names


def test_an_object_is_as_large_as_it_was_measured():
    measured = Finding(NODULE, None, (Measurement(LONG_AXIS, 8.5, "mm"),), segment=1)
    assert diameter_mm(measured, None) == 8.5


def test_an_object_that_was_only_drawn_is_a_ball_of_its_volume():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:5, 2:5, 2:5] = 1
    drawn = LabelMap(labels, {1: a_segment("Nodule 1")}, GRID)
    expected = (6 * 27 * 8 / np.pi) ** (1 / 3)
    assert diameter_mm(Finding(NODULE, segment=1), drawn) == pytest.approx(expected)
    assert diameter_mm(Finding(NODULE, segment=2), drawn) is None


def test_a_case_with_an_object_of_unknown_size_is_not_one_without_objects():
    pointed = Finding(NODULE, center_lps_mm=(1.0, 2.0, 3.0))
    sized = replace(pointed, measurements=(Measurement(LONG_AXIS, 4.0, "mm"),))
    assert balls_of(a_case()) == ()
    assert balls_of(a_case(pointed, sized)) is None
    assert len(balls_of(a_case(sized))) == 1
