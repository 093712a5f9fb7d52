"""INT8 twins that a training makes, judged on cases no fold has seen."""

import json
import tomllib
from dataclasses import replace

import numpy as np
import onnx
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from onnx import helper, numpy_helper

from medloop.core.errors import InputError
from medloop.evaluation.bootstrap import Figure
from medloop.learning.segmentation.opening import open_segmentation, plan_segmentation
from medloop.learning.train import Order, train
from medloop.learning.twins import add_twins, main_of
from medloop.models.bundle import INT8, WEIGHTS, load_bundle
from medloop.models.predict import open_predictor
from tests.learning.segmentation.test_training import QUICK
from tests.learning.segmentation.volumes import some_volumes

pytestmark = [pytest.mark.train, pytest.mark.slow]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One fold of two, shipped, and its task."""
    data = some_volumes(tmp_path_factory.mktemp("data"))
    wanted = QUICK | {"ship": "folds", "final": "false"}
    planned = plan_segmentation("segmentation", data, wanted)
    order = Order(planned.recipe, data, tmp_path_factory.mktemp("run") / "b", planned=planned)
    train(order)
    return order, open_segmentation(planned, order.out / "work")


def card_of(folder):
    return tomllib.loads((folder / "card.toml").read_text())


def spoiling(proto, batches):
    """Answer the opposite: the last softmax reads negated scores; one rounded convolution."""
    assert len(batches)
    out = onnx.ModelProto()
    out.CopyFrom(proto)
    (last,) = [node for node in out.graph.node if node.op_type == "Softmax"]
    at = list(out.graph.node).index(last)
    out.graph.node.insert(at, helper.make_node("Neg", [last.input[0]], ["spoiled"]))
    out.graph.node[at + 1].input[0] = "spoiled"
    conv = next(node for node in out.graph.node if node.op_type == "Conv")
    out.graph.initializer.extend(
        [
            numpy_helper.from_array(np.float32(1e-6), "step"),
            numpy_helper.from_array(np.int8(0), "zero"),
        ]
    )
    out.graph.node.insert(
        0, helper.make_node("DequantizeLinear", ["w8", "step", "zero"], ["w"])
    )
    weight = next(w for w in out.graph.initializer if w.name == conv.input[1])
    zeros = np.zeros_like(numpy_helper.to_array(weight), np.int8)
    out.graph.initializer.append(numpy_helper.from_array(zeros, "w8"))
    conv_again = next(node for node in out.graph.node if node.op_type == "Conv")
    conv_again.input[1] = "w"
    return out


def test_a_twin_that_holds_out_of_fold_stands_in_the_bundle(trained):
    pytest.importorskip("nncf")
    order, _ = trained
    train(replace(order, int8=True, resume=True))
    told = card_of(order.out)
    entry = told["int8"]
    assert entry["passed"] is (entry["fp32"] - entry["int8"] <= 0.005)
    assert (entry["figure"], entry["measured_on"], entry["folds"]) == ("mean Dice", 3, "0")
    assert told["training"]["command"].endswith(" --int8")
    assert entry["passed"], entry["reason"]
    pairs = [(f["fp32"], f["int8"]) for f in entry["figures"] if f["name"].endswith(" Dice")]
    assert np.mean(pairs, axis=0) == pytest.approx([entry["fp32"], entry["int8"]], abs=1e-4)
    bundle = load_bundle(order.out)
    twin = bundle.twin(bundle.weights)
    assert twin.stat().st_size < bundle.weights.stat().st_size
    x = np.random.default_rng(0).normal(size=(1, 1, *bundle.plan.patch)).astype(np.float32)
    exact, whole = (
        open_predictor(bundle, precision=p).run(x)["probability"] for p in ("fp32", "int8")
    )
    assert np.abs(exact - whole).max() > 0
    assert np.quantile(np.abs(exact - whole), 0.95) < 0.1


def test_a_twin_that_fails_is_not_kept_and_the_card_says_why(trained):
    order, task = trained
    again = replace(order, resume=True)
    train(again)
    gate = add_twins(again, task, None, into=spoiling)
    assert not gate.passed
    assert not (order.out / INT8[WEIGHTS]).exists()
    told = card_of(order.out)
    assert told["precision"] == {"int8": False}
    assert told["int8"]["reason"] == gate.reason


def test_weights_made_anew_have_no_twin_of_old_ones(trained):
    order, _ = trained
    (order.out / INT8[WEIGHTS]).write_bytes(b"of other weights")
    train(replace(order, resume=True))
    assert INT8[WEIGHTS] not in json.loads((order.out / "hashes.json").read_text())


def test_no_fold_no_gate(trained, tmp_path):
    order, task = trained
    with pytest.raises(InputError, match="no fold was trained"):
        add_twins(replace(order, out=tmp_path), task, None)


def test_the_main_figure_is_the_mean_of_all_that_end_so():
    figures = [Figure(n, v, 0, 1, 9) for n, v in (("a Dice", 0.8), ("b Dice", 0.6), ("c", 0.1))]
    assert main_of(figures, " Dice") == ("mean Dice", pytest.approx(0.7))
    assert main_of(figures, "c") == ("c", 0.1)
    with pytest.raises(InputError, match="give no AUC"):
        main_of(figures, "AUC")
