"""Processes that each hold one side of a comparison and run it when asked.

A process of its own gives a side a peak memory of its own; all of them stay, so that sides can
take turns without loading anything again.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.machine import peak_mb
from benchmarks.runs import SLOW_MS, SLOW_RUNS, milliseconds, note

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, eq=False)
class Worker:
    """A side in a process of its own."""

    process: subprocess.Popen[str]
    asks: IO[str]
    answers: IO[str]

    @classmethod
    def start(cls, benchmark: str, arguments: Sequence[str]) -> "Worker":
        """Start ``python -m benchmarks BENCHMARK ARGUMENTS``, which calls `serve`."""
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks", benchmark, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without pipes")
        return cls(process, process.stdin, process.stdout)

    def ask(self) -> Mapping[str, Any]:
        """Have it run once; return what it says, without what libraries print.

        Raises
        ------
        RuntimeError
            If the process ended instead.
        """
        self.asks.write("\n")
        self.asks.flush()
        said = iter(self.answers.readline, "")
        line = next((each for each in said if each.startswith("{")), "")
        if not line:
            raise RuntimeError(f"a side ended with exit code {self.process.wait()}")
        return json.loads(line)

    def stop(self) -> None:
        """Let it end."""
        self.asks.close()
        self.process.wait()
        self.answers.close()


def serve(work: Callable[[], object], **about: object) -> None:
    """Run `work` for each line of stdin; tell milliseconds and the peak memory it added.

    Whatever else writes to stdout is sent to stderr.
    """
    out, sys.stdout = sys.stdout, sys.stderr
    before = peak_mb(resource.RUSAGE_SELF)
    for _ in sys.stdin:
        ms = milliseconds(work)
        added = peak_mb(resource.RUSAGE_SELF) - before
        print(json.dumps({"ms": ms, "added_mb": added, **about}), file=out, flush=True)


def in_turns(
    sides: Mapping[str, Worker], runs: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Ask all sides in turn, again and again; milliseconds of each run, and memory added.

    The first round is not counted, unless a side takes over a minute; then there are three.
    """
    first = {name: worker.ask() for name, worker in sides.items()}
    is_slow = max(each["ms"] for each in first.values()) > SLOW_MS
    times = {name: [each["ms"]] if is_slow else [] for name, each in first.items()}
    added = {name: float(each["added_mb"]) for name, each in first.items()}
    for _ in range(min(runs, SLOW_RUNS) - 1 if is_slow else runs):
        for name, worker in sides.items():
            told = worker.ask()
            times[name].append(told["ms"])
            added[name] = float(told["added_mb"])
    for name, each in times.items():
        note(f"{name}: {', '.join(f'{ms / 1000:.2f}' for ms in each)} s, {added[name]:.0f} MB")
    return times, added
