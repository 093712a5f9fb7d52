"""Runs that take turns, so that what disturbs a machine disturbs all sides alike."""

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

SLOW_MS = 60_000  # what takes longer is run three times
SLOW_RUNS = 3

Times = Mapping[str, Sequence[float]]  # milliseconds of each run, by side


def note(text: str) -> None:
    """Tell whoever waits; never on stdout, which may be read by a program."""
    print(text, file=sys.stderr, flush=True)


def milliseconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def in_turns(sides: Mapping[str, Callable[[], object]], runs: int) -> Times:
    """Time the sides one after the other, again and again; the first round is not counted.

    `runs` rounds, or `SLOW_RUNS` where a side takes over a minute.
    """
    slowest = max((milliseconds(work) for work in sides.values()), default=0)
    rounds = min(runs, SLOW_RUNS) if slowest > SLOW_MS else runs
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, work in sides.items():
            times[name].append(milliseconds(work))
    return times


def median(times: Times, side: str) -> float | None:
    """Median of a side's runs, or none where it was not run."""
    return statistics.median(times[side]) if times.get(side) else None


def ratio(times: Times, base: str, side: str) -> float | None:
    """How many times as fast as `base` a side is: the median over pairs of one round."""
    if not times.get(base) or not times.get(side):
        return None
    pairs = zip(times[base], times[side], strict=True)
    return statistics.median(slow / fast for slow, fast in pairs)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Lay out a table in Markdown; numbers get three digits, none becomes a dash."""
    told = [[_told(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[n]) for row in told) for n in range(len(head))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in told
    ]
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _told(cell: object) -> str:
    if cell is None:
        return "-"
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
