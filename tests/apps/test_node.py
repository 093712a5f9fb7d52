import pytest

from medloop.apps import bootstrap
from medloop.apps.cli import main
from medloop.store import JobState, open_store
from tests.apps.fakes import OFFERS
from tests.test_bad_input import a_photograph, empty


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "OFFERS", OFFERS)
    monkeypatch.setenv("MEDLOOP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_what_is_imported_is_analyzed_by_the_worker(home, tmp_path, capsys):
    eye, night = (
        a_photograph(tmp_path / "eye.png"),
        a_photograph(tmp_path / "night.png", value=4),
    )
    assert main(["import", str(eye), str(night)]) == 0
    assert "eye: 1 new, 0 known, 1 jobs" in capsys.readouterr().out
    assert main(["worker", "--once"]) == 0
    assert capsys.readouterr().out.startswith("2 handled; in the store: 1 done, 1 skipped")
    store = open_store(home)
    (done,) = store.jobs.all(state=JobState.DONE)
    store.close()
    assert (home / "results" / done.folder / "report.html").is_file()
    (shown,) = (home / "viewing").glob("*/*/picture.*")  # ready before anybody opens it
    assert shown.parent.parent.name == done.study


def test_importing_twice_changes_nothing(home, tmp_path, capsys):
    eye = a_photograph(tmp_path / "eye.png")
    main(["import", str(eye)])
    assert main(["import", str(eye)]) == 0
    assert "eye: 0 new, 1 known, 0 jobs" in capsys.readouterr().out


def test_a_bad_file_does_not_keep_the_others_out(home, tmp_path, capsys):
    empty(tmp_path / "empty.dcm")
    eye = a_photograph(tmp_path / "eye.png")
    assert main(["import", str(tmp_path / "empty.dcm"), str(eye)]) == 3
    captured = capsys.readouterr()
    assert "eye: 1 new" in captured.out
    assert len(captured.err.splitlines()) == 1
