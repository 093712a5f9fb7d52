"""Try every shipped analysis on a box of 4 GB and two cores, with the runtime packages alone.

``python -m tools.small_box --new FOLDER`` makes an environment with nothing but what medloop
runs on, then runs a whole ``medloop analyze`` of each analysis there, on a case of the data
sets in MEDLOOP_DATA or a drawn one. Without ``--new`` it takes the environment of ``--python``,
or its own. Exits 1 if an analysis fails, lacks its report, or needs more memory.

Memory is bounded by RLIMIT_DATA, which counts all private memory that is allocated, used or
not: stricter than memory that is resident. The peak told is of what is resident. Linux only.
"""

import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.child import Limits, Ran
from tools.footprints import analyze
from tools.trial_cases import case_of

from medloop.apps.bootstrap import OFFERS

ROOT = Path(__file__).parents[1]
WANTED = ("result.json", "report.html", "report.pdf")
_TORCH = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is not None)"


@dataclass(frozen=True, slots=True)
class Tried:
    """How one analysis fared; `problem` is empty if all was well."""

    analysis: str
    case: str
    ran: Ran
    problem: str

    def told(self) -> str:
        """Say it in one line."""
        how = self.problem or "done"
        took = f"{self.ran.peak_mb:.0f} MB at the peak, {self.ran.seconds:.0f} s"
        return f"{self.analysis}: {how}: {took} ({self.case})"


def new_environment(folder: Path) -> str:
    """Install medloop without extras, as ``pip install medloop`` would; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", "constraints.txt", "."], cwd=ROOT, check=True)
    return python


def has_torch(python: str) -> bool:
    """Whether an environment has more than a small box needs."""
    return subprocess.run([python, "-c", _TORCH], check=False).returncode != 0


def attempt(name: str, python: str, limits: Limits, data: Path | None) -> Tried:
    """Run one analysis within the limits, and look for what it should have written."""
    with tempfile.TemporaryDirectory(prefix="medloop-") as folder:
        scratch = Path(folder)
        case = case_of(name, scratch / "case", data)
        ran = analyze(name, case, scratch, python=python, limits=limits)
        return Tried(name, case.words, ran, _problem(ran, scratch / "out", limits))


def _problem(ran: Ran, out: Path, limits: Limits) -> str:
    if ran.code:
        return f"exits {ran.code}: {' '.join(ran.errors.split())[-300:]}"
    rows = json.loads((out / "summary.json").read_text(encoding="utf-8"))["results"]
    if [row["outcome"] for row in rows] != ["done"]:
        return "; ".join(row["reason"] for row in rows) or "nothing was analyzed"
    missing = [name for name in WANTED if not (out / rows[0]["path"] / name).is_file()]
    if missing:
        return f"{', '.join(missing)} missing"
    if limits.data_bytes is not None and ran.peak_mb * 1e6 > limits.data_bytes:
        return "too much memory"
    return ""


def main(typed: Sequence[str]) -> int:
    """Try the analyses, a line each; return the exit code."""
    parser = ArgumentParser(prog="python -m tools.small_box")
    parser.add_argument("--new", type=Path, metavar="FOLDER", help="environment to make")
    parser.add_argument("--python", default=sys.executable, help="environment to take")
    parser.add_argument("--memory-gb", type=float, default=4.0)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--analysis", action="append", choices=list(OFFERS), dest="names")
    options = parser.parse_args(typed)
    python = options.python if options.new is None else new_environment(options.new)
    note = ", torch is installed: more than a small box has" if has_torch(python) else ""
    print(f"RLIMIT_DATA {options.memory_gb:g} GB, {options.cores} cores, {python}{note}")
    limits = Limits(int(options.memory_gb * 1e9), options.cores)
    place = os.environ.get("MEDLOOP_DATA")
    data = None if place is None else Path(place)
    tried = []
    for name in options.names or OFFERS:
        tried.append(attempt(name, python, limits, data))
        print(tried[-1].told(), flush=True)
    return int(any(each.problem for each in tried))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
