"""A little of the soak: what no sender should say does the receiver no harm."""

import random
import subprocess
import sys

import pytest

from tests.soak.pdus import conversation, mutated


def test_a_seed_makes_the_same_conversation_again():
    one, other = (mutated(random.Random("1.7")) for _ in range(2))  # noqa: S311
    assert one == other
    assert any(mutated(random.Random(n)) != conversation() for n in range(5))  # noqa: S311


@pytest.mark.slow
def test_malformed_pdus_do_no_harm():
    command = [sys.executable, "-m", "tests.soak.pdus", "--count", "200", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
    assert "no problem" in done.stdout
