"""A network in INT8 (NNCF, post-training), and back to FP32 operation by operation."""

import importlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import onnx
from jaxtyping import Float32
from numpy import ndarray
from onnx import numpy_helper

from medloop.core.errors import ServiceError

_UNPACKED = ("Cast", "Mul")  # what follows a weight that is stored small
_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
_RANKED_ON = 4  # batches


def unpacked(path: Path) -> onnx.ModelProto:
    """Read an ONNX file whose weights are stored small, and make them FP32 again.

    Operations without a name get one.
    """
    proto = onnx.load(str(path))
    graph = proto.graph
    known = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type not in _UNPACKED or not all(name in known for name in node.input):
            nodes.append(node)
        elif node.op_type == "Cast":
            known[node.output[0]] = known[node.input[0]].astype(np.float32)
        else:
            known[node.output[0]] = known[node.input[0]] * known[node.input[1]]
    for n, node in enumerate(nodes):
        node.name = node.name or f"{node.op_type}_{n}"
    used = {name for node in nodes for name in node.input}
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(array), name)
        for name, array in known.items()
        if name in used
    )
    return proto


def quantized(
    proto: onnx.ModelProto, batches: Sequence[Float32[ndarray, "b c *s"]]
) -> onnx.ModelProto:
    """Quantize weights and activations to INT8, by what activations are on some batches.

    Weights and activations are symmetric (NNCF's preset PERFORMANCE). `proto` is not changed.

    Raises
    ------
    ServiceError
        If NNCF is not installed.
    """
    try:
        with _quiet():
            nncf = importlib.import_module("nncf")  # seconds; ships no types
    except ModuleNotFoundError as why:
        raise ServiceError("quantizing needs NNCF: pip install 'medloop[quantize]'") from why
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    name = copy.graph.input[0].name
    with _quiet():
        nncf.set_log_level(logging.ERROR)
        data = nncf.Dataset(list(batches), lambda batch: {name: batch})
        made: onnx.ModelProto = nncf.quantize(
            copy,
            data,
            preset=nncf.QuantizationPreset.PERFORMANCE,
            subset_size=len(batches),
        )
    del made.metadata_props[:]
    return made


def operations(proto: onnx.ModelProto) -> tuple[str, ...]:
    """Name the operations that compute on INT8 numbers, in the order of the graph."""
    made = {node.output[0] for node in proto.graph.node if node.op_type == _DEQUANTIZE}
    return tuple(
        node.name
        for node in proto.graph.node
        if node.op_type != _QUANTIZE and made & set(node.input)
    )


def restored(
    proto: onnx.ModelProto, reference: onnx.ModelProto, names: Sequence[str]
) -> onnx.ModelProto:
    """Return a quantized network in which the named operations compute as in `reference`."""
    out = onnx.ModelProto()
    out.CopyFrom(proto)
    inputs = {node.name: node.input for node in reference.graph.node if node.name in names}
    for node in out.graph.node:
        if node.name in inputs:
            node.input[:] = inputs[node.name]
    held = {weight.name for weight in out.graph.initializer}
    out.graph.initializer.extend(
        weight for weight in reference.graph.initializer if weight.name not in held
    )
    _drop_unused(out.graph)
    return out


def ranked(
    proto: onnx.ModelProto,
    reference: onnx.ModelProto,
    batches: Sequence[Float32[ndarray, "b c *s"]],
) -> tuple[str, ...]:
    """Order the operations by how much nearer to FP32 the answer is with each one restored."""
    chosen = batches[:: max(1, len(batches) // _RANKED_ON)][:_RANKED_ON]
    wanted = [_answer(reference, x) for x in chosen]

    def error(model: onnx.ModelProto) -> float:
        answers = (_answer(model, x) for x in chosen)
        pairs = zip(answers, wanted, strict=True)
        return float(sum(np.square(one - other).mean() for one, other in pairs))

    errors = {name: error(restored(proto, reference, [name])) for name in operations(proto)}
    return tuple(sorted(errors, key=lambda name: errors[name]))


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Take out nodes and weights that nothing reads."""
    while True:
        read = {name for node in graph.node for name in node.input}
        read |= {output.name for output in graph.output}
        idle = [node for node in graph.node if not read & set(node.output)]
        if not idle:
            break
        for node in idle:
            graph.node.remove(node)
    kept = [weight for weight in graph.initializer if weight.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _answer(proto: onnx.ModelProto, x: Float32[ndarray, "b c *s"]) -> ndarray:
    """All outputs of a network, one after the other."""
    import onnxruntime  # noqa: PLC0415 (slow to import)

    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    outputs = session.run(None, {proto.graph.input[0].name: x})
    return np.concatenate([np.asarray(each, np.float64).ravel() for each in outputs])


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep NNCF's progress bars and remarks to itself."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        with redirect_stderr(io.StringIO()):
            yield
