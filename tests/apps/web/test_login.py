"""Signing in and out in a browser."""

from datetime import timedelta

import pytest

from medloop.apps.site import Site, WebSettings
from medloop.apps.web.context import make_context
from medloop.apps.web.login import local_path
from medloop.apps.web.passwords import hash_password
from medloop.store.users import Role
from tests.apps.web.nodes import AWAY, NoInlet, node_of

GOOD = "tulip marble ocean"


@pytest.fixture(scope="module")
def kept():
    return hash_password(GOOD)


@pytest.fixture
def user(context, clock, kept):
    return context.users.add("li", Role.READER, now=clock(), password=kept)


def enter(client, *, name="li", password=GOOD, **more):
    return client.post("/login", data={"name": name, "password": password, **more})


def test_the_page_asks_for_name_and_password(node):
    page = node.client(at=AWAY).get("/login?next=/studies")
    assert page.status_code == 200
    assert 'type="password"' in page.text
    assert 'value="/studies"' in page.text


def test_a_browser_that_is_not_signed_in_is_led_to_the_page(node, user):
    answer = node.client(at=AWAY, Accept="text/html").get("/api/openapi.json")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/api/openapi.json"


def test_signing_in_leads_on_with_a_cookie_that_scripts_cannot_read(node, user):
    client = node.client(at=AWAY)
    answer = enter(client, next="/worklist")
    assert (answer.status_code, answer.headers["location"]) == (303, "/worklist")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert client.get("/api/openapi.json").status_code == 200


def test_under_tls_the_cookie_stays_on_tls_and_this_host(store, clock, kept):
    site = Site(web=WebSettings(url="https://node.example"))
    node = node_of(make_context(store, site, NoInlet(), now=clock), clock)
    node.context.users.add("li", Role.READER, now=clock(), password=kept)
    answer = enter(node.client(at=AWAY, base_url="https://node.example"))
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-medloop=")
    assert "; Secure" in cookie
    assert answer.headers["strict-transport-security"]


def test_signing_in_changes_the_session(node, user):
    client = node.client(at=AWAY)
    enter(client)
    first = client.cookies["medloop"]
    enter(client)
    assert client.cookies["medloop"] != first
    stolen = node.client(at=AWAY)
    stolen.cookies.set("medloop", first)
    assert stolen.get("/api/openapi.json").status_code == 401


def test_the_database_holds_no_secret_that_opens(node, user, store):
    client = node.client(at=AWAY)
    enter(client)
    token = node.program(Role.SERVICE).headers["Authorization"].split()[1]
    whole = b"".join(path.read_bytes() for path in store.root.glob("medloop.db*"))
    assert client.cookies["medloop"].encode() not in whole
    assert token.encode() not in whole
    assert GOOD.encode() not in whole


@pytest.mark.parametrize(("name", "password"), [("li", "wrong"), ("nobody", GOOD)])
def test_a_refusal_does_not_say_which_of_both_was_wrong(node, user, name, password):
    answer = enter(node.client(at=AWAY), name=name, password=password)
    assert answer.status_code == 401
    assert "Name or password is wrong" in answer.text
    assert "set-cookie" not in answer.headers


def test_signing_in_and_being_refused_are_audited_without_what_was_typed(node, user):
    client = node.client(at=AWAY)
    enter(client, password="wrong-secret")  # noqa: S106
    enter(client, name="typed-secret-here")
    enter(client)
    entries = node.context.store.audit.entries()
    told = [(each.actor, each.action) for each in entries]
    assert told == [
        ("li", "was refused to sign in"),
        ("somebody unknown", "was refused to sign in"),
        ("li", "signed in"),
    ]
    assert "secret" not in repr(entries)
    assert entries[0].details == {"address": AWAY[0]}


def test_signing_out_ends_the_session(node, user):
    client = node.client(at=AWAY)
    enter(client)
    cookie = client.cookies["medloop"]
    idle = timedelta(minutes=1)
    csrf = node.context.sessions.find(cookie, now=node.clock(), idle=idle).csrf
    assert client.post("/logout").status_code == 403
    assert client.post("/logout", data={"csrf": csrf}).status_code == 303
    client.cookies.set("medloop", cookie)
    assert client.get("/api/openapi.json").status_code == 401


def test_another_sites_page_cannot_sign_a_browser_in(node, user):
    client = node.client(at=AWAY, Origin="https://evil.example")
    assert enter(client).status_code == 403


def test_an_address_that_tries_too_often_must_wait(node, user):
    client = node.client(at=AWAY)
    statuses = [enter(client, name=f"n{n}").status_code for n in range(22)]
    assert statuses == [401] * 20 + [429] * 2


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/studies/1.2.3?a=b", "/studies/1.2.3?a=b"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\r\nSet-Cookie: b", "/"),
        ("", "/"),
        ("/audit?subject=" + "1" * 200, "/"),  # else the form would be refused
    ],
)
def test_signing_in_leads_nowhere_else(asked, led):
    assert local_path(asked) == led
