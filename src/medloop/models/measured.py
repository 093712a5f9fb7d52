"""Which precision answers fastest here: measured once a machine, network and input shape.

FP32 is the reference. Another precision is taken only if it is a tenth faster, and BF16 only if
its answers to a real batch stay near the reference: of probabilities, 99.9 % within 0.01; of
everything else (logits, boxes), all within 2 % of the largest value.
"""

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from medloop.models.engines import Machine, Precision, Predictor

_SCHEMA: Final = "medloop.measured/1"
_SHARES: Final = ("probability", "heat")  # outputs between 0 and 1
_NEAR: Final = 0.01
_MOST: Final = 0.999  # of the voxels must be that near
_RELATIVE: Final = 0.02
_FASTER: Final = 0.9  # of the reference's time: less gain is not worth another rounding
_ENOUGH_S: Final = 0.1  # of repeating
_REPEATS: Final = 3
_KEPT: Final = 500  # measurements, the latest

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: a network, an input shape, the precisions to choose from, a machine.

    `sha256` is of the network's weights, and after a plus sign of its INT8 twin's.
    """

    bundle: str
    sha256: str
    offered: tuple[str, ...]
    shape: tuple[int, ...] = ()
    engine: str = ""
    processor: str = ""
    cores: int = 0

    def on(self, machine: Machine, shape: tuple[int, ...]) -> "Subject":
        """Name the same network on a machine, with an input shape."""
        return replace(
            self,
            shape=shape,
            engine=machine.engine,
            processor=machine.processor,
            cores=machine.cores,
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds a batch of each precision that was tried, which were `refused`, the choice.

    `refused` says by how much an answer was off; where that is beyond the tolerance, the
    precision was not timed.
    """

    subject: Subject
    chosen: Precision
    ms: Mapping[str, float]
    refused: Mapping[str, str] = field(default_factory=dict)

    def told(self) -> str:
        """Say it in one line, the fastest first."""
        shape = "x".join(str(n) for n in self.subject.shape)
        times = sorted(self.ms.items(), key=lambda item: item[1])
        parts = [f"{name} {ms:.3g} ms" for name, ms in times]
        parts += [f"{name} refused ({why})" for name, why in self.refused.items()]
        return f"{shape}: {', '.join(parts)}; auto takes {self.chosen}"


@dataclass(frozen=True, slots=True)
class Memory:
    """A JSON file of measurements. One that cannot be read is empty, or written is left out."""

    path: Path

    def all(self) -> tuple[Measured, ...]:
        """Return everything remembered, the oldest first."""
        try:
            raw = json.loads(self.path.read_text(encoding="utf-8"))
            if raw["schema"] != _SCHEMA:
                return ()
            return tuple(_measured(each) for each in raw["measured"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return ()

    def recall(self, subject: Subject) -> Measured | None:
        """Return what was measured of a subject, whatever its bundle was called."""
        return _find(self.all(), subject)

    def keep(self, measured: Measured) -> Measured:
        """Add a measurement; what is known of the subject already holds, and is returned."""
        known = self.all()
        before = _find(known, measured.subject)
        if before is not None:
            return before
        rows = [asdict(each) for each in (*known, measured)[-_KEPT:]]
        text = json.dumps({"schema": _SCHEMA, "measured": rows}, indent=1) + "\n"
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(text, encoding="utf-8")
            part.replace(self.path)
        except OSError:
            with suppress(OSError):
                part.unlink()
        return measured


def measure(
    subject: Subject,
    networks: Mapping[Precision, Callable[[], Predictor]],
    x: Float[ndarray, "b c *s"],
    *,
    checked: Sequence[Precision] = (),
    clock: Clock = time.perf_counter,
) -> Measured:
    """Time each network on one batch, FP32 first; those `checked` must also answer like it.

    One network is open at a time. Each is run once, then repeated at most three times or for
    0.1 s, and its shortest time counts. The first run takes what setting up takes, too.
    """
    answer, first = _time(networks[Precision.FP32](), x, clock)
    ms, refused = {Precision.FP32: first}, {}
    for precision, opened in networks.items():
        if precision is Precision.FP32:
            continue
        other, took = _time(opened(), x, clock)
        why = too_far(answer, other) if precision in checked else ""
        if why:
            refused[precision] = why
        else:
            ms[precision] = took
    fastest = min(ms, key=lambda precision: ms[precision])
    chosen = fastest if ms[fastest] <= _FASTER * first else Precision.FP32
    rounded = {str(name): float(f"{each:.4g}") for name, each in ms.items()}
    return Measured(subject, chosen, rounded, {str(k): v for k, v in refused.items()})


def too_far(reference: Mapping[str, ndarray], other: Mapping[str, ndarray]) -> str:
    """Say by how much answers differ where that is beyond the tolerance; else nothing."""
    for name, wanted in reference.items():
        off = np.abs(np.asarray(other[name], np.float64) - np.asarray(wanted, np.float64))
        if not off.size:
            continue
        limit = _NEAR
        share = float(np.quantile(off, _MOST))
        if name not in _SHARES:
            limit, share = _RELATIVE * float(np.abs(wanted).max()), float(off.max())
        if not share <= limit:  # NaN too
            return f"{name} differs by {share:.3g}, limit {limit:.3g}"
    return ""


def _time(
    network: Predictor, x: Float[ndarray, "b c *s"], clock: Clock
) -> tuple[Mapping[str, ndarray], float]:
    """Return a copy of a network's answer, and the milliseconds one takes."""
    answer = {name: np.array(value) for name, value in network.run(x).items()}
    least, started = math.inf, clock()
    for _ in range(_REPEATS):
        before = clock()
        network.run(x)
        after = clock()
        least = min(least, after - before)
        if after - started > _ENOUGH_S:
            break
    return answer, least * 1000


def _find(known: Sequence[Measured], subject: Subject) -> Measured | None:
    """Find a subject under whatever name its bundle had."""
    for each in known:
        if replace(each.subject, bundle=subject.bundle) == subject:
            return each
    return None


def _measured(raw: Mapping[str, object]) -> Measured:
    subject, ms, refused = raw["subject"], raw["ms"], raw["refused"]
    if not (isinstance(subject, dict) and isinstance(ms, dict) and isinstance(refused, dict)):
        raise TypeError("no measurement")
    shape = tuple(int(n) for n in subject["shape"])
    offered = tuple(str(name) for name in subject["offered"])
    return Measured(
        Subject(**{**subject, "shape": shape, "offered": offered}),
        Precision(str(raw["chosen"])),
        {str(name): float(each) for name, each in ms.items()},
        {str(name): str(each) for name, each in refused.items()},
    )
