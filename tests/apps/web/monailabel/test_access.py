"""Plugins sign in by name and password, or with a token in place of the password."""

from medloop.apps.web.passwords import hash_password
from medloop.store.users import Role
from tests.apps.web.monailabel.requests import BASE
from tests.apps.web.nodes import AWAY

PASSWORD = "seven green umbrellas"  # noqa: S105


def sign_in(node, name, password):
    form = {"username": name, "password": password, "grant_type": "password"}
    return node.client(at=AWAY).post(f"{BASE}/auth/token", data=form)


def test_nobody_is_asked_who_they_are_while_there_are_no_users(node):
    assert node.client().get(f"{BASE}/auth/").json()["enabled"] is False
    assert node.client().get(f"{BASE}/info/").status_code == 200


def test_a_password_gives_a_token_that_lasts_a_day_of_work(node, clock):
    kept = hash_password(PASSWORD)
    node.context.users.add("li", Role.ANNOTATOR, now=clock(), password=kept)
    assert node.client(at=AWAY).get(f"{BASE}/auth/").json()["enabled"] is True
    given = sign_in(node, "li", PASSWORD).json()
    word = f"{given['token_type']} {given['access_token']}"
    client = node.client(at=AWAY, Authorization=word)
    told = client.get(f"{BASE}/auth/token/valid").json()
    assert told == {"username": "li", "roles": ["annotator"]}
    clock.passes(hours=13)
    assert client.get(f"{BASE}/auth/token/valid").status_code == 401


def test_a_wrong_password_gives_nothing_and_is_written_down(node, clock):
    kept = hash_password(PASSWORD)
    node.context.users.add("li", Role.ANNOTATOR, now=clock(), password=kept)
    assert sign_in(node, "li", "eight green umbrellas").status_code == 401
    assert sign_in(node, "nobody", PASSWORD).status_code == 401
    deeds = [(each.actor, each.action) for each in node.context.store.audit.entries()]
    assert ("li", "was refused to sign in") in deeds


def test_a_token_may_stand_for_the_password(node, clock):
    user = node.context.users.add("li", Role.ANNOTATOR, now=clock())
    _, secret = node.context.tokens.issue(user, "slicer", now=clock(), lasts=None)
    assert sign_in(node, "li", secret).json()["access_token"] == secret
    assert sign_in(node, "li", "medloop_nonsense").status_code == 401


def test_a_plugin_in_a_page_of_ours_sends_back_the_token_of_the_session(node, clock):
    kept = hash_password(PASSWORD)
    node.context.users.add("li", Role.ANNOTATOR, now=clock(), password=kept)
    browser = node.client(at=AWAY)
    browser.post("/login", data={"name": "li", "password": PASSWORD})
    assert browser.post(f"{BASE}/activelearning/first").status_code == 403
    answer = browser.get(f"{BASE}/info/")
    assert "SameSite=strict" in answer.headers["set-cookie"]
    sent = {"X-XSRF-TOKEN": browser.cookies["XSRF-TOKEN"]}
    assert browser.post(f"{BASE}/activelearning/first", headers=sent).status_code == 200
