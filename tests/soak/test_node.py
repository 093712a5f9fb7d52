"""A small part of the node's hours of soaking: a whole node, hurt at random moments."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
for extra in ("fastapi", "pynetdicom", "uvicorn", "argon2", "skimage"):
    pytest.importorskip(extra)

ROOT = Path(__file__).parents[2]


def test_a_node_that_is_killed_three_times_keeps_what_it_promised():
    """In a process of its own: sockets that were cut are left to that one's collector."""
    if shutil.which("Orthanc") is None and shutil.which("Orthanc", path="/usr/sbin") is None:
        pytest.skip("Orthanc is not installed")
    command = [sys.executable, "-m", "tests.soak.node", "--kills", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("3 kills")
    figures = re.search(r"(\d+) objects acknowledged.* (\d+) reports in the PACS", done.stdout)
    assert figures is not None
    assert min(int(count) for count in figures.groups()) > 0
