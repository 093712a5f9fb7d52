"""A bundle as models of NVIDIA's Triton Inference Server: one model for each of its networks.

The layout and the words of config.pbtxt are those of Triton's model repository and of its
message ModelConfig. What Triton serves are networks; what goes in and what follows from the
answers is medloop's, as ``plan.json`` says.
"""

import json
import re
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from medloop.core.errors import InputError
from medloop.models.bundle import CARD, FOREST, HASHES, INT8, PLAN, Bundle, sha256_of

_LARGEST_BATCH: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TYPES: Final[Mapping[str, str]] = {  # of ONNX Runtime and of Triton
    "tensor(float)": "TYPE_FP32",
    "tensor(float16)": "TYPE_FP16",
    "tensor(bfloat16)": "TYPE_BF16",
    "tensor(double)": "TYPE_FP64",
    "tensor(int64)": "TYPE_INT64",
    "tensor(int32)": "TYPE_INT32",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(int8)": "TYPE_INT8",
    "tensor(bool)": "TYPE_BOOL",
}

_LEANS_ON: Final = {twin: network for network, twin in INT8.items()}  # share whole numbers


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a network; an axis of free length is -1."""

    name: str
    type: str  # Triton's
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ports:
    """All inputs and outputs of a network."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @property
    def take_batches(self) -> bool:
        """Whether the first axis of everything is free: Triton may then join requests."""
        return all(port.shape[0] == -1 for port in (*self.inputs, *self.outputs))


def write_triton_models(bundle: Bundle, repository: Path) -> tuple[Path, ...]:
    """Write a model for each network into a repository, which may hold others; return them.

    Each has ``config.pbtxt``, ``1/model.onnx`` (the bundle's file as it is), and beside them
    the bundle's card and plan. An INT8 twin also has the file that holds the whole numbers it
    shares. All appear whole, or none.

    Raises
    ------
    InputError
        If the repository has one of the models already, the bundle's name is no plain word, or
        a network has an input or output that Triton has no word for.
    """
    networks = networks_of(bundle)
    targets = tuple(repository / name for name in networks)
    for target in targets:
        if target.exists():
            raise InputError(f"{target} is there already: export to another repository")
    part = repository.with_name(f".{uuid.uuid4().hex}")
    try:
        for name, network in networks.items():
            _write_model(part / name, bundle, network)
        repository.mkdir(parents=True, exist_ok=True)
        for target in targets:
            (part / target.name).rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return targets


def networks_of(bundle: Bundle) -> Mapping[str, Path]:
    """Return the ONNX files that a bundle vouches for, by the name of their model.

    ``weights.onnx`` has the bundle's name, others add theirs: ``lung_nodules_screen``,
    ``hippocampus_int8`` (``weights.int8.onnx``).

    Raises
    ------
    InputError
        If the bundle's name is no plain word.
    """
    if not _NAME.fullmatch(bundle.name):
        raise InputError(f"bundle {bundle.name!r}: a model's name is letters, digits, . _ -")
    sealed = json.loads((bundle.folder / HASHES).read_text(encoding="utf-8"))
    paths = [path for path in sorted(bundle.folder.glob("*.onnx")) if path.name in sealed]
    return {_model_name(bundle.name, path): path for path in paths}


def ports_of(network: Path) -> Ports:
    """Read the names, types and shapes of a network's inputs and outputs.

    Raises
    ------
    InputError
        If Triton has no word for one of them, or its shape is not known.
    """
    import onnxruntime as ort  # noqa: PLC0415 (slow to import)

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(network), options, ["CPUExecutionProvider"])
    inputs = tuple(_port(each, network) for each in session.get_inputs())
    return Ports(inputs, tuple(_port(each, network) for each in session.get_outputs()))


def config_of(name: str, ports: Ports, *, is_forest: bool = False) -> str:
    """Return the text of config.pbtxt.

    Trees stay on the CPU; networks go to the GPU where Triton has one. Where the first axis of
    everything is free, Triton joins requests of one shape into batches of 64 at most.
    """
    head = [
        f'name: "{name}"',
        'platform: "onnxruntime_onnx"',
        'backend: "onnxruntime"',
        f"max_batch_size: {_LARGEST_BATCH if ports.take_batches else 0}",
    ]
    start = 1 if ports.take_batches else 0
    return "\n".join(
        [
            *head,
            *_listed("input", ports.inputs, start),
            *_listed("output", ports.outputs, start),
            f"instance_group [{{ count: 1 kind: {'KIND_CPU' if is_forest else 'KIND_AUTO'} }}]",
            *(["dynamic_batching { }"] if ports.take_batches else []),
            "",
        ]
    )


def _write_model(folder: Path, bundle: Bundle, network: Path) -> None:
    config = config_of(folder.name, ports_of(network), is_forest=network.name == FOREST)
    told = f"# {bundle.name} {bundle.version}, SHA-256 of the network {sha256_of(network)}\n"
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(told + config, encoding="utf-8")
    shutil.copyfile(network, folder / "1" / "model.onnx")
    if network.name in _LEANS_ON:
        beside = network.with_name(_LEANS_ON[network.name])
        shutil.copyfile(beside, folder / "1" / beside.name)
    for document in (CARD, PLAN):
        shutil.copyfile(bundle.folder / document, folder / document)


def _model_name(bundle: str, network: Path) -> str:
    parts = [part for part in network.stem.split(".") if part != "weights"]
    return "_".join([bundle, *parts])


def _port(found: Any, network: Path) -> Port:  # noqa: ANN401 (ONNX Runtime is untyped)
    if found.type not in _TYPES:
        raise InputError(f"{network.name}: {found.name} is {found.type}, which Triton lacks")
    if not found.shape:
        raise InputError(f"{network.name}: {found.name} has no shape")
    free = tuple(size if isinstance(size, int) else -1 for size in found.shape)
    return Port(str(found.name), _TYPES[found.type], free)


def _listed(what: str, ports: Sequence[Port], start: int) -> list[str]:
    rows = [
        f"  {{ name: {json.dumps(port.name)} data_type: {port.type}"
        f" dims: [ {', '.join(str(size) for size in port.shape[start:])} ] }}"
        for port in ports
    ]
    return [f"{what} [", ",\n".join(rows), "]"]
