"""What a network should answer: read back as boxes, moved with the image, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is not installed")

from medloop.learning.detection.targets import (  # noqa: E402 (after the skip)
    detection_loss,
    moved_boxes,
    targets_of,
)
from medloop.learning.transforms import SpatialRanges, Warp, draw_warp, move_boxes  # noqa: E402
from medloop.models.architecture import center_unet  # noqa: E402
from medloop.models.detect import find  # noqa: E402
from medloop.models.detection_plan import DetectionPlan  # noqa: E402
from medloop.models.segmentation_plan import Intensity  # noqa: E402

pytestmark = pytest.mark.train

PLAN = DetectionPlan(
    channels=("CT",),
    classes=("one", "other"),
    spacing=(2.5, 1.0, 1.0),
    patch=(16, 32, 32),
    intensities=(Intensity(0, 1, 0, 1),),
    architecture=center_unet(3, 1, 2, widths=(4, 8, 8), spacing=(2.5, 1.0, 1.0)),
    size=(9.0, 8.0, 7.0),
)


class Perfect:
    """Answers exactly what was asked of the network."""

    def __init__(self, edges, classes):
        heat, box, _ = targets_of(edges, classes, PLAN)
        self.answer = {"heat": heat[None], "box": box[None]}

    def run(self, x_BCHW):  # noqa: N803 (as the protocol)
        return self.answer


@given(seed=st.integers(0, 10_000))
def test_a_perfect_answer_is_read_as_the_boxes_it_was_made_of(seed):
    rng = np.random.default_rng(seed)
    middles = np.array([[3.3, 6, 7], [3, 24.2, 8], [12, 7, 25.7], [11.5, 25, 24]])
    middles = middles + rng.uniform(-1, 1, middles.shape)
    half = rng.uniform(0.5, 3, middles.shape)
    edges = np.stack([middles - half, middles + half], axis=1)
    classes = rng.integers(0, 2, 4)
    found = find(Perfect(edges, classes), np.zeros((1, *PLAN.patch), np.float32), PLAN)
    assert found.score == pytest.approx(np.ones(4))
    order = [int(np.abs(found.edges - box).sum(axis=(1, 2)).argmin()) for box in edges]
    np.testing.assert_allclose(found.edges[order], edges, atol=1e-4)
    assert found.classes[order].tolist() == classes.tolist()


def test_an_object_counts_once_whatever_its_size():
    for half in (1.0, 4.0):
        box = np.array(
            [[[7.5 - half, 16 - half, 16 - half], [7.5 + half, 16 + half, 16 + half]]]
        )
        heat, _, weight = targets_of(box, np.array([1]), PLAN)
        assert (heat[1] == 1).sum() == 1
        assert heat[0].max() == 0
        assert weight.sum() == pytest.approx(1, abs=1e-5)


def test_a_center_out_of_view_is_none_but_its_hill_reaches_in():
    box = np.array([[[5.0, -9.0, 10.0], [11.0, 7.0, 18.0]]])
    heat, _, _ = targets_of(box, np.array([0]), PLAN)
    assert 0 < heat[0].max() < 1
    assert targets_of(box - [0, 60, 0], np.array([0]), PLAN)[0].max() == 0


def test_a_case_without_objects_asks_for_nothing():
    heat, box, weight = targets_of(np.zeros((0, 2, 3)), np.zeros(0, int), PLAN)
    assert not heat.any()
    assert not box.any()
    assert not weight.any()


def test_mirrored_boxes_are_exact():
    rng = np.random.default_rng(1)
    ranges = SpatialRanges(affine_chance=0, elastic_chance=0, flip_chance=1)
    warp = draw_warp(rng, ranges, spacing_mm=(1, 1, 1), shape=(10, 12, 14))
    boxes = np.array([[[2.5, 3.5, 4.5], [5.5, 4.5, 9.5]]])
    np.testing.assert_allclose(moved_boxes(boxes, warp), move_boxes(warp, boxes), atol=1e-6)


@given(degrees=st.floats(-180, 180))
def test_a_turned_ball_keeps_its_size(degrees):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    warp = Warp((20, 20, 20), np.array([[1, 0, 0], [0, c, -s], [0, s, c]]), np.full(3, 9.5))
    box = np.array([[[5.0, 2.0, 8.0], [11.0, 8.0, 14.0]]])
    moved = moved_boxes(box, warp)
    np.testing.assert_allclose(moved[:, 1] - moved[:, 0], np.full((1, 3), 6), atol=1e-6)


def test_an_enlarged_ball_is_as_large_as_drawn():
    warp = Warp((20, 20), np.eye(2) / 1.5, np.full(2, 9.5))
    box = np.array([[[7.5, 7.5], [11.5, 11.5]]])
    np.testing.assert_allclose(moved_boxes(box, warp), [[[6.5, 6.5], [12.5, 12.5]]], atol=1e-9)


def test_no_box_moves_to_no_box():
    warp = Warp((20, 20), np.eye(2), np.full(2, 9.5))
    assert moved_boxes(np.zeros((0, 2, 2)), warp).shape == (0, 2, 2)


def test_the_loss_of_one_cell_is_worked_out_by_hand():
    heat = torch.tensor([[[[1.0, 0.5]]]])
    logits = torch.tensor([[[[0.0, 0.0]]]])  # probability 1/2 in both
    box = torch.tensor([[[[0.5, 9.0]], [[0.0, 9.0]], [[0.0, 9.0]], [[0.0, 9.0]]]])
    weight = torch.tensor([[[[1.0, 0.0]]]])
    wanted = (heat, torch.zeros_like(box), weight)
    hit = 0.5**2 * np.log(2)
    alarm = 0.5**4 * 0.5**2 * np.log(2)
    value = detection_loss(logits, box, wanted, box_weight=2.0)
    assert float(value) == pytest.approx(hit + alarm + 2 * 0.5)


def test_a_perfect_answer_costs_almost_nothing():
    box = np.array([[[5.0, 9.0, 10.0], [11.0, 17.0, 18.0]]])
    heat, truth, weight = (
        torch.from_numpy(t)[None] for t in targets_of(box, np.array([0]), PLAN)
    )
    logits = torch.where(heat == 1, 12.0, -12.0)
    assert float(detection_loss(logits, truth, (heat, truth, weight), box_weight=1.0)) < 1e-3


def test_without_objects_the_loss_is_of_alarms_alone():
    none = torch.zeros(1, 1, 4, 4)
    boxes = torch.randn(1, 4, 4, 4)
    quiet, loud = torch.full_like(none, -9.0), torch.full_like(none, 3.0)
    wanted = (none, torch.zeros_like(boxes), none)
    assert detection_loss(quiet, boxes, wanted, box_weight=1.0) < 1e-6
    assert detection_loss(loud, boxes, wanted, box_weight=1.0) > 1


def test_a_crowded_cell_belongs_to_the_smaller_object():
    edges = np.array([[[6.0, 13, 13], [8.0, 16, 16]], [[2.0, 2, 2], [12, 26, 26]]])
    _, box, _ = targets_of(edges, np.array([1, 0]), PLAN)
    small = np.log(3.0 / 8.0)
    assert box[4, 7, 7, 7] == pytest.approx(small, abs=1e-5)
