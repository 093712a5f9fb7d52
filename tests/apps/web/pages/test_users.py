"""The pages of users, and choosing a password of one's own."""

import re

import pytest

from medloop.apps.web.passwords import is_common
from medloop.apps.web.users import password_once
from medloop.store.users import Role
from tests.apps.web.nodes import HERE

OWN = "tulip marble ocean"


def secret_in(page):
    return re.search(r'id="secret">([^<]+)<', page).group(1)


def add(chief, name="li", role="reader"):
    """Add somebody; return the page that says so."""
    answer = chief.send("/users", name=name, role=role)
    assert answer.status_code == 200, answer.text
    return answer.text


def number_of(node, name):
    return node.context.users.get(name).id


def test_a_person_is_added_with_a_password_for_one_sign_in(node, chief, deeds):
    once = secret_in(add(chief))
    client = node.client(at=HERE)
    first = client.post("/login", data={"name": "li", "password": once, "next": "/jobs"})
    assert first.status_code == 200
    assert "set-cookie" not in first.headers
    assert "Choose your password" in first.text
    form = {"name": "li", "old": once, "new": OWN, "again": OWN, "next": "/jobs"}
    second = client.post("/login/new", data=form)
    assert (second.status_code, second.headers["location"]) == (303, "/jobs")
    assert not node.context.users.get("li").is_once
    again = node.client(at=HERE).post("/login", data={"name": "li", "password": once})
    assert again.status_code == 401
    assert ("users add", "li") in deeds()
    assert deeds()[-2] == ("signed in", "li")
    assert once not in str(node.context.store.audit.entries())


def test_a_password_for_one_sign_in_opens_nothing_else(node, chief):
    once = secret_in(add(chief))
    form = {"username": "li", "password": once}
    refused = node.client(at=HERE).post("/monailabel/auth/token", data=form)
    assert refused.status_code == 401
    assert node.context.users.get("li").failures == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"again": "another"}, "not the same"),
        ({"new": "short", "again": "short"}, "too short"),
        ({"old": "wrong"}, "is wrong"),
    ],
)
def test_a_new_password_that_will_not_do_is_asked_for_again(node, chief, change, said):
    once = secret_in(add(chief))
    form = {"name": "li", "old": once, "new": OWN, "again": OWN} | change
    answer = node.client(at=HERE).post("/login/new", data=form)
    assert answer.status_code in (401, 422)
    assert said in answer.text
    assert node.context.users.get("li").is_once


def test_a_password_for_one_sign_in_is_as_long_as_asked_and_hard_to_guess():
    for shortest in (8, 12, 40):
        password = password_once(shortest)
        assert len(password) >= shortest
        assert not is_common(password, "li")
    assert password_once(12) != password_once(12)


def test_the_last_administrator_stays(node, chief):
    number = chief.user.id
    for verb, fields in (("disable", {}), ("role", {"role": "viewer"})):
        answer = chief.send(f"/users/{number}/{verb}", **fields)
        assert answer.status_code == 400
        assert "last administrator" in answer.text
    add(chief, "second", "administrator")
    chief.done(f"/users/{number_of(node, 'second')}/role", role="viewer")
    assert node.context.users.get("second").role is Role.VIEWER


def test_the_first_user_is_an_administrator(node):
    client = node.client(at=HERE, Accept="text/html")
    refused = client.post("/users", data={"name": "li", "role": "reader"})
    assert refused.status_code == 400
    assert client.post("/users", data={"name": "li", "role": "administrator"}).is_success
    assert client.get("/users").status_code == 303  # from now on everybody signs in


def test_a_user_is_disabled_enabled_unlocked_and_signed_out(node, chief, reader, deeds):
    number, users = reader.user.id, node.context.users
    chief.done(f"/users/{number}/sessions")
    assert reader.client.get("/jobs").status_code == 303
    for _ in range(9):
        users.fail(users.get("b-reader"), now=node.clock(), tries=5)
    assert "locked until" in chief.page(f"/users/{number}")
    assert "Wrong passwords are forgotten." in chief.done(f"/users/{number}/unlock")
    chief.done(f"/users/{number}/disable")
    assert users.get("b-reader").is_disabled
    chief.done(f"/users/{number}/enable")
    assert not users.get("b-reader").is_disabled
    verbs = ["sessions ended", "unlock", "disable", "enable"]
    assert deeds()[-4:] == [(f"users {verb}", "b-reader") for verb in verbs]


def test_a_token_is_shown_once_and_revoked(node, chief):
    assert chief.send("/users", name="pacs", role="service").status_code == 303
    number = number_of(node, "pacs")
    answer = chief.send(f"/users/{number}/tokens", label="gateway", days="9")
    secret = secret_in(answer.text)
    program = node.client(Authorization=f"Bearer {secret}")
    assert program.get("/api/me").json()["name"] == "pacs"
    assert secret not in chief.page(f"/users/{number}")
    chief.done(f"/users/{number}/tokens/1/revoke")
    assert program.get("/api/me").status_code == 401
    assert chief.send(f"/users/{chief.user.id}/tokens/1/revoke").status_code == 404


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "<script>"])
def test_a_name_that_is_none_is_refused(chief, name):
    assert chief.send("/users", name=name, role="reader").status_code in (400, 422)


def test_users_are_listed_with_what_keeps_them_out(node, chief):
    add(chief)
    text = chief.page("/users?lang=zh")
    assert "使用一次性密码" in text
    assert "1 个浏览器" in text


def test_only_who_manages_sees_users(reader):
    reader.page("/users", 403)
    assert reader.send("/users", name="x", role="administrator").status_code == 403


def test_an_administrator_says_what_a_person_is_called(node, chief, deeds):
    chief.send("/users", name="li", role="reader", full_name=" Li^Ming=李^明 ")
    number = number_of(node, "li")
    assert node.context.users.get("li").person_name == "Li^Ming=李^明"
    assert "Li, Ming" in chief.page("/users?lang=en")
    assert "李明" in chief.page("/users?lang=zh")
    assert "Li^Ming=李^明" in chief.page(f"/users/{number}")
    answer = chief.send(f"/users/{number}/name", full_name="Li^Wei")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/users/{number}?done=named",
    )
    assert node.context.users.get("li").person_name == "Li^Wei"
    assert deeds()[-1] == ("users name", "li")
    assert "Wei" not in str(node.context.store.audit.entries())


def test_a_name_that_dicom_cannot_hold_is_refused_and_nobody_added(node, chief):
    answer = chief.send("/users", name="li", role="reader", full_name="a\\b")
    assert answer.status_code == 400
    assert node.context.users.find("li") is None


def test_only_an_administrator_names_people(node, reader, chief):
    add(chief)
    number = number_of(node, "li")
    assert reader.send(f"/users/{number}/name", full_name="Li^Wei").status_code == 403
