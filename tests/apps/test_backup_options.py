"""Backup, restore, verify and prune from the command line."""

import json
import os

import pytest

from medloop.apps.cli import main
from medloop.store import open_store
from tests.store.kept import with_result


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with a store that holds a study and its result."""
    monkeypatch.setenv("MEDLOOP_HOME", str(tmp_path / "home"))
    store = open_store(tmp_path / "home")
    with_result(store, tmp_path / "files")
    for sha256 in store.archive.objects():
        os.utime(store.archive.path(sha256), (0, 0))
    store.close()
    return tmp_path / "home"


def test_a_store_is_backed_up_lost_and_restored(home, tmp_path, monkeypatch, capsys):
    assert main(["backup", str(tmp_path / "backup")]) == 0
    assert "6 files, 6 new" in capsys.readouterr().out
    monkeypatch.setenv("MEDLOOP_HOME", str(tmp_path / "new"))
    assert main(["restore", str(tmp_path / "backup")]) == 0
    assert main(["verify"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no differences" in captured.err


def test_a_difference_is_one_line_and_exit_3(home, capsys):
    (home / "results/1.2/retina-1/report.html").unlink()
    assert main(["verify"]) == 3
    assert capsys.readouterr().out == "job 1: report.html of its result is missing\n"


def test_a_backup_does_not_go_into_the_store_itself(home, capsys):
    assert main(["backup", str(home / "backup")]) == 2
    assert "within the store" in capsys.readouterr().err


def test_a_restore_over_a_store_is_refused(home, tmp_path, capsys):
    main(["backup", str(tmp_path / "backup")])
    assert main(["restore", str(tmp_path / "backup")]) == 3
    assert "not empty" in capsys.readouterr().err


def test_pruning_only_lists_until_it_is_told_to_remove(home, capsys):
    assert main(["prune", "--keep-days", "1"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("1.2: ")
    assert "--apply removes them" in captured.err
    assert main(["prune", "--keep-days", "1", "--apply", "--json"]) == 0
    gone = json.loads(capsys.readouterr().out)
    assert (gone["removed"], [each["study"] for each in gone["studies"]]) == (True, ["1.2"])
    assert main(["prune", "--keep-days", "1"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["verify"]) == 0


@pytest.mark.parametrize("typed", [[], ["--keep-days", "-1"], ["--max-gb", "0"]])
def test_pruning_needs_a_rule(home, capsys, typed):
    assert main(["prune", *typed]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
