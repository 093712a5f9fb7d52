"""What a keeper is called: who shares a database with it must be called otherwise."""

from pathlib import Path

import pytest

from medloop.apps.keeper import keeper_name
from medloop.apps.settings import Settings


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Let the settings stand in a file."""

    def write(name: str) -> None:
        (tmp_path / name).write_text("")
        monkeypatch.setenv("MEDLOOP_CONFIG", str(tmp_path / name))

    return write


def test_two_nodes_of_a_host_have_keepers_of_different_names(configured):
    configured("a.toml")
    one = keeper_name(Settings(home=Path("/srv/one")))
    assert keeper_name(Settings(home=Path("/srv/other"))) != one
    configured("b.toml")
    assert keeper_name(Settings(home=Path("/srv/one"))) != one


def test_a_keeper_has_the_same_name_after_a_restart(configured):
    configured("a.toml")
    assert keeper_name(Settings(home=Path("/srv"))) == keeper_name(Settings(home=Path("/srv")))
