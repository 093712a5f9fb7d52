"""``medloop users``."""

import io
import sys

import pytest

from medloop.apps.cli import main
from medloop.store import open_store
from medloop.store.users import Users

GOOD = "tulip marble ocean"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "home"


@pytest.fixture
def typed(monkeypatch):
    """Type a password into stdin."""

    def types(text):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text + "\n"))

    return types


def users_of(home):
    store = open_store(home)
    found = {user.name: user for user in Users(store.database).all()}
    entries = [(entry.action, entry.subject) for entry in store.audit.entries()]
    store.close()
    return found, entries


def test_a_user_is_added_with_the_password_from_stdin(home, typed, capsys):
    typed(GOOD)
    assert main(["users", "add", "li", "--role", "reader"]) == 0
    found, entries = users_of(home)
    assert found["li"].role == "reader"
    assert found["li"].password.startswith("$argon2id$")
    assert entries == [("users add", "li")]
    said = capsys.readouterr()
    assert "li has the role reader now" in said.out
    assert GOOD not in "".join(said)


def test_a_password_comes_from_a_file(home, typed, tmp_path):
    (tmp_path / "secret").write_text(GOOD + "\n", encoding="utf-8")
    assert (
        main(
            ["users", "add", "li", "--role", "viewer", "--password-file", f"{tmp_path}/secret"]
        )
        == 0
    )
    before, _ = users_of(home)
    typed("another long sentence")
    assert main(["users", "password", "li", "--password-file", "-"]) == 0
    after, _ = users_of(home)
    assert before["li"].password != after["li"].password


def test_an_easy_password_is_refused_and_nobody_added(home, typed, capsys):
    typed("password1234")
    assert main(["users", "add", "li", "--role", "reader"]) == 3
    assert users_of(home)[0] == {}
    assert "easy to guess" in capsys.readouterr().err


def test_a_token_is_shown_once_and_alone_on_stdout(home, capsys):
    main(["users", "add", "pacs", "--role", "service"])
    capsys.readouterr()
    assert main(["users", "token", "pacs", "--label", "gateway", "--days", "9"]) == 0
    out, err = capsys.readouterr()
    secret = out.strip()
    assert secret.startswith("medloop_")
    assert "not shown again" in err
    main(["users", "list"])
    listed = capsys.readouterr().out
    assert "token 1  pacs  gateway  until" in listed
    assert secret not in listed
    assert main(["users", "revoke", "1"]) == 0
    main(["users", "list"])
    assert "opens nothing any more" in capsys.readouterr().out


def test_roles_change_and_users_are_disabled_and_enabled(home, capsys):
    main(["users", "add", "pacs", "--role", "service"])
    assert main(["users", "role", "pacs", "--role", "viewer"]) == 0
    assert main(["users", "disable", "pacs"]) == 0
    assert users_of(home)[0]["pacs"].is_disabled
    assert main(["users", "enable", "pacs"]) == 0
    found, entries = users_of(home)
    assert not found["pacs"].is_disabled
    assert found["pacs"].role == "viewer"
    assert [action for action, _ in entries] == [
        "users add",
        "users role",
        "users disable",
        "users enable",
    ]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["add"], 2, "needs NAME"),
        (["add", "li"], 2, "needs --role"),
        (["token", "nobody"], 3, "there is no user nobody"),
        (["disable", "nobody"], 3, "there is no user nobody"),
        (["revoke", "x"], 2, "needs the number of a token"),
        (["revoke", "7"], 3, "there is no token 7"),
        (["add", "a b", "--role", "service"], 3, "a user's name has"),
        (["add", "li", "--role", "reader", "--password-file", "/nowhere"], 1, "/nowhere"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(home, options, code, said, capsys):
    assert main(["users", *options]) == code
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


def test_nobody_is_added_twice(home, capsys):
    main(["users", "add", "pacs", "--role", "service"])
    assert (
        main(["users", "add", "pacs", "--role", "viewer", "--password-file", "/dev/null"]) == 3
    )


def test_a_person_is_named_and_listed_by_name(home, typed, capsys):
    typed(GOOD)
    added = ["users", "add", "li", "--role", "reader", "--full-name", "Li^Ming=李^明"]
    assert main(added) == 0
    main(["users", "list"])
    assert "Li^Ming=李^明" in capsys.readouterr().out
    assert main(["users", "name", "li", "--full-name", "Li^Wei"]) == 0
    assert users_of(home)[0]["li"].person_name == "Li^Wei"
    assert main(["users", "name", "li", "--full-name", ""]) == 0
    found, entries = users_of(home)
    assert found["li"].person_name == ""
    assert entries[-1] == ("users name", "li")


def test_a_name_is_needed_and_must_fit(home, typed, capsys):
    typed(GOOD)
    bad = ["users", "add", "li", "--role", "reader", "--full-name", "a=b=c=d"]
    assert main(bad) == 3
    assert users_of(home)[0] == {}
    assert main(["users", "name", "li"]) == 2
    assert "--full-name" in capsys.readouterr().err
