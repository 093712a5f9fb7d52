"""Each shipped bundle's network: PyTorch eager in FP32 beside medloop in FP32, BF16 and INT8.

``python -m benchmarks runtime [--json] [--runs 10] [--bundle NAME ...] [--plot FILE.png]``: one
batch of the shape that an analysis asks about (a window, a photograph's canvas; of lung nodules
16 places for each of the two networks, added), with the weights of the bundle on all sides.
All sides have two cores and take turns; medians of 10 rounds, of 3 where a run exceeds a
minute; ratios are medians over pairs of one round. ``null`` stands for a side that cannot be:
no PyTorch, a processor without BF16, a bundle without an INT8 twin. With ``--json`` stdout is
one JSON object, ``{"bundles": {name: {"eager_fp32_ms", "fp32_ms", "bf16_ms", "int8_ms"}}}``.
"""

import argparse
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray

from benchmarks.machine import describe, engines, keep_to
from benchmarks.plots import bars
from benchmarks.runs import Times, in_turns, median, note, ratio, table
from medloop.core.errors import InputError
from medloop.imaging.fundus import find_field
from medloop.models.bundle import Bundle, load_bundle, shipped_bundles
from medloop.models.canvas import normalize, place
from medloop.models.engines import Precision, Predictor
from medloop.models.nodule_plan import NodulePlan
from medloop.models.plan import Plan
from medloop.models.predict import open_predictor

EAGER, CORES, PLACES = "eager_fp32_ms", 2, 16
OURS = {"fp32_ms": Precision.FP32, "bf16_ms": Precision.BF16, "int8_ms": Precision.INT8}
SIDES = (EAGER, *OURS)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One network of a bundle and what it is asked; `weights` is None for the first network."""

    weights: Path | None
    x: ndarray


def asked_of(bundle: Bundle) -> Sequence[Asked]:
    """List what an analysis asks of each network of a bundle at once."""
    rng = np.random.default_rng(0)
    plan = bundle.plan
    if isinstance(plan, Plan):
        return (Asked(None, a_canvas(plan)),)
    if isinstance(plan, NodulePlan):
        cubes, slices = (PLACES, 1, *plan.cube), (PLACES, 3, *plan.cube[1:])
        return (Asked(None, _noise(cubes, rng)), Asked(bundle.screen, _noise(slices, rng)))
    size = plan.size if not hasattr(plan, "patch") else plan.patch
    return (Asked(None, _noise((1, len(plan.channels), *size), rng)),)


def a_canvas(plan: Plan) -> ndarray:
    """Draw a photograph and place its field on the network's canvas."""
    from tests.phantoms import a_fundus  # noqa: PLC0415 (other bundles need no phantom)

    rgb = a_fundus().picture.array
    canvas, _ = place(rgb, find_field(rgb), plan)
    return normalize(canvas, plan)


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


def sides_of(bundle: Bundle) -> Mapping[str, Callable[[], object]]:
    """Open every way to answer that there is here."""
    asked = asked_of(bundle)
    found: dict[str, list[Predictor]] = {}
    for side, precision in OURS.items():
        try:
            found[side] = [
                open_predictor(bundle, precision=precision, weights=each.weights)
                for each in asked
            ]
        except InputError as why:
            note(f"{bundle.name}: {side} is null: {why}")
    peer = _eager(bundle, asked)
    ways = {**({EAGER: peer} if peer else {}), **found}
    return {side: _answering(networks, asked) for side, networks in ways.items()}


def _answering(networks: Sequence[Predictor], asked: Sequence[Asked]) -> Callable[[], object]:
    return lambda: [network.run(each.x) for network, each in zip(networks, asked, strict=True)]


def _eager(bundle: Bundle, asked: Sequence[Asked]) -> list[Predictor]:
    """Open a bundle in PyTorch, and say by how much its answers differ."""
    if importlib.util.find_spec("torch") is None:
        note(f"{bundle.name}: {EAGER} is null: PyTorch is not installed")
        return []
    from benchmarks.eager import eager  # noqa: PLC0415 (imports torch)

    networks: list[Predictor] = []
    for each in asked:
        weights = each.weights or bundle.weights
        try:
            network = eager(bundle, weights, threads=CORES)
        except ValueError as why:  # another program made it: only its ONNX file is known
            note(f"{bundle.name}: {EAGER} is null: {why}")
            return []
        ours = open_predictor(bundle, precision=Precision.FP32, weights=each.weights)
        wanted, told = ours.run(each.x), network.run(each.x)
        off = max(float(np.abs(wanted[name] - told[name]).max()) for name in wanted)
        note(f"{bundle.name}: {weights.name} {each.x.shape}, answers differ by {off:.1e}")
        networks.append(network)
    return networks


def measure(bundles: Sequence[Bundle], runs: int) -> Mapping[str, Times]:
    """Time every side of every bundle."""
    found = {}
    for bundle in bundles:
        found[bundle.name] = in_turns(sides_of(bundle), runs)
        told = {side: median(found[bundle.name], side) for side in SIDES}
        note(f"{bundle.name}: " + ", ".join(f"{k} {v:.1f}" for k, v in told.items() if v))
    return found


def report(found: Mapping[str, Times]) -> Mapping[str, Mapping[str, float | None]]:
    """Return what ``--json`` prints: medians in milliseconds, three decimals."""
    return {
        name: {
            side: None if (ms := median(times, side)) is None else round(ms, 3)
            for side in SIDES
        }
        for name, times in found.items()
    }


def told(found: Mapping[str, Times]) -> str:
    """Lay the medians and their ratios to eager out as a table."""
    head = ["bundle", "eager ms", *(name.removesuffix("_ms") + " ms" for name in OURS)]
    head += [f"{name.removesuffix('_ms')} times as fast" for name in OURS]
    rows = [
        [name, *(median(times, s) for s in SIDES), *(ratio(times, EAGER, s) for s in OURS)]
        for name, times in found.items()
    ]
    return table(head, rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--bundle", nargs="+", default=shipped_bundles())
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    keep_to(CORES)
    found = measure([load_bundle(name) for name in options.bundle], options.runs)
    if options.plot:
        ratios = {
            side.removesuffix("_ms"): {
                name: ratio(times, EAGER, side) for name, times in found.items()
            }
            for side in OURS
        }
        bars(options.plot, ratios, "times as fast as PyTorch eager FP32, two cores")
    if options.json:
        print(json.dumps({"bundles": report(found)}))
        return
    print(describe(), engines(), sep="; ")
    print(told(found))
