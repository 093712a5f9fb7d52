import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.runtime import measure, report

from medloop.models.bundle import load_bundle
from medloop.models.engines import Machine
from tests.clinical.brains import a_bundle

SIDES = {"eager_fp32_ms", "fp32_ms", "bf16_ms", "int8_ms"}


@pytest.mark.slow
@pytest.mark.train
def test_every_side_that_is_here_is_timed_and_others_are_none(tmp_path):
    pytest.importorskip("torch")
    bundle = load_bundle(a_bundle(tmp_path / "hippocampus"))
    (told,) = report(measure([bundle], 1)).values()
    assert set(told) == SIDES
    assert told["int8_ms"] is None
    assert (told["bf16_ms"] is not None) == Machine.here().has_bf16
    assert all(told[side] > 0 for side in ("eager_fp32_ms", "fp32_ms"))


@pytest.mark.slow
@pytest.mark.train
def test_the_command_prints_one_json_object_and_nothing_else(tmp_path):
    pytest.importorskip("torch")
    folder = a_bundle(tmp_path / "hippocampus")
    command = [sys.executable, "-m", "benchmarks", "runtime", "--json", "--runs", "1"]
    done = subprocess.run(
        [*command, "--bundle", str(folder)],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    told = json.loads(done.stdout)
    assert list(told) == ["bundles"]
    assert set(told["bundles"]["hippocampus"]) == SIDES
