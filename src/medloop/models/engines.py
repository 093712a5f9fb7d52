"""The engines that run a network: OpenVINO on x86-64 processors, ONNX Runtime elsewhere."""

import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from medloop.models.bundle import sha256_of
from medloop.models.compiled import Compiled

_KEPT_SHAPES: Final = 4  # compiled networks kept, one an input size
_BF16_FLAGS: Final = {"amx_bf16", "avx512_bf16"}
_WITH_CUDA: Final = "onnxruntime-gpu"  # the package of ONNX Runtime that uses NVIDIA devices
_CUDA_DRIVERS: Final = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidiactl"))
_PROVIDERS: Final[Mapping[str, Mapping[str, str]]] = {  # fastest first
    "TensorrtExecutionProvider": {},
    "CUDAExecutionProvider": {"use_tf32": "0"},  # else FP32 keeps ten bits of its mantissa
    "CoreMLExecutionProvider": {},
    "CPUExecutionProvider": {},
}


class Precision(StrEnum):
    """How a network computes; ``auto`` is the fastest that keeps its accuracy."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    INT8 = "int8"


class Predictor(Protocol):
    """A network ready to run."""

    def run(self, x: Float[ndarray, "b c *s"], /) -> Mapping[str, ndarray]:
        """Map an input batch to named outputs."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What speed depends on besides network and input: `engine` is its name and version."""

    engine: str
    processor: str
    cores: int
    has_bf16: bool

    @classmethod
    def here(cls) -> "Machine":
        """Look at this machine, without loading an engine."""
        engine = engine_here()
        version = next(filter(None, map(_version, (engine, _WITH_CUDA))), "")
        model, flags = _processor()
        bf16 = engine == "openvino" and bool(_BF16_FLAGS & flags)
        return cls(f"{engine} {version}", model, _cores(), bf16)


def engine_here() -> str:
    """Choose ``"openvino"`` where it is installed and no NVIDIA device can be used."""
    if importlib.util.find_spec("openvino") is None or _has_cuda():
        return "onnxruntime"
    return "openvino"


def providers_of(available: list[str]) -> list[tuple[str, dict[str, str]]]:
    """Order ONNX Runtime's providers, fastest first, with their settings.

    What is on the list and turns out not to work is passed over by ONNX Runtime itself.
    """
    return [(name, dict(how)) for name, how in _PROVIDERS.items() if name in available]


@dataclass(slots=True, eq=False)
class OpenVinoPredictor:
    """OpenVINO on the CPU, compiled for each input size it meets; `kept` holds what once was.

    `precision` is FP32 or BF16, or INT8 where `path` is a quantized network: what of it is not
    quantized computes in FP32.
    """

    path: Path
    precision: Precision = Precision.FP32
    kept: Compiled | None = None
    _compiled: dict[tuple[int, ...], Any] = field(default_factory=dict)  # ov.CompiledModel

    def run(self, x: Float[ndarray, "b c *s"]) -> Mapping[str, ndarray]:
        """Infer in the precision it was opened with; answers are FP32."""
        compiled = self._compiled.get(x.shape)
        if compiled is None:
            compiled = self._compile(x.shape)
        outputs = compiled([x])
        return {port.get_any_name(): np.asarray(value) for port, value in outputs.items()}

    def _compile(self, shape: tuple[int, ...]) -> Any:  # noqa: ANN401 (OpenVINO is untyped)
        import openvino as ov  # noqa: PLC0415 (half a second that other commands need not pay)

        core = ov.Core()
        hint = "bf16" if self.precision is Precision.BF16 else "f32"
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint}
        key = self._key(shape, settings) if self.kept else ()
        compiled = None
        if self.kept and (network := self.kept.load(*key)):
            with suppress(RuntimeError):  # what OpenVINO raises of a network it cannot use
                compiled = core.import_model(network, "CPU", settings)
        if compiled is None:
            model = core.read_model(self.path)
            model.reshape(list(shape))
            compiled = core.compile_model(model, "CPU", settings)
            if self.kept:
                self.kept.keep(compiled.export_model().getvalue(), *key)
        while len(self._compiled) >= _KEPT_SHAPES:
            self._compiled.pop(next(iter(self._compiled)))
        self._compiled[shape] = compiled
        return compiled

    def _key(self, shape: tuple[int, ...], settings: Mapping[str, str]) -> tuple[object, ...]:
        """Name all that a compiled network depends on; a twin's numbers stand beside it."""
        files = (self.path, *sorted(self.path.parent.glob("*.onnx")))
        weights = tuple(sha256_of(file) for file in files)
        return weights, shape, sorted(settings.items()), Machine.here(), sorted(_processor()[1])


@dataclass(slots=True, eq=False)
class OnnxRuntimePredictor:
    """ONNX Runtime on the fastest device it reports: TensorRT, CUDA, CoreML, or the CPU.

    `is_on_cpu` keeps it on the CPU. `precision` only says which weights `path` holds.
    """

    path: Path
    precision: Precision = Precision.FP32
    is_on_cpu: bool = False
    _session: Any = None  # onnxruntime.InferenceSession, untyped

    def run(self, x: Float[ndarray, "b c *s"]) -> Mapping[str, ndarray]:
        """Infer in FP32, or as a quantized network says."""
        if self._session is None:
            self._session = self._open()
        session = self._session
        names = [output.name for output in session.get_outputs()]
        values = session.run(names, {session.get_inputs()[0].name: x})
        return dict(zip(names, values, strict=True))

    def _open(self) -> Any:  # noqa: ANN401 (untyped)
        import onnxruntime as ort  # noqa: PLC0415 (slow to import)

        every = ["CPUExecutionProvider"] if self.is_on_cpu else ort.get_available_providers()
        return ort.InferenceSession(str(self.path), providers=providers_of(every))


def _has_cuda() -> bool:
    """Whether an NVIDIA device is here and ONNX Runtime was installed to use it."""
    return bool(_version(_WITH_CUDA)) and any(path.exists() for path in _CUDA_DRIVERS)


def _version(package: str) -> str:
    """Version of an installed package, or nothing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux alone has it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> tuple[str, set[str]]:
    """Model and instruction sets of the processor; the latter are known on Linux only."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine(), set()
    lines = (line.partition(":") for line in text.split("\n\n", 1)[0].splitlines())
    first = {key.strip(): value.strip() for key, _, value in lines}
    model = " ".join(
        first.get(key, "") for key in ("model name", "cpu family", "model", "stepping")
    )
    return model.strip() or platform.machine(), set(first.get("flags", "").split())
