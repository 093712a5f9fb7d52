"""Several studies in one command, beside one by one; and how soon a command asks a network.

``python -m benchmarks pipeline [--analysis NAME] [INPUT ...] [--processes] [--runs 3]``: a warm
worker analyzes all inputs in one call, where reading, analysis and writing overlap, and one by
one; with ``--processes`` by ``medloop analyze`` for each, one after the other, too. Without
inputs, eight photographs of a fundus are drawn. ``start`` is how long it takes from the command
line until the first network is set up and its batch is ready, on OpenVINO, the compiled network
being kept from an earlier command.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
from tests.phantoms import a_fundus

from benchmarks.machine import describe, engines, keep_to
from benchmarks.runs import in_turns, median, note, ratio, table
from medloop.apps.analyze import analyze_into
from medloop.apps.bootstrap import choose_analyses
from medloop.apps.settings import load_settings

TOGETHER, ALONE, PROCESSES = "in one call", "one by one", "a process each"
CORES, PHOTOGRAPHS, SIZE = 2, 8, (1411, 1411)
# A command that ends where its first network, set up, would be asked, and says when that was.
ASKING = """
import os, sys, time
from medloop.apps.cli import main
from medloop.models.engines import OpenVinoPredictor
compiling = OpenVinoPredictor._compile
def end(self, shape):
    compiling(self, shape)
    print(time.time(), flush=True)
    os._exit(0)
OpenVinoPredictor._compile = end
main(sys.argv[1:])
"""


def photographs(folder: Path) -> list[Path]:
    """Draw photographs, each a little darker than the one before."""
    rgb = a_fundus(size=(712, 712)).picture.array
    big = cv2.resize(rgb[..., ::-1], SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    paths = [folder / f"eye{n}.jpg" for n in range(PHOTOGRAPHS)]
    for n, path in enumerate(paths):
        shade = cv2.convertScaleAbs(big, alpha=1 - 0.02 * n)
        cv2.imwrite(str(path), shade, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return paths


def command(analysis: str, inputs: Sequence[Path], out: Path) -> list[str]:
    """Return what is typed after ``medloop``."""
    return ["analyze", *map(str, inputs), "--analysis", analysis, "-o", str(out)]


def start_s(analysis: str, of: Path, out: Path, runs: int) -> float:
    """Median of the seconds that a command takes until it asks; the first is not counted."""
    took = []
    for _ in range(runs + 1):
        began = time.time()
        typed = [sys.executable, "-c", ASKING, *command(analysis, [of], out)]
        told = subprocess.run(typed, check=True, capture_output=True, text=True).stdout
        took.append(float(told) - began)
    return statistics.median(took[1:])


@dataclass(frozen=True, slots=True)
class Found:
    """Seconds until a command asks, and of each side; how many times as fast one call is."""

    analysis: str
    inputs: int
    start_s: float
    seconds: dict[str, float]
    ratio: dict[str, float | None]


def measure(options: argparse.Namespace, folder: Path) -> Found:
    """Time all sides and the start."""
    inputs = options.inputs or photographs(folder)
    analyses = choose_analyses([options.analysis], load_settings())

    def one_by_one() -> None:
        for each in inputs:
            analyze_into([each], folder / "alone", analyses, language="en")

    def together() -> None:
        analyze_into(inputs, folder / "together", analyses, language="en")

    def processes() -> None:
        for each in inputs:
            typed = command(options.analysis, [each], folder / "processes")
            medloop = [sys.executable, "-m", "medloop.apps.cli", *typed]
            subprocess.run(medloop, check=True, capture_output=True)

    sides = {ALONE: one_by_one, TOGETHER: together}
    if options.processes:
        sides[PROCESSES] = processes
    times = in_turns(sides, options.runs)
    return Found(
        options.analysis,
        len(inputs),
        start_s(options.analysis, inputs[0], folder / "start", options.runs),
        {name: (median(times, name) or 0) / 1000 for name in sides},
        {name: ratio(times, name, TOGETHER) for name in sides if name != TOGETHER},
    )


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", metavar="INPUT", nargs="*", type=Path)
    parser.add_argument("--analysis", default="retina")
    parser.add_argument("--processes", action="store_true", help="a cold command each, too")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    keep_to(CORES)
    note(f"{describe()}; {engines()}")
    with tempfile.TemporaryDirectory() as name:
        found = measure(options, Path(name))
    if options.json:
        print(json.dumps(asdict(found)))
        return
    rows = [(name, each, found.ratio.get(name)) for name, each in found.seconds.items()]
    print(f"{found.inputs} of {found.analysis}; start {found.start_s:.2f} s")
    print(table(("side", "s", f"{TOGETHER} is so many times as fast"), rows))


if __name__ == "__main__":
    main()
