"""From a folder of volumes to a bundle that labels others."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from medloop.core.errors import InputError
from medloop.evaluation.overlap import overlaps
from medloop.files.nifti import write_nifti
from medloop.learning.opening import DataProblemsError
from medloop.learning.segmentation.batches import PatchBatches
from medloop.learning.segmentation.opening import open_segmentation, plan_segmentation
from medloop.learning.segmentation.prepared import prepare_case
from medloop.learning.train import Order, train
from medloop.models.bundle import load_bundle
from medloop.models.predict import open_predictor
from medloop.models.segment import segment
from tests.learning.segmentation.volumes import a_case, some_volumes

pytestmark = [pytest.mark.train, pytest.mark.slow]

QUICK = {
    "epochs": "12",
    "steps": "10",
    "batch": "2",
    "width": "8",
    "of_folds": "2",
    "folds": "0",
    "averaging": "0.9",
    "flips": "",
    "rate": "0.01",
    "head_rate": "0.01",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return some_volumes(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def planned(data):
    return plan_segmentation("segmentation", data, QUICK)


@pytest.fixture(scope="module")
def made(planned, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "bundle"
    return train(Order(planned.recipe, data, out, planned=planned))


def test_a_bundle_labels_a_volume_it_never_saw(made):
    bundle = load_bundle(made)
    image, truth, grid = a_case(99, shape=(30, 26, 24))
    found = segment(open_predictor(bundle), image[None], grid, bundle.segmentation_plan)
    dice = [o.dice for o in overlaps(truth, found, labels=(1, 2), spacing_mm=(1, 1, 1))]
    assert min(dice) > 0.8


def test_both_engines_label_alike(made):
    bundle = load_bundle(made)
    image, _, grid = a_case(98)
    ours, theirs = (
        segment(open_predictor(bundle, engine=e), image[None], grid, bundle.segmentation_plan)
        for e in ("openvino", "onnxruntime")
    )
    assert (ours != theirs).mean() < 1e-3


def test_held_out_cases_are_measured_and_the_card_says_so(made):
    told = json.loads((made / "folds/fold0.json").read_text())
    assert len(told["name"]) == len(told["dice"]) == 3
    figures = {f["name"]: f for f in load_bundle(made).card["evaluation"]["figures"]}
    mean = np.mean([case[0] for case in told["dice"]])
    assert figures["1 Dice"]["value"] == pytest.approx(mean, abs=1e-4)
    assert figures["1 Dice"]["cases"] == 3


def test_a_run_that_is_killed_ends_in_the_same_weights(planned, data, made, tmp_path):
    class KilledError(Exception):
        pass

    def kill(milestone):
        if (milestone.part, milestone.progress.epoch) == ("fold0", 5):
            raise KilledError

    order = Order(planned.recipe, data, tmp_path / "bundle", planned=planned)
    with pytest.raises(KilledError):
        train(order, report=kill)
    train(replace(order, resume=True))
    for name in ("work/fold0.pt", "work/final.pt"):
        ours = torch.load(tmp_path / "bundle" / name, weights_only=True)
        theirs = torch.load(made / name, weights_only=True)
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert (tmp_path / "bundle/weights.onnx").read_bytes() == (
        made / "weights.onnx"
    ).read_bytes()


def test_labels_go_with_the_image_to_another_spacing(tmp_path):
    root = some_volumes(tmp_path, 4, shape=(12, 24, 22), spacing=(2.0, 1.0, 1.0))
    planned = plan_segmentation("segmentation", root, QUICK | {"spacing_mm": "1x1x1"})
    case = prepare_case(planned.dataset, planned.sources[0], planned.recipe.plan)
    _, labels, _ = a_case(0, shape=(12, 24, 22), spacing=(2.0, 1.0, 1.0))
    assert case.labels.shape == case.image.shape[1:] == (24, 24, 22)
    for label in (1, 2):
        volume = (case.labels == label).sum()
        assert volume == pytest.approx(2 * (labels == label).sum(), rel=0.1)
        assert case.image[0][case.labels == label].mean() > case.image[0].mean()


def test_the_same_seed_draws_the_same_patches(planned, tmp_path):
    task = open_segmentation(planned, tmp_path)
    batches, steps = task.batches(np.arange(4))
    assert isinstance(batches, PatchBatches)
    first, second = (list(batches(np.random.default_rng(5))) for _ in range(2))
    assert len(first) == steps
    for (x, y), (u, v) in zip(first, second, strict=True):
        assert torch.equal(x, u)
        assert torch.equal(y, v)
        assert x.shape[2:] == planned.recipe.plan.patch == y.shape[1:]
        assert set(y.unique().tolist()) <= {0, 1, 2}


def test_a_wrong_case_stops_everything_and_is_named(data, tmp_path):
    root = shutil.copytree(data, tmp_path / "data")
    image, _, grid = a_case(3, shape=(20, 24, 21))
    write_nifti(image, grid, root / "images" / "case3.nii.gz")
    with pytest.raises(DataProblemsError, match="case3") as caught:
        plan_segmentation("segmentation", root, QUICK)
    assert len(caught.value.problems) == 1


def test_unknown_and_wrong_settings_are_named(data):
    with pytest.raises(InputError, match=r"no setting 'depth'.*patch"):
        plan_segmentation("segmentation", data, {"depth": "3"})
    with pytest.raises(InputError, match="a setting of the plan is wrong"):
        plan_segmentation("segmentation", data, {"patch": "large"})
    with pytest.raises(InputError, match="does not suit 3 axes"):
        plan_segmentation("segmentation", data, {"patch": "16x16"})
