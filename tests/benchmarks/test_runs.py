import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.runs import in_turns, median, ratio, table

ROOT = Path(__file__).parents[2]


def listed(*arguments):
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_sides_take_turns_after_one_round_that_is_not_counted():
    called = []
    times = in_turns({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, 2)
    assert called == ["a", "b"] * 3
    assert {name: len(each) for name, each in times.items()} == {"a": 2, "b": 2}


def test_a_ratio_is_the_median_over_pairs_of_one_round():
    times = {"slow": [10.0, 40.0, 12.0], "fast": [5.0, 10.0, 2.0]}
    assert ratio(times, "slow", "fast") == 4.0
    assert median(times, "slow") == 12.0


def test_a_side_that_was_not_run_has_neither_median_nor_ratio():
    assert median({"a": [1.0]}, "b") is None
    assert ratio({"a": [1.0]}, "a", "b") is None


def test_a_table_has_dashes_for_what_is_not_known():
    assert table(["side", "ms"], [["a", 1.2345], ["b", None]]).splitlines() == [
        "| side | ms   |",
        "|------|------|",
        "| a    | 1.23 |",
        "| b    | -    |",
    ]


def test_without_a_name_every_benchmark_is_listed():
    names = {path.stem for path in (ROOT / "benchmarks").glob("*.py") if is_one(path)}
    told = [line.split(maxsplit=1) for line in listed().stdout.splitlines()]
    assert {name for name, _ in told} == names
    assert all(summary.endswith(".") for _, summary in told)


def is_one(path):
    return "def main(" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["nothing", "machine"])
def test_a_name_that_is_no_benchmark_is_refused(name):
    done = listed(name)
    assert done.returncode == 1
    assert "no benchmark" in done.stderr


def test_a_benchmark_whose_peer_is_not_installed_is_skipped_by_name():
    program = (
        "import runpy, sys; sys.modules['torch'] = None; sys.argv = ['benchmarks', 'whole'];"
        "runpy.run_module('benchmarks', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "whole: skipped, torch is not installed"
