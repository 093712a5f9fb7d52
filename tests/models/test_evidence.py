"""What lesions say of a grade: numbers off drawn maps, and who may read them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.models.bundle import load_bundle
from medloop.models.canvas import Placement
from medloop.models.evidence import Outlined, evidence, open_forest, opinion, outline
from medloop.models.plan import Plan, Task
from medloop.models.retina import exceedance, joined
from tests.apps.tiny_bundles import GRADING_PLAN, a_grading_bundle, a_lesion_bundle

PLAN = Plan(Task.LESIONS, 256, classes=("MA", "HE", "EX", "SE", "OD"), thresholds=(0.5,) * 5)
SIZE = (256, 320)
WHOLE = Placement(SIZE, (0, 0, 320, 256), SIZE, (0, 0))
# where a class's numbers begin, and of each ring's three the area comes first
CLASS, RINGS = 14, 4 * 14


def drawn(*spots, placement=WHOLE):
    """Maps that are 0 but for `spots` (class, x, y, probability) of 4 x 4 pixels."""
    maps = np.zeros((5, *SIZE), np.float32)
    for kind, x, y, probability in spots:
        maps[PLAN.classes.index(kind), y : y + 4, x : x + 4] = probability
    return Outlined(maps, placement, PLAN)


def test_places_and_areas_are_counted():
    numbers = evidence(
        drawn(("MA", 8, 8, 0.95), ("MA", 100, 40, 0.7), ("MA", 104, 40, 0.7)), None
    )
    places, area = numbers[5:11:2], numbers[6:11:2]
    np.testing.assert_allclose(places, np.log1p([2, 2, 1]), rtol=1e-6)  # over 0.3, 0.6, 0.9
    np.testing.assert_allclose(area, np.log1p([3, 3, 1]), rtol=1e-6)
    assert numbers[11] == pytest.approx(np.log1p(0.95 + 0.7 + 0.7), rel=1e-5)
    assert tuple(numbers[12:14]) == pytest.approx((0, np.log1p(2)), rel=1e-6)  # least, most


def test_an_exudate_is_placed_by_its_distance_from_the_fovea():
    fovea = (160.0, 128.0)
    beyond = []
    for distance in (4, 20, 38, 60, 120):  # pixels; the rings end at 15, 30, 45 and 75
        areas = evidence(drawn(("EX", 160 + distance, 126, 0.9)), fovea)[RINGS : RINGS + 15 : 3]
        beyond.append(int(np.flatnonzero(areas)[0]))
        assert np.count_nonzero(areas) == 1
    assert beyond == [0, 1, 2, 3, 4]


def test_without_a_fovea_everything_is_far_from_it():
    areas = evidence(drawn(("EX", 160, 128, 0.9)), None)[RINGS : RINGS + 15 : 3]
    assert np.flatnonzero(areas).tolist() == [4]


@given(st.integers(0, 60), st.integers(0, 40))
def test_numbers_do_not_depend_on_where_the_field_lies_on_the_canvas(dx, dy):
    dx, dy = 4 * dx, 4 * dy
    spots = (("EX", 40 + dx, 30 + dy, 0.9), ("HE", 60 + dx, 44 + dy, 0.8))
    here = Placement(SIZE, (0, 0, 100, 90), (90, 100), (dy, dx))
    there = Placement(SIZE, (0, 0, 100, 90), (90, 100), (0, 0))
    moved = evidence(drawn(*spots, placement=here), (50.0, 40.0))
    still = evidence(
        drawn(("EX", 40, 30, 0.9), ("HE", 60, 44, 0.8), placement=there), (50.0, 40.0)
    )
    np.testing.assert_allclose(moved[RINGS:], still[RINGS:], rtol=1e-6)


def test_two_readers_count_alike():
    logits = np.array([np.log(3.0), 0.0])  # 0.75 and 0.5
    both = joined(logits, np.array([0.25, 0.9]))
    np.testing.assert_allclose(1 / (1 + np.exp(-both)), [0.5, 0.7], rtol=1e-9)
    assert joined(logits, None) is logits


def test_no_reader_is_infinitely_sure():
    both = joined(np.array([80.0, -80.0, 0, 0, 0, 0]), np.array([1.0, 0.0, 0.5, 0, 0.5, 0]))
    assert np.isfinite(both).all()
    above = exceedance(both, replace(GRADING_PLAN, temperature=()))
    assert all(np.isfinite(part).all() for part in above)


def test_a_forest_says_how_likely_each_grade_is_exceeded():
    class Forest:
        def run(self, x_BCHW):  # noqa: N803
            assert x_BCHW.shape == (1, 3)
            return {"above": x_BCHW[:, :2] / 10}

    said = opinion(Forest(), np.array([1, 2, 3], np.float32))
    np.testing.assert_allclose(said, [0.1, 0.2], rtol=1e-6)


def test_trees_grown_on_other_maps_are_refused(tmp_path):
    lesions = load_bundle(a_lesion_bundle(tmp_path / "lesions"))
    alone = load_bundle(a_grading_bundle(tmp_path / "grading"))
    with pytest.raises(InputError, match=r"has no forest\.onnx"):
        open_forest(alone, lesions)
    (alone.folder / "forest.onnx").write_bytes(b"trees")
    asks = replace(
        alone, plan=replace(alone.plan, reads="retina_lesions", reads_sha256="0" * 64)
    )
    with pytest.raises(InputError, match=r"with weights 000000000000\.\.\., here they are"):
        open_forest(asks, lesions)


def test_a_network_that_grades_outlines_nothing():
    with pytest.raises(InputError, match="plan is for grading"):
        outline(None, np.zeros((8, 8, 3), np.uint8), None, GRADING_PLAN)
