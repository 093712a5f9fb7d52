"""From a folder of images with boxes to a bundle that finds objects in others."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.evaluation.detection import box_iou, match_points
from medloop.learning.detection.batches import prepare_case
from medloop.learning.detection.opening import open_detection, plan_detection
from medloop.learning.opening import DataProblemsError
from medloop.learning.train import Order, train
from medloop.models.bundle import load_bundle
from medloop.models.detect import detect, in_patient
from medloop.models.predict import open_predictor
from tests.learning.detection.phantoms import (
    Ball,
    a_grid,
    a_picture,
    a_volume,
    drawn,
    some_pictures,
    some_volumes,
    write_table,
)
from tests.learning.segmentation.volumes import some_volumes as some_masks

pytestmark = [pytest.mark.train, pytest.mark.slow]

QUICK = {
    "epochs": "6",
    "steps": "15",
    "batch": "2",
    "width": "8",
    "of_folds": "2",
    "folds": "0",
    "averaging": "0.9",
    "rate": "0.01",
    "head_rate": "0.01",
}
TINY = QUICK | {"epochs": "2", "steps": "2", "width": "4", "batch": "1"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return some_volumes(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    planned = plan_detection("detection", data, QUICK)
    out = tmp_path_factory.mktemp("made") / "bundle"
    return train(Order(planned.recipe, data, out, planned=planned))


def found_in(made, array, grid, engine="auto"):
    bundle = load_bundle(made)
    predictor = open_predictor(bundle, engine=engine)
    return detect(predictor, array[None], grid, bundle.detection_plan)


def test_most_balls_in_volumes_it_never_saw_are_found_to_a_voxel(made):
    hits, off, sizes = [], [], []
    for seed in range(100, 108):
        array, grid, balls = a_volume(seed, 3)
        marks = found_in(made, array, grid)
        marks = marks.take(marks.score >= load_bundle(made).detection_plan.threshold)
        centers, size = in_patient(marks.edges, grid)
        truth = np.array([ball.center_mm for ball in balls])
        diameter = np.array([ball.diameter_mm for ball in balls])
        hits += match_points(truth, diameter / 2, centers, marks.score).hits.tolist()
        for at, wide in zip(truth, diameter, strict=True):
            far = np.linalg.norm(centers - at, axis=1)
            if len(far) and far.min() < wide / 2:
                off.append(np.abs(centers[far.argmin()] - at))
                sizes.append(np.abs(size[far.argmin()] - wide))
    assert np.isfinite(hits).mean() >= 0.8
    assert (np.mean(off, axis=0) < [1.0, 1.0, 2.0]).all()  # a voxel along x, y, z
    assert (np.mean(sizes, axis=0) < [2.0, 2.0, 4.0]).all()


def test_how_a_volume_lies_does_not_matter(made):
    array, grid, _ = a_volume(104, 3)
    marks = found_in(made, array, grid)
    affine = grid.affine.copy()
    affine[:, :3] = grid.affine[:, [2, 0, 1]]
    affine[:3, 3] += affine[:3, 0] * (array.shape[2] - 1)
    affine[:3, 0] *= -1
    turned = np.ascontiguousarray(array.transpose(2, 0, 1)[::-1])
    other = Grid(turned.shape, affine)
    again = found_in(made, turned, other)
    np.testing.assert_allclose(
        in_patient(again.edges, other)[0], in_patient(marks.edges, grid)[0], atol=1e-3
    )
    np.testing.assert_allclose(again.score, marks.score, atol=1e-4)


def test_a_ball_at_the_border_is_found(made):
    grid = a_grid(5)
    center = grid.to_world(np.array([[10.0, 1.0, 20.0]]))[0]
    ball = Ball(tuple(center.tolist()), 9.0)
    marks = found_in(made, drawn(grid, [ball], np.random.default_rng(0)), grid)
    far = np.linalg.norm(in_patient(marks.edges, grid)[0] - center, axis=1)
    assert far.min() < 4.5


def test_noise_alone_holds_nothing_sure(made):
    array, grid, _ = a_volume(300, 0)
    marks = found_in(made, array, grid)
    assert not (marks.score >= load_bundle(made).detection_plan.threshold).any()


def test_both_engines_find_alike(made):
    array, grid, _ = a_volume(101, 3)
    ours, theirs = (found_in(made, array, grid, e) for e in ("openvino", "onnxruntime"))
    np.testing.assert_allclose(ours.edges, theirs.edges, atol=1e-2)


def test_held_out_cases_are_measured_and_the_card_says_so(made):
    told = json.loads((made / "folds/fold0.json").read_text())
    assert min(len(truth) for truth in told["truth"]) == 0  # an empty case among them
    card = load_bundle(made).card
    figures = {f["name"]: f for f in card["evaluation"]["figures"]}
    assert figures["CPM"]["value"] > 0.7
    assert figures["CPM"]["cases"] == 4
    assert {"average precision at IoU 0.1", "sensitivity at 1 false marks per scan"} <= set(
        figures
    )
    assert card["title"] == "Detection of nodule in CT"


def test_discs_and_squares_are_told_apart_in_pictures(tmp_path):
    root = some_pictures(tmp_path / "data")
    planned = plan_detection("detection", root, QUICK | {"folds": "", "epochs": "10"})
    made = train(Order(planned.recipe, root, tmp_path / "bundle", planned=planned))
    bundle = load_bundle(made)
    predictor, right, count = open_predictor(bundle), 0, 0
    for seed in range(100, 106):
        pixels, boxes = a_picture(seed, 4)
        marks = detect(predictor, pixels[None], None, bundle.detection_plan)
        corners = marks.edges.reshape(-1, 4) + 0.5
        for kind, (x, y, width, height) in boxes:
            near = box_iou(np.array([[y, x, y + height, x + width]], float), corners)[0]
            best = marks.take(near > 0.5)
            right += bool(len(best.score)) and best.classes[0] == kind - 1
            count += 1
    assert right / count > 0.6  # by chance, hardly any


def test_the_same_seed_and_a_run_that_was_killed_end_in_the_same_weights(data, tmp_path):
    class KilledError(Exception):
        pass

    def kill(milestone):
        if (milestone.part, milestone.progress.epoch) == ("fold0", 1):
            raise KilledError

    planned = plan_detection("detection", data, TINY)
    one, other = tmp_path / "one", tmp_path / "other"
    train(Order(planned.recipe, data, one, planned=planned))
    order = Order(planned.recipe, data, other, planned=planned)
    with pytest.raises(KilledError):
        train(order, report=kill)
    train(replace(order, resume=True))
    for name in ("work/fold0.pt", "work/final.pt"):
        ours = torch.load(other / name, weights_only=True)
        theirs = torch.load(one / name, weights_only=True)
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert (other / "weights.onnx").read_bytes() == (one / "weights.onnx").read_bytes()


def test_boxes_go_with_the_image_to_another_spacing(data):
    planned = plan_detection("detection", data, TINY | {"spacing": "1x2x1"})
    case = prepare_case(planned.dataset, planned.sources[0], planned.recipe.plan)
    assert case.image.shape[1:] == (40, 20, 40)
    for low, high in np.rint(case.edges).astype(int):
        inside = case.image[
            (0, *(slice(max(a, 0), b + 1) for a, b in zip(low, high, strict=True)))
        ]
        assert inside.mean() > case.image.mean() + 0.5


def test_cases_that_were_prepared_are_read_as_they_were(data, tmp_path):
    planned = plan_detection("detection", data, TINY)
    first, again = (open_detection(planned, tmp_path) for _ in range(2))
    for one, other in zip(first.prepared, again.prepared, strict=True):
        np.testing.assert_array_equal(one.edges, other.edges)
        np.testing.assert_array_equal(one.image, other.image)


def test_data_for_something_else_are_refused(tmp_path):
    with pytest.raises(InputError, match="is for segmentation"):
        plan_detection("detection", some_masks(tmp_path), TINY)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("1.2.0", "nan", 0, 0, 8), "no number"),
        (("1.2.0", 900, 0, 0, 8), "outside the image"),
        (("1.2.0", 0, 0, "broad", 8), "line 2"),
        (("1.2.0", 0, 0, 0, -4), "no extent"),
    ],
)
def test_a_bad_annotation_ends_in_one_line(tmp_path, row, told):
    root = some_volumes(tmp_path, 2)
    grid = a_grid(0)
    inside = grid.to_world(np.array([[10.0, 20.0, 20.0]]))[0]
    uid, *center, diameter = row
    center = [i if c == 0 else c for c, i in zip(center, inside, strict=True)]
    write_table(root, [(uid, *center, diameter)])
    with pytest.raises(InputError, match=told) as caught:
        plan_detection("detection", root, TINY)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, DataProblemsError) or "line 2" in told


def test_data_without_any_object_are_refused(tmp_path):
    root = some_volumes(tmp_path, 2)
    write_table(root, [("elsewhere", 0, 0, 0, 5)])
    with pytest.raises(InputError, match="no object is labelled in 2 cases"):
        plan_detection("detection", root, TINY)


def test_unknown_and_wrong_settings_are_named(data):
    with pytest.raises(InputError, match=r"no setting 'depth'.*most_overlap"):
        plan_detection("detection", data, {"depth": "3"})
    with pytest.raises(InputError, match="a setting of the plan is wrong"):
        plan_detection("detection", data, {"patch": "large"})
    with pytest.raises(InputError, match="does not suit 3 axes"):
        plan_detection("detection", data, {"patch": "16x16"})
    with pytest.raises(InputError, match="overlap 2"):
        plan_detection("detection", data, {"overlap": "2"})
