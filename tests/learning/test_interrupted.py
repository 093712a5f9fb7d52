"""Trainings that are killed, stopped, or find the disk full: the last checkpoint is intact."""

import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from medloop.apps import learn  # noqa: E402
from medloop.learning.loop import Progress, Run, fit  # noqa: E402
from medloop.learning.order import Milestone  # noqa: E402
from tests.learning.segmentation.volumes import some_volumes  # noqa: E402
from tests.learning.test_loop import (  # noqa: E402
    SCHEDULE,
    a_network,
    are_equal,
    batches,
    loss,
)

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(1800)]
ROOT = Path(__file__).parents[2]
SETTINGS = {
    "epochs": 6,
    "steps": 3,
    "batch": 2,
    "width": 8,
    "patch": "16x16x16",
    "of_folds": 2,
    "folds": "0",
    "final": "false",
    "accumulate": 2,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return some_volumes(tmp_path_factory.mktemp("data"), 4)


def command(data, out, *more):
    sets = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    words = ("train", "segmentation", "--data", str(data), "-o", str(out), "--device", "cpu")
    return [sys.executable, "-m", "medloop.apps.cli", *words, *sets, *more]


def finish(data, out, *more):
    done = subprocess.run(
        command(data, out, *more), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def kill(data, out, epochs, wait_s, *more):
    """Send SIGKILL `wait_s` after `epochs` epochs; return False if it came too late."""
    started = subprocess.Popen(
        command(data, out, *more), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    told = 0
    while told < epochs and (line := started.stderr.readline()):
        told += line.startswith("fold0 epoch")
    time.sleep(wait_s)
    started.kill()
    started.communicate()
    return started.returncode == -signal.SIGKILL


def test_a_training_killed_again_and_again_ends_in_the_same_bytes(data, tmp_path):
    finish(data, tmp_path / "whole")
    out = tmp_path / "killed"
    kills = [
        kill(data, out, 1, 0.0),  # as soon as an epoch is told
        kill(data, out, 1, 0.05, "--resume"),  # somewhere in the next
        kill(data, out, 2, 0.01, "--resume"),
    ]
    assert sum(kills) >= 2
    finish(data, out, "--resume")
    ours, theirs = (
        torch.load(folder / "work/fold0.pt", weights_only=True)
        for folder in (out, tmp_path / "whole")
    )
    assert all(ours[k].numpy().tobytes() == theirs[k].numpy().tobytes() for k in theirs)
    assert (out / "folds/fold0.json").read_bytes() == (
        tmp_path / "whole/folds/fold0.json"
    ).read_bytes()
    curve = (out / "work/fold0.curve.jsonl").read_text().splitlines()
    epochs = [line.split(",")[0] for line in curve]
    assert epochs == [f'{{"epoch": {n}' for n in range(1, 7)]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_asked_to_stop_says_how_to_go_on(data, tmp_path, sent):
    started = subprocess.Popen(
        command(data, tmp_path / "out", "--set", "epochs=500"),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        # jobs in the background inherit a SIGINT that is ignored
        preexec_fn=lambda: signal.signal(sent, signal.SIG_DFL),  # noqa: PLW1509
    )
    while not started.stderr.readline().startswith("fold0 epoch 1"):
        assert started.poll() is None
    started.send_signal(sent)
    _, said = started.communicate()
    assert started.returncode == 130
    assert "--resume goes on from the last finished epoch" in said
    assert "Traceback" not in said
    assert torch.load(tmp_path / "out/work/fold0.checkpoint", weights_only=True)["epoch"] >= 1


def resumed_equals_uninterrupted(checkpoint) -> bool:
    """Compare in a fresh process, as the first epoch ran: this one may compute otherwise."""
    program = (
        "import sys; from pathlib import Path; from tests.learning import test_interrupted;"
        "sys.exit(not test_interrupted.is_resumed_as_it_was(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", program, str(checkpoint)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def is_resumed_as_it_was(checkpoint) -> bool:
    seen = []
    run = Run(1, checkpoint=checkpoint, resume=True)
    resumed = fit(a_network(), batches, loss, SCHEDULE, run, seen.append)
    assert seen[0].epoch == 2
    return are_equal(resumed, fit(a_network(), batches, loss, SCHEDULE, Run(1)))


def test_files_that_may_not_grow_end_clearly_and_leave_the_last_checkpoint(tmp_path):
    program = [sys.executable, "-m", "tests.learning.a_full_disk", str(tmp_path)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "checkpoint cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    assert resumed_equals_uninterrupted(tmp_path / "checkpoint")


def test_a_disk_that_is_full_ends_clearly_and_leaves_the_last_checkpoint(tmp_path):
    """A file system of 64 kB that is filled after the first epoch, where one may be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    how = (str(mount), "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk))
    if not (mount and unmount) or subprocess.run(how, check=False).returncode:
        pytest.skip("no file system may be mounted here")

    program = [sys.executable, "-m", "tests.learning.a_full_disk", str(disk), "others"]
    try:
        done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "checkpoint cannot be written" in done.stderr
        assert (disk / "others").stat().st_size < 100_000
        shutil.copy(disk / "checkpoint", tmp_path / "kept")
    finally:
        subprocess.run([str(unmount), "-l", str(disk)], check=True)
    assert resumed_equals_uninterrupted(tmp_path / "kept")


def test_a_request_to_stop_that_a_callback_swallowed_is_heard_after_the_epoch(monkeypatch):
    asked = threading.Event()
    monkeypatch.setattr(learn, "stop_asked", asked)
    milestone = Milestone("fold0", Progress(1, 2, 0.5, 1.0, 1.0), 0)
    learn._note_epoch(milestone)
    asked.set()
    with pytest.raises(KeyboardInterrupt):
        learn._note_epoch(milestone)
