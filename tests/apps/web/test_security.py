"""Nobody gets in who should not; whoever may, may only what their role grants."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends

from medloop.apps import site as sites
from medloop.apps.web.app import create_app
from medloop.apps.web.security import GRANTS, Permission, Principal, require
from medloop.store.users import Role
from tests.apps.web.nodes import AWAY, HERE, node_of

PATIENT = "Zhang^Wei"


def one_route_each(_context):
    """Return a route for each permission, that gives something away."""
    routes = APIRouter()
    for permission in Permission:

        def answer(who: Annotated[Principal, Depends(require(permission))]) -> dict[str, str]:
            return {"name": PATIENT, "who": who.name}

        routes.add_api_route(f"/{permission}", answer, methods=["GET", "POST"])
    return routes


@pytest.fixture
def node(context, clock):
    return node_of(context, clock, (one_route_each,))


@pytest.fixture
def browser(node):
    """Somebody signed in: a client with the session's cookie, and its CSRF token."""
    user = node.context.users.add("li", Role.READER, now=node.clock())
    secret = node.context.sessions.begin(user, now=node.clock(), lasts=timedelta(hours=12))
    client = node.client(at=AWAY)
    client.cookies.set("medloop", secret)
    found = node.context.sessions.find(secret, now=node.clock(), idle=timedelta(hours=1))
    return client, found.csrf


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_a_role_may_what_the_table_says_and_nothing_else(node, role, permission):
    answer = node.program(role).get(f"/{permission}")
    assert answer.status_code == (200 if permission in GRANTS[role] else 403)
    assert (PATIENT in answer.text) is (permission in GRANTS[role])


def test_a_route_that_asks_nobody_who_they_are_is_refused_at_the_start(context):
    def careless(_context):
        routes = APIRouter()
        routes.add_api_route("/studies", lambda: PATIENT)
        return routes

    with pytest.raises(ValueError, match="/studies asks nobody"):
        create_app(context, (careless,))


def test_without_users_the_person_at_this_machine_may_everything(node):
    answer = node.client().get("/manage")
    assert answer.json() == {"name": PATIENT, "who": "local"}


@pytest.mark.parametrize(
    "how",
    [
        {"at": AWAY},
        {"base_url": "http://rebound.example"},  # its name leads to 127.0.0.1
        {"X_Forwarded_For": "192.0.2.7"},
        {"Forwarded": "for=192.0.2.7"},
    ],
)
def test_without_users_nobody_comes_in_from_elsewhere(node, how):
    answer = node.client(**how).get("/read")
    assert answer.status_code == 401
    assert PATIENT not in answer.text


def test_with_the_first_user_the_person_at_this_machine_must_sign_in(node):
    node.context.users.add("li", Role.ADMINISTRATOR, now=node.clock())
    assert node.client().get("/read").status_code == 401


@pytest.mark.parametrize(
    "sent", ["Bearer", "Bearer ", "Bearer medloop_nonsense", "Bearer \xff", "Basic bGk6bGk="]
)
def test_credentials_that_are_none_open_nothing(node, sent):
    node.context.users.add("li", Role.ADMINISTRATOR, now=node.clock())
    answer = node.client(at=HERE).get(
        "/read", headers={"Authorization": sent.encode("latin-1")}
    )
    assert answer.status_code == 401


def test_a_session_reads(browser):
    client, _ = browser
    assert client.get("/read").json()["who"] == "li"


def test_a_change_in_a_session_needs_its_csrf_token(browser):
    client, csrf = browser
    assert client.post("/sign").status_code == 403
    assert client.post("/sign", headers={"X-CSRF-Token": "x" * 43}).status_code == 403
    assert client.post("/sign", headers={"X-CSRF-Token": csrf}).status_code == 200
    assert client.post("/sign", data={"csrf": csrf}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(node, browser, header):
    client, csrf = browser
    refused = client.post("/sign", headers={"X-CSRF-Token": csrf, **header})
    assert refused.status_code == 403
    assert PATIENT not in refused.text


@pytest.mark.parametrize(
    "header", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_another_sites_page_changes_nothing_where_nobody_must_sign_in(node, header):
    assert node.client().post("/manage", headers=header).status_code == 403


def test_a_session_ends_when_it_idles(node, browser):
    client, _ = browser
    node.clock.passes(minutes=29)
    assert client.get("/read").status_code == 200
    node.clock.passes(minutes=29)
    assert client.get("/read").status_code == 200
    node.clock.passes(minutes=31)
    assert client.get("/read").status_code == 401


def test_a_session_ends_after_its_hours_even_in_use(node, browser):
    client, _ = browser
    for _ in range(36):
        assert client.get("/read").status_code == 200
        node.clock.passes(minutes=20)
    assert client.get("/read").status_code == 401


def test_a_disabled_user_is_out_at_once(node, browser):
    client, _ = browser
    users = node.context.users
    program = node.program(Role.SERVICE)
    for name in ("li", "a-service"):
        users.change(users.get(name), now=node.clock(), is_disabled=True)
    assert client.get("/read").status_code == 401
    assert program.get("/read").status_code == 401


def test_a_token_ends_when_it_runs_out_or_is_revoked(node):
    user = node.context.users.add("pacs", Role.SERVICE, now=node.clock())
    tokens = node.context.tokens
    _, a = tokens.issue(user, "short", now=node.clock(), lasts=timedelta(days=1))
    long, b = tokens.issue(user, "long", now=node.clock(), lasts=None)
    clients = [node.client(at=AWAY, Authorization=f"Bearer {secret}") for secret in (a, b)]
    assert [client.get("/read").status_code for client in clients] == [200, 200]
    node.clock.passes(days=1)
    assert [client.get("/read").status_code for client in clients] == [401, 200]
    tokens.revoke(long.id, now=node.clock())
    assert clients[1].get("/read").status_code == 401


def test_too_many_requests_must_wait(context, clock):
    web = sites.WebSettings(requests_per_minute=3)
    slow = replace(
        context, rates=replace(context.rates, per_minute=3), site=sites.Site(web=web)
    )
    node = node_of(slow, clock, (one_route_each,))
    client = node.client()
    assert [client.get("/read").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert int(client.get("/read").headers["Retry-After"]) <= 21
    clock.passes(seconds=20)
    assert client.get("/read").status_code == 200


def test_roles_in_the_settings_are_those_of_the_store():
    assert tuple(role.value for role in Role) == sites.ROLES
