"""All benchmarks that need no data of their own, on one page with tables and plots.

``python -m benchmarks page [-o out/bench] [--only NAME ...]``: runs each in a process of its
own, one after the other, and writes OUT/index.md, OUT/*.png and OUT/seconds.json. What fails or
exceeds ten minutes is said on the page, and the rest goes on.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import describe, engines
from benchmarks.runs import note
from benchmarks.workers import ROOT

LONGEST_S = 600
TABLE = re.compile(r"(?<=[^|\n])\n\|")  # its first line, right below a paragraph


@dataclass(frozen=True, slots=True)
class Part:
    """One benchmark of the page; `plots` says that it draws one."""

    title: str
    name: str
    arguments: tuple[str, ...] = ()
    plots: bool = True

    @property
    def stem(self) -> str:
        """Name of its files on the page."""
        return "-".join([self.name, *(a.strip("-") for a in self.arguments[:1])])


EAGER = ("--eager", "--bundle", "hippocampus", "--slices", "256", "--width", "56")
PARTS = (
    Part("Networks: PyTorch eager and medloop", "runtime"),
    Part("From file to folder", "end_to_end"),
    Part("Several studies in one call", "pipeline", plots=False),
    Part("Windows, a light network", "windows"),
    Part("Windows, peers on PyTorch", "windows", EAGER),
    Part("A CT to labels, a network of random weights", "whole"),
    Part("SEG of 98 structures", "seg"),
    Part("Peak memory of 600 slices", "memory"),
    Part("Surface distances", "surface", plots=False),
    Part("Indexing DICOM", "index_folder", plots=False),
    Part("Reading a CT", "read_ct", plots=False),
    Part("Augmentation", "augment", plots=False),
    Part("Receiving a CT", "receive", plots=False),
)


def run(part: Part, out: Path) -> tuple[str, float]:
    """Run one benchmark; return its part of the page and its seconds."""
    plot = out / f"{part.stem}.png"
    command = [sys.executable, "-m", "benchmarks", part.name, *part.arguments]
    command += ["--plot", str(plot)] if part.plots else []
    began = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=LONGEST_S, check=False
        )
        told = done.stdout.strip()
        told += f"\n\nfailed: exit code {done.returncode}" if done.returncode else ""
    except subprocess.TimeoutExpired:
        told = f"stopped after {LONGEST_S} s"
    spent = time.perf_counter() - began
    asked = " ".join(["python -m benchmarks", part.name, *part.arguments])
    shown = f"\n\n![{part.title}]({plot.name})" if plot.is_file() else ""
    body = TABLE.sub("\n\n|", told) if "|---" in told else f"```text\n{told}\n```"
    return f"## {part.title}\n\n`{asked}`, {spent:.0f} s\n\n{body}{shown}\n", spent


def main() -> None:
    """Run all and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path("out/bench"))
    names = [part.name for part in PARTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat(timespec="minutes")
    page = [f"# Benchmarks\n\n{now}; {describe()}; {engines()}\n"]
    spent_s = {}
    for part in PARTS:
        if part.name in options.only:
            note(f"== {part.title}")
            told, spent_s[part.name] = run(part, out)
            page.append(told)
            (out / "index.md").write_text("\n".join(page), encoding="utf-8")
    (out / "seconds.json").write_text(json.dumps(spent_s, indent=2) + "\n", encoding="utf-8")
    print(out / "index.md")
