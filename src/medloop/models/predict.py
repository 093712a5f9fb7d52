"""Run a bundle's network in the precision asked for, or in the fastest that keeps its answers.

A measurement (`models.measured`) costs a second or so, once a machine. So it is made only where
eight batches or more are coming, or have been answered in earlier cases; and only between
cases, so that each is answered in one precision throughout. Until then FP32 answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from jaxtyping import Float
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.core.finding import Weights
from medloop.models.bundle import Bundle, sha256_of
from medloop.models.compiled import Compiled
from medloop.models.engines import (
    Machine,
    OnnxRuntimePredictor,
    OpenVinoPredictor,
    Precision,
    Predictor,
    engine_here,
)
from medloop.models.measured import Measured, Memory, Subject, measure
from medloop.models.plan import Plan

__all__ = [
    "FastestPredictor",
    "Networks",
    "OnnxRuntimePredictor",
    "OpenVinoPredictor",
    "Precision",
    "Predictor",
    "answered",
    "end_case",
    "expect",
    "open_predictor",
    "open_weights",
]

Networks = Mapping[str, Predictor]  # of a bundle, by the file that holds each one's weights
_WORTH: Final = 8  # batches


def open_predictor(
    bundle: Bundle,
    *,
    precision: str = Precision.AUTO,
    engine: str = "auto",
    memory: Memory | None = None,
    weights: Path | None = None,
) -> Predictor:
    """Load a bundle's weights into an engine, ``"openvino"`` or ``"onnxruntime"``.

    ``auto`` measures, and remembers in `memory`; without one it is FP32. Beside the memory's
    file stands a folder of networks that OpenVINO has compiled. `weights` names
    another network of the bundle than its first (what screens for nodules).

    Raises
    ------
    InputError
        If INT8 is asked for and the bundle has no INT8 twin, or BF16 and the processor or
        engine does not compute in it.
    """
    path, wanted = weights or bundle.weights, Precision(precision)
    twin = bundle.twin(path)
    kept = Compiled(memory.path.with_name("compiled")) if memory else None
    if wanted is Precision.INT8:
        if twin is None:
            raise InputError(f"bundle {bundle.name} has no INT8 weights; use --precision fp32")
        return open_weights(twin, engine=engine, precision=wanted, kept=kept)
    if wanted is Precision.BF16:
        _require_bf16(engine)
        return open_weights(path, engine=engine, precision=wanted, kept=kept)
    if wanted is not Precision.AUTO or memory is None or engine != "auto":
        return open_weights(path, engine=engine, kept=kept)
    machine = Machine.here()
    networks = _networks(bundle, path, twin, machine, kept)
    if len(networks) == 1:
        return open_weights(path, engine=engine, kept=kept)
    sha256 = bundle.sha256 if weights is None else sha256_of(path)
    if twin is not None and Precision.INT8 in networks:
        sha256 += f"+{sha256_of(twin)}"
    subject = Subject(bundle.name, sha256, tuple(str(name) for name in networks))
    checked = () if _says(bundle, "bf16") else (Precision.BF16,)
    return FastestPredictor(networks, partial(subject.on, machine), memory, checked)


def open_weights(
    path: Path,
    *,
    engine: str = "auto",
    precision: Precision = Precision.FP32,
    kept: Compiled | None = None,
) -> Predictor:
    """Load an ONNX file into an engine, ``"openvino"`` or ``"onnxruntime"``.

    `precision` must be what the file holds (INT8, or FP32), or BF16 on OpenVINO, whose compiled
    networks are kept in `kept`.
    """
    engine = engine_here() if engine == "auto" else engine
    if engine == "openvino":
        return OpenVinoPredictor(path, precision, kept)
    return OnnxRuntimePredictor(path, precision)


@dataclass(slots=True, eq=False)
class FastestPredictor:
    """A network in the precision that was measured fastest, FP32 where none was.

    `networks` opens it in each precision, FP32 among them; `checked` are those whose answers
    are compared with FP32's.
    """

    networks: Mapping[Precision, Callable[[], Predictor]]
    subject: Callable[[tuple[int, ...]], Subject]
    memory: Memory
    checked: Sequence[Precision] = ()
    _chosen: dict[tuple[int, ...], Precision | None] = field(default_factory=dict)
    _open: dict[Precision, Predictor] = field(default_factory=dict)
    _answered: dict[tuple[int, ...], int] = field(default_factory=dict)
    _case: dict[tuple[int, ...], Precision] = field(default_factory=dict)

    def run(self, x: Float[ndarray, "b c *s"]) -> Mapping[str, ndarray]:
        """Answer in the precision chosen for batches of this shape."""
        shape = x.shape
        precision = self._recall(shape) or Precision.FP32
        self._answered[shape] = self._answered.get(shape, 0) + 1
        self._case[shape] = precision
        if precision not in self._open:
            self._open[precision] = self.networks[precision]()
        return self._open[precision].run(x)

    def expect(self, batches: int, x: Float[ndarray, "b c *s"]) -> None:
        """Measure on `x` if so many batches like it are worth it and none was answered.

        What was answered earlier in a case decides in which precision the rest is.
        """
        shape = x.shape
        is_worth = max(batches, self._answered.get(shape, 0)) >= _WORTH
        if not is_worth or shape in self._case or self._recall(shape) is not None:
            return
        self._open.clear()  # one at a time: measuring must not need memory for two
        found = measure(self.subject(shape), self.networks, x, checked=self.checked)
        self._take(shape, self.memory.keep(found))

    def finish(self) -> str:
        """End a case: return the precision it was answered in, joined by ``+`` if several."""
        names = sorted({str(precision) for precision in self._case.values()})
        self._case.clear()
        return "+".join(names) or str(Precision.FP32)

    def _recall(self, shape: tuple[int, ...]) -> Precision | None:
        """Return the choice for a shape; the file is read when a shape is first met."""
        if shape not in self._chosen:
            self._take(shape, self.memory.recall(self.subject(shape)))
        return self._chosen[shape]

    def _take(self, shape: tuple[int, ...], found: Measured | None) -> None:
        is_usable = found is not None and found.chosen in self.networks
        self._chosen[shape] = found.chosen if found is not None and is_usable else None


def expect(predictor: Predictor, batches: int, x: Float[ndarray, "b c *s"]) -> None:
    """Tell a network, before the first, how many batches like `x` are coming."""
    if isinstance(predictor, FastestPredictor):
        predictor.expect(batches, x)


def end_case(predictor: Predictor) -> None:
    """Tell a network that what comes belongs to another case, where no record is kept."""
    if isinstance(predictor, FastestPredictor):
        predictor.finish()


def answered(identity: Weights, predictor: Predictor) -> Weights:
    """End a case: add to a network's identity the precision in which it answered it."""
    if isinstance(predictor, FastestPredictor):
        return replace(identity, precision=predictor.finish())
    if isinstance(predictor, OpenVinoPredictor | OnnxRuntimePredictor):
        return replace(identity, precision=str(predictor.precision))
    return identity


