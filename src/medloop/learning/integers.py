"""A network in INT8 (NNCF, post-training), and back to FP32 operation by operation."""

import importlib
import io
import logging
import re
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
_RANKED_ON = 2  # batches
_LOOKED_AT = 24  # batches
_ENDS = "_whole", "_steps"  # how `export` names a weight that is stored in INT8
_MADE_BY_NNCF = re.compile(r"q_output_(?P<name>.+)_\d+")
_MOSTLY = 0.95
_WORTH_SHARING = 4096  # bytes


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

    Weights and activations are symmetric (NNCF's preset PERFORMANCE). Of many batches 24 are
    looked at, spread over all. `proto` is not changed.

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
    seen = batches[:: -(-len(batches) // _LOOKED_AT)]
    with _quiet():
        logging.getLogger("nncf").setLevel(logging.ERROR)  # its own call tells every handler
        data = nncf.Dataset(list(seen), lambda batch: {name: batch})
        made: onnx.ModelProto = nncf.quantize(
            copy,
            data,
            preset=nncf.QuantizationPreset.PERFORMANCE,
            subset_size=len(seen),
        )
    del made.metadata_props[:]
    return made


def aligned(proto: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """Give a quantized network the whole numbers that the FP32 file stores its weights in.

    Both round to 1/127 of each output channel's largest weight, so hardly a number changes;
    but then they are the same bytes, which need be kept once (`save_beside`).
    """
    stored = {w.name: numpy_helper.to_array(w) for w in onnx.load(str(path)).graph.initializer}
    out = onnx.ModelProto()
    out.CopyFrom(proto)
    held = {weight.name: weight for weight in out.graph.initializer}
    for node in out.graph.node:
        if node.op_type != _DEQUANTIZE or node.input[0] not in held:
            continue
        made = _MADE_BY_NNCF.fullmatch(node.input[0])
        whole, steps = (stored.get(f"{made['name']}{end}" if made else "") for end in _ENDS)
        mine = numpy_helper.to_array(held[node.input[0]])
        if whole is None or steps is None or not _is_same(mine, whole):
            continue
        for given, array in ((node.input[0], whole), (node.input[1], steps.ravel())):
            held[given].CopyFrom(numpy_helper.from_array(array, given))
    return out


def save_beside(proto: onnx.ModelProto, beside: Path, path: Path) -> None:
    """Write a network; whole numbers that the file `beside` has, too, stay there alone.

    They are ONNX external data: the name of that file, offset and length. Both files must be in
    one folder.
    """
    out = onnx.ModelProto()
    out.CopyFrom(proto)
    there = beside.read_bytes()
    for weight in out.graph.initializer:
        if weight.data_type != onnx.TensorProto.INT8:
            continue
        raw = numpy_helper.to_array(weight).tobytes()
        offset = there.find(raw) if len(raw) >= _WORTH_SHARING else -1
        if offset >= 0:
            weight.ClearField("raw_data")
            weight.ClearField("int32_data")
            weight.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (
                ("location", beside.name),
                ("offset", offset),
                ("length", len(raw)),
            ):
                weight.external_data.add(key=key, value=str(value))
    path.write_bytes(out.SerializeToString(deterministic=True))


def _is_same(one: ndarray, other: ndarray) -> bool:
    """Whether two arrays are the same weights but for a few that were rounded otherwise."""
    return one.shape == other.shape and float((one == other).mean()) > _MOSTLY


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
