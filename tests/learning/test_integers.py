import logging

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from medloop.learning.integers import (
    aligned,
    operations,
    quantized,
    ranked,
    restored,
    save_beside,
    unpacked,
)

SHAPE = [1, 1, 8, 8]


@pytest.fixture
def small(tmp_path):
    """Two convolutions; the first one's weight is stored in INT8, the second one's in FP16."""
    rng = np.random.default_rng(0)
    first = rng.integers(-127, 127, (4, 1, 3, 3)).astype(np.int8)
    second = rng.normal(size=(2, 4, 1, 1)).astype(np.float16)
    nodes = [
        helper.make_node("Cast", ["w1_whole"], ["w1_float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["w1_float", "w1_steps"], ["w1"]),
        helper.make_node("Cast", ["w2_half"], ["w2"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["image", "w1"], ["a"], pads=[1] * 4, name="first"),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Conv", ["r", "w2"], ["logits"], name="second"),
    ]
    weights = [
        numpy_helper.from_array(first, "w1_whole"),
        numpy_helper.from_array(np.full((4, 1, 1, 1), 0.01, np.float32), "w1_steps"),
        numpy_helper.from_array(second, "w2_half"),
    ]
    path = tmp_path / "small.onnx"
    onnx.save(a_model(nodes, weights), path)
    return path


def a_model(nodes, weights):
    graph = helper.make_graph(
        nodes,
        "two",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def answer(proto, x):
    return ReferenceEvaluator(proto).run(None, {"image": x})[0]


def rounded(proto, steps):
    """Round the input of each convolution to whole steps, as a quantized network does."""
    out = onnx.ModelProto()
    out.CopyFrom(proto)
    nodes = []
    for node in out.graph.node:
        if node.op_type == "Conv":
            name = f"{node.name}_in"
            out.graph.initializer.append(
                numpy_helper.from_array(np.float32(steps[node.name]), f"{name}_step")
            )
            out.graph.initializer.append(numpy_helper.from_array(np.int8(0), f"{name}_zero"))
            how = [f"{name}_step", f"{name}_zero"]
            nodes += [
                helper.make_node("QuantizeLinear", [node.input[0], *how], [f"{name}_whole"]),
                helper.make_node("DequantizeLinear", [f"{name}_whole", *how], [name]),
            ]
            node.input[0] = name
        nodes.append(node)
    del out.graph.node[:]
    out.graph.node.extend(nodes)
    return out


@pytest.fixture
def batches():
    rng = np.random.default_rng(1)
    return [rng.normal(size=SHAPE).astype(np.float32) for _ in range(5)]


def test_an_unpacked_network_answers_the_same_with_plain_weights(small, batches):
    plain = unpacked(small)
    kinds = {weight.name: weight.data_type for weight in plain.graph.initializer}
    assert kinds == {"w1": TensorProto.FLOAT, "w2": TensorProto.FLOAT}
    assert [node.op_type for node in plain.graph.node] == ["Conv", "Relu", "Conv"]
    assert all(node.name for node in plain.graph.node)
    np.testing.assert_array_equal(
        answer(plain, batches[0]), answer(onnx.load(small), batches[0])
    )


def test_operations_are_those_that_read_integers(small):
    whole = rounded(unpacked(small), {"first": 0.1, "second": 0.1})
    assert operations(whole) == ("first", "second")


def test_with_every_operation_restored_the_answer_is_that_of_fp32(small, batches):
    plain = unpacked(small)
    whole = rounded(plain, {"first": 0.5, "second": 0.5})
    assert not np.allclose(answer(whole, batches[0]), answer(plain, batches[0]), atol=0.01)
    back = restored(whole, plain, ["first", "second"])
    np.testing.assert_array_equal(answer(back, batches[0]), answer(plain, batches[0]))
    assert [node.op_type for node in back.graph.node] == ["Conv", "Relu", "Conv"]
    assert operations(whole) == ("first", "second")  # what was given is as it was


@pytest.mark.parametrize("worst", ["first", "second"])
def test_the_operation_that_harms_most_comes_first(small, batches, worst):
    plain = unpacked(small)
    whole = rounded(plain, {"first": 0.1, "second": 0.1} | {worst: 3.0})
    assert ranked(whole, plain, batches)[0] == worst


@pytest.mark.slow
@pytest.mark.train
def test_nncf_makes_integers_of_both_convolutions(small, batches):
    pytest.importorskip("nncf")
    plain = unpacked(small)
    whole = quantized(plain, batches)
    assert len(operations(whole)) == 2
    kinds = [weight.data_type for weight in whole.graph.initializer]
    assert kinds.count(TensorProto.INT8) >= 2
    exact, found = answer(plain, batches[0]), answer(whole, batches[0])
    assert 0 < np.abs(exact - found).max() < 0.1 * np.abs(exact).max()
    np.testing.assert_array_equal(
        answer(restored(whole, plain, operations(whole)), batches[0]), exact
    )


def test_handlers_that_others_gave_to_nncf_keep_their_levels(small, batches):
    pytest.importorskip("nncf")
    others = logging.NullHandler()
    logging.getLogger("nncf").addHandler(others)
    quantized(unpacked(small), batches)
    logging.getLogger("nncf").removeHandler(others)
    assert others.level == logging.NOTSET


def in_integers(weight, steps):
    """A convolution of whole weights, as NNCF names them."""
    nodes = [
        helper.make_node(
            "DequantizeLinear", ["q_output_w1_1", "scale_w1_1", "zero"], ["deq"], axis=0
        ),
        helper.make_node("Conv", ["image", "deq"], ["logits"], pads=[1] * 4, name="first"),
    ]
    weights = [
        numpy_helper.from_array(weight, "q_output_w1_1"),
        numpy_helper.from_array(steps, "scale_w1_1"),
        numpy_helper.from_array(np.zeros(len(weight), np.int8), "zero"),
    ]
    return a_model(nodes, weights)


@pytest.fixture
def packed(tmp_path):
    """A file that stores one convolution's weight in INT8, large enough to be shared."""
    whole = np.random.default_rng(1).integers(-127, 128, (512, 1, 3, 3)).astype(np.int8)
    steps = np.random.default_rng(2).uniform(0.01, 0.02, 512).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["w1_whole"], ["w1_float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["w1_float", "w1_steps"], ["w1"]),
        helper.make_node("Conv", ["image", "w1"], ["logits"], pads=[1] * 4, name="first"),
    ]
    weights = [
        numpy_helper.from_array(whole, "w1_whole"),
        numpy_helper.from_array(steps.reshape(-1, 1, 1, 1), "w1_steps"),
    ]
    path = tmp_path / "weights.onnx"
    path.write_bytes(a_model(nodes, weights).SerializeToString(deterministic=True))
    return path, whole, steps


def test_weights_that_were_rounded_a_little_otherwise_become_the_same(packed):
    path, whole, steps = packed
    other = whole.copy()
    other[3, 0, 1, 1] += 1 if other[3, 0, 1, 1] < 0 else -1
    made = aligned(in_integers(other, steps * 1.0001), path)
    x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    np.testing.assert_array_equal(answer(made, x), answer(in_integers(whole, steps), x))


def test_other_weights_are_left_as_they_are(packed):
    path, whole, steps = packed
    other = np.roll(whole, 1, axis=0)
    made = aligned(in_integers(other, steps), path)
    assert made == in_integers(other, steps)


def test_whole_numbers_stand_in_one_of_two_files(packed, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    path, whole, steps = packed
    proto, twin = in_integers(whole, steps), tmp_path / "twin.onnx"
    save_beside(proto, path, twin)
    assert twin.stat().st_size < whole.nbytes
    x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    (found,) = onnxruntime.InferenceSession(str(twin)).run(None, {"image": x})
    np.testing.assert_allclose(found, answer(proto, x), atol=1e-5)
