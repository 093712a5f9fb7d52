"""On Ray a training is what it is under ``torchrun``."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch")

from medloop.core.errors import InputError
from medloop.learning.cluster import train_on_ray
from medloop.learning.order import Order
from medloop.learning.recipes import retina_grading
from tests.learning.segmentation.volumes import some_volumes

pytestmark = pytest.mark.train
ROOT = Path(__file__).parents[2]
SETTINGS = {
    "epochs": 2,
    "steps": 4,
    "batch": 2,
    "width": 8,
    "patch": "16x16x16",
    "of_folds": 2,
    "folds": "0",
    "final": "false",
}


def losses(starter, data, out, *more):
    sets = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    words = ("train", "segmentation", "--data", str(data), "-o", str(out), "--device", "cpu")
    done = subprocess.run(
        [*starter, "-m", "medloop.apps.cli", *words, *sets, *more],
        cwd=ROOT,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    curve = (out / "work" / "fold0.curve.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in curve]


@pytest.mark.slow
@pytest.mark.whole
@pytest.mark.timeout(1800)
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
def test_two_processes_on_ray_learn_as_two_of_torchrun(tmp_path):
    data = some_volumes(tmp_path / "data", 4)
    run = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    by_torchrun = losses((sys.executable, "-m", *run), data, tmp_path / "torchrun")
    on_ray = losses((sys.executable,), data, tmp_path / "ray", "--ray", "2")
    assert len(on_ray) == 2
    assert on_ray == by_torchrun


def test_no_process_is_refused(tmp_path):
    order = Order(retina_grading(), tmp_path, tmp_path / "out")
    with pytest.raises(InputError, match="one process or more"):
        train_on_ray(order, -1, report=lambda _m: None, tell=lambda _t: None)
