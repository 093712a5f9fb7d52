"""Run a network: OpenVINO on x86-64 processors, ONNX Runtime elsewhere."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.models.bundle import INT8_WEIGHTS, Bundle

_KEPT_SHAPES = 4  # compiled networks kept, one an input size


class Precision(StrEnum):
    """How a network computes; ``auto`` is the fastest whose accuracy the card vouches for."""

    AUTO = "auto"
    FP32 = "fp32"
    INT8 = "int8"


class Predictor(Protocol):
    """A network ready to run."""

    def run(self, x_BCHW: Float[ndarray, "b c h w"]) -> Mapping[str, ndarray]:
        """Map an input batch to named outputs."""


def open_predictor(
    bundle: Bundle, *, precision: str = Precision.AUTO, engine: str = "auto"
) -> Predictor:
    """Load a bundle's weights into an engine, ``"openvino"`` or ``"onnxruntime"``.

    Raises
    ------
    InputError
        If INT8 is asked for and the bundle has no INT8 twin.
    """
    path = bundle.weights
    twin = bundle.folder / INT8_WEIGHTS
    if Precision(precision) is Precision.INT8:
        if not twin.is_file():
            raise InputError(f"bundle {bundle.name} has no INT8 weights; use --precision fp32")
        path = twin
    return open_weights(path, engine=engine)


def open_weights(path: Path, *, engine: str = "auto") -> Predictor:
    """Load an ONNX file into an engine, ``"openvino"`` or ``"onnxruntime"``."""
    if engine == "auto":
        engine = "openvino" if importlib.util.find_spec("openvino") else "onnxruntime"
    if engine == "openvino":
        return OpenVinoPredictor(path)
    return OnnxRuntimePredictor(path)


@dataclass(slots=True, eq=False)
class OpenVinoPredictor:
    """OpenVINO on the CPU, compiled for each input size it meets."""

    path: Path
    _compiled: dict[tuple[int, ...], Any] = field(default_factory=dict)  # ov.CompiledModel

    def run(self, x_BCHW: Float[ndarray, "b c h w"]) -> Mapping[str, ndarray]:
        """Infer in FP32."""
        compiled = self._compiled.get(x_BCHW.shape)
        if compiled is None:
            compiled = self._compile(x_BCHW.shape)
        outputs = compiled([x_BCHW])
        return {port.get_any_name(): np.asarray(value) for port, value in outputs.items()}

    def _compile(self, shape: tuple[int, ...]) -> Any:  # noqa: ANN401 (OpenVINO is untyped)
        import openvino as ov  # noqa: PLC0415 (half a second that other commands need not pay)

        core = ov.Core()
        model = core.read_model(self.path)
        model.reshape(list(shape))
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(model, "CPU", settings)
        while len(self._compiled) >= _KEPT_SHAPES:
            self._compiled.pop(next(iter(self._compiled)))
        self._compiled[shape] = compiled
        return compiled


@dataclass(slots=True, eq=False)
class OnnxRuntimePredictor:
    """ONNX Runtime on the CPU."""

    path: Path
    _session: Any = None  # onnxruntime.InferenceSession, untyped

    def run(self, x_BCHW: Float[ndarray, "b c h w"]) -> Mapping[str, ndarray]:
        """Infer in FP32."""
        if self._session is None:
            import onnxruntime as ort  # noqa: PLC0415 (slow to import)

            self._session = ort.InferenceSession(
                str(self.path), providers=["CPUExecutionProvider"]
            )
        session = self._session
        names = [output.name for output in session.get_outputs()]
        values = session.run(names, {session.get_inputs()[0].name: x_BCHW})
        return dict(zip(names, values, strict=True))