def _networks(
    bundle: Bundle, path: Path, twin: Path | None, machine: Machine, kept: Compiled | None
) -> Mapping[Precision, Callable[[], Predictor]]:
    """Ways to open a bundle that ``auto`` may choose from."""
    files = {Precision.FP32: path}
    if machine.has_bf16 and _may_round(bundle):
        files[Precision.BF16] = path
    if twin is not None and _says(bundle, "int8"):
        files[Precision.INT8] = twin
    return {
        precision: partial(open_weights, file, precision=precision, kept=kept)
        for precision, file in files.items()
    }


def _may_round(bundle: Bundle) -> bool:
    """Whether BF16 may be tried.

    Grades of photographs must not change with the machine, and the trees that read the outlines
    were grown on those of FP32: so of photographs only where the card says so.
    """
    return _says(bundle, "bf16", default=not isinstance(bundle.plan, Plan))


def _says(bundle: Bundle, precision: str, *, default: bool = False) -> bool:
    """Whether the card's table ``precision`` vouches for one (``bf16 = true``)."""
    table = bundle.card.get("precision")
    said = table.get(precision) if isinstance(table, Mapping) else None
    return said if isinstance(said, bool) else default


def _require_bf16(engine: str) -> None:
    machine = Machine.here()
    if engine == "onnxruntime" or not machine.has_bf16:
        raise InputError("this processor or engine has no BF16; use --precision fp32")
