"""What runs medloop as a service says what is true, and systemd understands it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from medloop.apps.settings import load_settings
from medloop.apps.site import load_site
from tests.peers import free_port

PACKAGING = Path(__file__).parent.parent / "packaging"


@pytest.fixture
def unit(tmp_path):
    """The unit, with a program that is there."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    text = (PACKAGING / "medloop.service").read_text()
    path = tmp_path / "medloop.service"
    path.write_text(text.replace("/opt/medloop/bin/medloop", shutil.which("true")))
    return path


def analyze(*arguments):
    command = [shutil.which("systemd-analyze"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_systemd_understands_the_unit(unit):
    found = analyze("verify", unit)
    assert (found.returncode, found.stderr) == (0, "")


def test_the_unit_exposes_little(unit):
    found = analyze("security", "--offline=true", "--threshold=25", unit)
    if "Unknown command verb" in found.stderr or "unrecognized option" in found.stderr:
        pytest.skip("this systemd cannot judge a unit offline")
    assert found.returncode == 0, found.stdout[-300:]


def test_the_settings_that_come_with_it_are_understood_and_listen_on_this_machine_only():
    environment = {"MEDLOOP_CONFIG": str(PACKAGING / "medloop.toml")}
    load_settings(environment)
    site = load_site(environment)
    assert {site.dicom.host, site.web.host} == {"127.0.0.1"}


def test_what_they_suggest_is_understood_too(tmp_path):
    text = (PACKAGING / "medloop.toml").read_text()
    suggested = re.sub(r"^# (?=[\[a-z_]+(\]| = ))", "", text, flags=re.MULTILINE)
    path = tmp_path / "medloop.toml"
    path.write_text(suggested)
    assert len(tomllib.loads(suggested)["source"]) == 1
    site = load_site({"MEDLOOP_CONFIG": str(path)})
    assert (site.sources[0].every, site.destinations[0].name) == ("5 min", "pacs")


def test_the_image_runs_as_nobody_special_and_holds_what_is_copied():
    lines = (PACKAGING / "Containerfile").read_text().splitlines()
    assert "USER 10001" in lines
    copied = [
        line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--" not in line
    ]
    missing = [n for names in copied for n in names if not (PACKAGING.parent / n).exists()]
    assert missing == []


def test_a_node_that_is_away_is_not_healthy():
    command = [sys.executable, str(PACKAGING / "healthcheck.py"), str(free_port())]
    assert subprocess.run(command, check=False, timeout=30).returncode == 1
