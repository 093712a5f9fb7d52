"""The queue is seen and steered from the command line, and says of nobody who they are."""

import json

import pytest

from medloop.apps.cli import main
from medloop.core.study import SopUid
from medloop.store import JobState, open_store
from tests.store.studies import NOON, a_study


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with a store that holds three jobs: waiting, failed, done."""
    monkeypatch.setenv("MEDLOOP_HOME", str(tmp_path / "home"))
    store = open_store(tmp_path / "home")
    store.receive(a_study(tmp_path / "files"), now=NOON)
    for n in range(3):
        store.jobs.add("1.2", "retina", (SopUid(f"1.2.1.{n}"),), now=NOON)
    for state in (JobState.FAILED, JobState.DONE):
        job = store.jobs.claim("w1", ["retina"], now=NOON)
        store.jobs.move(job, state, now=NOON, reason="slice gap 9 mm")
    store.close()
    return tmp_path / "home"


def audited(home):
    store = open_store(home)
    entries = [(entry.action, entry.subject) for entry in store.audit.entries()]
    store.close()
    return entries


def test_jobs_are_listed_without_names(home, capsys):
    assert main(["jobs", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["1", "failed", "retina"],
        ["2", "done", "retina"],
        ["3", "waiting", "retina"],
    ]
    assert lines[0].endswith("1.2: slice gap 9 mm")
    assert "Wang" not in "".join(lines)
    assert audited(home) == []


def test_an_empty_list_says_of_which_store(home, capsys):
    assert main(["jobs", "list", "--state", "running"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"medloop: no such job in the store {home}\n")


def test_names_are_shown_to_who_asks_and_that_is_noted(home, capsys):
    assert main(["jobs", "list", "--names", "--state", "waiting"]) == 0
    assert "Wang^Fang" in capsys.readouterr().out
    assert audited(home) == [("names shown", "1.2")]


def test_a_list_as_json_holds_what_a_program_needs(home, capsys):
    assert main(["jobs", "list", "--json", "--study", "1.2", "--limit", "1"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["job"], row["state"], row["priority"], row["objects"]) == (3, "waiting", 0, 1)
    assert "patient" not in row


def test_a_failed_job_is_tried_again(home, capsys):
    assert main(["jobs", "retry", "1"]) == 0
    assert "waiting" in capsys.readouterr().out
    assert audited(home) == [("job retried", "1.2")]


def test_a_job_is_canceled_and_another_hurried(home, capsys):
    assert main(["jobs", "cancel", "3", "--reason", "duplicate"]) == 0
    assert ": duplicate" in capsys.readouterr().out
    main(["jobs", "retry", "3"])
    assert main(["jobs", "priority", "3", "--to", "7"]) == 0
    assert "priority 7" in capsys.readouterr().out


def test_one_job_is_shown(home, capsys):
    assert main(["jobs", "show", "2"]) == 0
    out = capsys.readouterr().out
    assert "state       done" in out
    assert "worker      w1" in out


@pytest.mark.parametrize(
    ("typed", "code", "says"),
    [
        ("retry 2", 3, "job 2 is done"),
        ("show 99", 3, "no job 99"),
        ("cancel", 2, "needs JOB"),
        ("priority 3", 2, "needs --to"),
        ("list --limit 0", 2, "--limit 0"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(home, capsys, typed, code, says):
    assert main(["jobs", *typed.split()]) == code
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1


def test_a_worker_needs_at_least_one_process(home, capsys):
    assert main(["worker", "--processes", "0"]) == 2
    assert "--processes 0" in capsys.readouterr().err
