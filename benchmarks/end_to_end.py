"""Each analysis from file to finished folder, its networks by PyTorch eager or by medloop.

``python -m benchmarks end_to_end [--analysis NAME ...] [--runs 3]``: the same warm worker
reads, prepares, measures, and writes report and DICOM objects; only what runs the networks
differs. A photograph of 4288 x 2848 pixels and a CT of 133 slices of 512 x 512 are drawn; a
hippocampus that the network knows as one is the first of ``MEDLOOP_DATA``, and is left out
where that is not set. ``networks`` is the step that holds the networks, with what belongs to
it (placing, blending, search for candidates), and ``rest`` all other steps; of the lungs these
hold maps of what the first network looked at, for which it is asked again.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.analyze_photograph import picture_in
from benchmarks.eager import eager
from benchmarks.machine import describe, engines, keep_to
from benchmarks.memory import DRAWN, written
from benchmarks.plots import bars
from benchmarks.runs import in_turns, median, note, ratio, table
from medloop.apps.analyze import analyze_into
from medloop.apps.bootstrap import OFFERS
from medloop.apps.bundles import find_bundle
from medloop.apps.console import UsageError
from medloop.apps.settings import Settings, load_settings
from medloop.core.errors import InputError
from medloop.models.bundle import shipped_bundles
from medloop.workflow.ports import Analysis

EAGER, PRECISIONS, CORES, SLICES = "PyTorch eager", ("fp32", "bf16", "int8"), 2, 133
BRAINS = "msd_hippocampus/images*/**/hippocampus_*.nii.gz"


def case_of(name: str, folder: Path) -> Path:
    """Draw what an analysis reads, as files."""
    if name == "retina":
        return picture_in(folder, None)
    if name == "hippocampus":
        return min(Path(os.environ["MEDLOOP_DATA"]).glob(BRAINS))
    written(name, SLICES, folder / "ct")
    return folder / "ct"


def with_eager(analysis: Any, name: str, settings: Settings) -> Analysis:  # noqa: ANN401 (each analysis has its own fields)
    """Put PyTorch's networks where the analysis has its predictors."""
    bundles = [find_bundle(each, settings) for each in OFFERS[name].bundles]
    network = partial(eager, threads=CORES)
    if name == "retina":
        parts = {
            part: replace(getattr(analysis, part), predictor=network(bundle, bundle.weights))
            for part, bundle in zip(("grading", "lesions"), bundles, strict=True)
        }
        return replace(analysis, **parts)
    (bundle,) = bundles
    if name == "lung":
        pair = {
            "screen": network(bundle, bundle.screen),
            "review": network(bundle, bundle.weights),
        }
        return replace(analysis, networks=replace(analysis.networks, **pair))
    predictor = network(bundle, bundle.weights)
    return replace(analysis, network=replace(analysis.network, predictor=predictor))


def sides_of(name: str) -> Mapping[str, Analysis]:
    """Build an analysis for each side that can be here."""
    settings = replace(load_settings(), precision="fp32")
    sides: dict[str, Analysis] = {}
    for precision in PRECISIONS:
        try:
            sides[precision] = OFFERS[name].build(replace(settings, precision=precision))
        except (UsageError, InputError) as why:
            note(f"{name}: no {precision}: {why}")
    return {EAGER: with_eager(sides["fp32"], name, settings), **sides}


def run(analysis: Analysis, source: Path, out: Path, seen: list[Mapping[str, float]]) -> None:
    """Analyze; append the seconds of each step.

    Raises
    ------
    SystemExit
        If the analysis does not answer.
    """
    summary = analyze_into([source], out, (analysis,), language="en")
    (row,) = summary.rows
    if row.outcome != "done":
        raise SystemExit(f"{row.analysis} {row.outcome}: {row.reason}")
    record = json.loads((out / row.path / "result.json").read_text(encoding="utf-8"))
    seen.append(record["timings_s"])


def measured(name: str, runs: int) -> list[list[object]]:
    """Time all sides of an analysis; one row of the table each."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = case_of(name, folder)
        seen: dict[str, list[Mapping[str, float]]] = {}
        work: dict[str, Callable[[], object]] = {}
        for n, (side, analysis) in enumerate(sides_of(name).items()):
            seen[side] = []
            work[side] = partial(run, analysis, source, folder / str(n), seen[side])
        times = in_turns(work, runs)
    rows: list[list[object]] = []
    for side in times:
        infer = statistics.median(step["infer"] for step in seen[side][1:])
        whole = (median(times, side) or 0) / 1000
        rows.append([name, side, whole, ratio(times, EAGER, side), infer, whole - infer])
        note(f"{name}, {side}: {whole:.2f} s, of it networks {infer:.2f} s")
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = {"retina", *DRAWN}
    if any(Path(os.environ.get("MEDLOOP_DATA") or "/nowhere").glob(BRAINS)):
        known.add("hippocampus")
    here = set(shipped_bundles())
    names = [n for n in OFFERS if n in known and here >= set(OFFERS[n].bundles)]
    parser.add_argument("--analysis", nargs="+", choices=names, default=names)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    keep_to(CORES)
    rows = [row for name in options.analysis for row in measured(name, options.runs)]
    print(describe(), engines(), sep="; ")
    head = ["analysis", "networks by", "s", "times as fast", "networks s", "rest s"]
    print(table(head, rows))
    if options.plot:
        shown: dict[str, dict[str, float | None]] = {}
        for name, side, _, fast, *_ in rows:
            if isinstance(fast, float) and side != EAGER:
                shown.setdefault(str(side), {})[str(name)] = fast
        bars(options.plot, shown, "times as fast as with PyTorch eager, file to folder")
