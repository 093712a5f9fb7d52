"""The gate of an INT8 twin: how much its bundle's main figure falls, and what the card says."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import onnx
from jaxtyping import Float32
from numpy import ndarray

from medloop.learning.integers import operations, ranked, restored
from medloop.models.predict import Predictor

MOST_LOST: Final = 0.005  # half a point
MOST_CASES: Final = 32  # to calibrate on
SHARES: Final = (0, 1 / 8, 1 / 4, 1 / 2)  # of operations in FP32, round by round
_MOST_BYTES: Final = 256 * 2**20  # of batches kept meanwhile


@dataclass(frozen=True, slots=True)
class Gate:
    """What the twin was judged by: the figure in FP32 and in INT8, and what stayed in FP32."""

    figure: str
    fp32: float
    int8: float
    in_fp32: tuple[str, ...]
    operations: int

    @property
    def passed(self) -> bool:
        """Whether the figure fell by half a point at most."""
        return self.fp32 - self.int8 <= MOST_LOST + 1e-12

    @property
    def reason(self) -> str:
        """Say in one line what was found."""
        fell = f"{self.figure} {self.fp32:.4f} in FP32, {self.int8:.4f} in INT8"
        kept = f"{len(self.in_fp32)} of {self.operations} operations in FP32"
        return f"{fell} with {kept}; it may fall by {MOST_LOST}"


@dataclass(slots=True, eq=False)
class Recorder:
    """Lets a network answer and keeps what it was asked, spread over all, up to some bytes."""

    network: Predictor
    most_bytes: int = _MOST_BYTES
    kept: list[Float32[ndarray, "b c *s"]] = field(default_factory=list)
    _every: int = 1
    _asked: int = 0

    def run(self, x: Float32[ndarray, "b c *s"], /) -> Mapping[str, ndarray]:
        """Answer; of what would be too much, every second batch is forgotten."""
        if self._asked % self._every == 0:
            self.kept.append(x.copy())
            if len(self.kept) > 1 and sum(each.nbytes for each in self.kept) > self.most_bytes:
                del self.kept[1::2]
                self._every *= 2
        self._asked += 1
        return self.network.run(x)


@dataclass(slots=True, eq=False)
class Rounding:
    """A network in FP32 and in INT8, and the batches that it was calibrated on."""

    reference: onnx.ModelProto
    whole: onnx.ModelProto
    batches: Sequence[Float32[ndarray, "b c *s"]]
    _order: tuple[str, ...] = ()

    def operations(self) -> tuple[str, ...]:
        """Name the operations that compute on INT8 numbers."""
        return operations(self.whole)

    def spared(self, share: float) -> tuple[str, ...]:
        """Name that share of the operations: those that move the answers furthest."""
        if share and not self._order:
            self._order = ranked(self.whole, self.reference, self.batches)
        return self._order[: math.ceil(share * len(self.operations()))]

    def with_spared(self, share: float) -> onnx.ModelProto:
        """Make the network in which they compute in FP32."""
        return restored(self.whole, self.reference, self.spared(share))


def with_verdict(
    card: Mapping[str, Any], gate: Gate, about: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a card that says what the gate found, on what, and whether INT8 may be used."""
    found = {
        "passed": gate.passed,
        "figure": gate.figure,
        "fp32": round(gate.fp32, 6),
        "int8": round(gate.int8, 6),
        "most_lost": MOST_LOST,
        "operations": gate.operations,
        "reason": gate.reason,
    }
    precision = {**card.get("precision", {}), "int8": gate.passed}
    return {**card, "precision": precision, "int8": {**found, **about}}
