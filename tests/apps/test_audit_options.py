"""``medloop audit``."""

import hashlib
import json

import pytest

from medloop.apps.cli import main
from medloop.store import Entry, open_store
from tests.apps.web.nodes import Clock


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("MEDLOOP_HOME", str(home))
    clock = Clock()
    store = open_store(home)
    for actor, action in (("li", "signed in"), ("li", "looked"), ("chen", "looked")):
        store.audit.append(Entry(clock(), actor, action, "1.2.3", {"address": "10.0.0.1"}))
        clock.passes(days=1)
    store.close()
    return home


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ([], "123"),
        (["--limit", "2"], "23"),
        (["--actor", "li"], "12"),
        (["--action", "looked"], "23"),
        (["--subject", "9.9"], ""),
        (["--since", "2026-03-02"], "23"),
        (["--until", "2026-03-02T12:00+00:00"], "1"),
        (["--actor", "li", "--action", "looked"], "2"),
    ],
)
def test_rows_are_chosen(home, capsys, options, numbers):
    assert main(["audit", "list", *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "".join(line.split()[0] for line in lines) == numbers


def test_a_row_says_when_who_what_and_to_what(home, capsys):
    main(["audit", "list", "--limit", "1"])
    line = capsys.readouterr().out.strip()
    assert line == "3  2026-03-03 12:00:00  chen  looked  1.2.3  address 10.0.0.1"


def test_the_head_is_printed_and_checked(home, capsys):
    assert main(["audit", "verify"]) == 0
    head = capsys.readouterr().out.strip()
    assert main(["audit", "verify", "--head", head]) == 0
    assert main(["audit", "verify", "--head", "f" * 64]) == 3
    assert "audit log was cut" in capsys.readouterr().err


def test_an_export_can_be_checked_by_anybody(home, tmp_path):
    assert main(["audit", "export", "-o", str(tmp_path / "out.jsonl")]) == 0
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    head = "0" * 64
    for row in map(json.loads, lines):
        details = json.dumps(row["details"], sort_keys=True, ensure_ascii=False)
        facts = [
            row["id"],
            row["at"],
            row["actor"],
            row["action"],
            row["subject"],
            details,
            head,
        ]
        sealed = json.dumps(facts, ensure_ascii=False).encode()
        assert row["previous"] == head
        assert hashlib.sha256(sealed).hexdigest() == row["hash"]
        head = row["hash"]
    assert len(lines) == 3


def test_an_export_is_a_deed(home, tmp_path, capsys):
    main(["audit", "export", "-o", str(tmp_path / "out.jsonl")])
    main(["audit", "list", "--limit", "1"])
    assert "exported  audit log" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["export"], "needs -o FILE"),
        (["list", "--limit", "0"], "--limit 0 is below 1"),
        (["list", "--since", "yesterday"], "'yesterday' is no time"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(home, options, said, capsys):
    assert main(["audit", *options]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1
