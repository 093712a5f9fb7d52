"""One's own account."""

from datetime import timedelta

import pytest

from medloop.apps.web.passwords import hash_password
from medloop.store.users import Role
from tests.apps.web.nodes import AWAY

OLD, NEW = "tulip marble ocean", "another long sentence"


@pytest.fixture
def browser(node):
    users = node.context.users
    user = users.add("li", Role.READER, now=node.clock(), password=hash_password(OLD))
    secret = node.context.sessions.begin(user, now=node.clock(), lasts=timedelta(hours=1))
    client = node.client(at=AWAY)
    client.cookies.set("medloop", secret)
    client.headers["X-CSRF-Token"] = client.get("/api/me").json()["csrf"]
    return client


def enter(node, password):
    form = {"name": "li", "password": password}
    return node.client(at=AWAY).post("/login", data=form).status_code


def test_whoever_signed_in_is_told_who_they_are(browser):
    told = browser.get("/api/me").json()
    assert (told["name"], told["role"]) == ("li", "reader")
    assert told["permissions"] == ["read", "send", "correct", "sign", "watch"]
    assert len(told["csrf"]) > 40


def test_a_new_password_ends_sessions_and_the_old_one(node, browser):
    assert browser.post("/api/password", json={"old": OLD, "new": NEW}).status_code == 204
    assert browser.get("/api/me").status_code == 401
    assert (enter(node, OLD), enter(node, NEW)) == (401, 303)


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [("wrong", NEW, 403), (OLD, "password1234", 400), (OLD, "x" * 5000, 422)],
)
def test_a_change_that_may_not_be_changes_nothing(node, browser, old, new, status):
    answer = browser.post("/api/password", json={"old": old, "new": new})
    assert answer.status_code == status
    assert new not in answer.text
    assert enter(node, OLD) == 303


def test_a_token_changes_no_password(node):
    client = node.program(Role.SERVICE)
    assert client.post("/api/password", json={"old": OLD, "new": NEW}).status_code == 403
