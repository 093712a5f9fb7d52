"""A little of the soak: a receiver that is killed loses nothing it acknowledged."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_killed_receiver_loses_nothing_it_acknowledged():
    command = [sys.executable, "-m", "tests.soak.receiving", "--kills", "3", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
    assert "0 lost, 0 damaged" in done.stdout
