"""Signing by signing in anew at a provider on a socket, which sometimes lies."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from medloop.apps.site import OpenIdSettings, Site, UserSettings
from medloop.apps.web.context import make_context
from medloop.apps.web.openid_signing import FRESH, SKEW, WAITS
from medloop.apps.web.passwords import hash_password
from medloop.core.edit import Action, Edit
from medloop.store.reading import Purpose
from medloop.store.users import Role
from tests.apps.web.nodes import AWAY, NoInlet, node_of
from tests.apps.web.provider import CLIENT, SECRET, running
from tests.workflow.read_cases import a_read_ct

BROWSER = {"accept": "text/html"}


@pytest.fixture
def provider(clock):
    with running(clock) as started:
        yield started


@pytest.fixture
def node(store, clock, provider, tmp_path):
    (tmp_path / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
    roles = {"radiology": "reader", "ward": "viewer"}
    openid = OpenIdSettings(
        provider.issuer, CLIENT, client_secret_file=tmp_path / "secret", roles=roles
    )
    site = Site(users=UserSettings(openid=openid))
    return node_of(make_context(store, site, NoInlet(), now=clock), clock)


def entered(node, provider):
    """A browser in which somebody came in by the provider."""
    client = node.client(at=AWAY)
    there = client.get("/login/openid?next=/").headers["location"]
    assert client.get(provider.authorize(there)).status_code == 303
    client.headers["X-CSRF-Token"] = client.get("/api/me").json()["csrf"]
    return client


@pytest.fixture
def reader(node, provider):
    return entered(node, provider)


@pytest.fixture
def ct(store, tmp_path, clock):
    return a_read_ct(store, tmp_path / "ct", now=clock())


@pytest.fixture
def reading(store, ct, clock):
    return store.readings.open(ct.id, "li", now=clock())


def wish(reading, **more):
    return {"meaning": "final", "language": "zh", "expected": reading.number, **more}


def left(client, reading, **more):
    """Press sign, and return where the browser is led."""
    sent = wish(reading, **more)
    answer = client.post(f"/api/readings/{reading.id}/sign/provider", json=sent)
    assert answer.status_code == 200, answer.text
    return answer.json()["address"]


def came_back(client, way):
    return client.get(way, headers=BROWSER)


def refusals(store):
    return [
        each.details["reason"]
        for each in store.audit.entries()
        if each.action == "was refused to sign"
    ]


def test_who_signs_in_anew_signs_what_they_saw(reader, provider, store, reading, clock):
    there = left(reader, reading)
    asked = parse_qs(urlsplit(there).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
    answer = came_back(reader, provider.authorize(there))
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == f"/read/{reading.job}?signed=1"
    (version,) = store.readings.versions(reading.id)
    assert (version.signer, version.meaning, version.language) == ("li", "final", "zh")
    (entry,) = [each for each in store.audit.entries() if each.action == "signed report"]
    assert (entry.details["by"], entry.details["sha256"]) == ("provider", version.record)
    assert entry.details["let_in"] == clock().isoformat()


def test_the_page_is_told_how_its_reader_signs(reader, reading):
    told = reader.get(f"/api/readings/{reading.id}/report").json()
    assert (told["signs_by"], told["may_sign"]) == ("provider", True)


def test_an_adjudication_leads_back_to_its_own_page(reader, provider, store, ct, clock):
    decided = store.readings.open(ct.id, "li", Purpose.ADJUDICATE, now=clock())
    answer = came_back(reader, provider.authorize(left(reader, decided)))
    there = f"/read/{ct.id}?purpose=adjudicate&signed=1"
    assert answer.headers["location"] == there


def test_an_addendum_is_kept_until_its_signer_comes_back(reader, provider, store, reading):
    came_back(reader, provider.authorize(left(reader, reading)))
    way = provider.authorize(left(reader, reading, meaning="addendum", text="See the prior."))
    assert came_back(reader, way).status_code == 303
    assert store.readings.versions(reading.id)[-1].conclusion == "See the prior."


@pytest.mark.parametrize(
    "said",
    [
        {"auth_time": None},
        {"auth_time": True},
        {"auth_time": -1e20},
        {"auth_time": float("1e308")},
        lambda now: {"auth_time": int((now - FRESH).timestamp()) - 1},
        lambda now: {"auth_time": int((now - SKEW).timestamp()) - 1},
        lambda now: {"auth_time": int((now + SKEW).timestamp()) + 1},
    ],
    ids=["absent", "a word", "long ago", "no time", "stale", "before signing", "later"],
)
def test_a_sign_in_that_is_not_of_just_now_signs_nothing(
    reader, provider, store, reading, clock, said
):
    provider.claims |= said(clock()) if callable(said) else said
    answer = came_back(reader, provider.authorize(left(reader, reading)))
    assert answer.status_code == 403
    assert "Nothing was signed" in answer.text
    assert f'href="/read/{reading.job}"' in answer.text
    assert store.readings.versions(reading.id) == ()
    assert refusals(store) == ["old"]


def test_a_sign_in_that_took_long_counts_from_when_it_was_done(
    reader, provider, store, reading, clock
):
    there = left(reader, reading)
    clock.passes(minutes=8)
    assert came_back(reader, provider.authorize(there)).status_code == 303


def test_clocks_may_differ_a_little(reader, provider, reading, clock):
    early = clock() - SKEW + timedelta(seconds=5)
    provider.claims["auth_time"] = int(early.timestamp())
    assert came_back(reader, provider.authorize(left(reader, reading))).status_code == 303


def test_somebody_else_at_the_provider_signs_nothing(node, reader, provider, store, reading):
    there = left(reader, reading)
    provider.claims |= {"sub": "43", "preferred_username": "wang"}
    answer = came_back(reader, provider.authorize(there))
    assert answer.status_code == 403
    assert "Somebody else" in answer.text
    assert refusals(store) == ["another"]
    assert [user.name for user in node.context.users.all()] == ["li"], "nobody was let in"
    assert reader.get("/api/me").json()["name"] == "li"


def test_a_way_back_signs_once(reader, provider, store, reading):
    way = provider.authorize(left(reader, reading, meaning="preliminary"))
    assert came_back(reader, way).status_code == 303
    again = came_back(reader, way)
    assert again.status_code == 409
    assert "Open the report and sign again" in again.text
    assert len(store.readings.versions(reading.id)) == 1


def test_a_way_back_of_another_session_signs_nothing(node, reader, provider, store, reading):
    way = provider.authorize(left(reader, reading))
    assert came_back(entered(node, provider), way).status_code == 409
    assert came_back(node.client(at=AWAY), way).status_code == 409
    assert store.readings.versions(reading.id) == ()
    assert came_back(reader, way).status_code == 303, "its own session still may"


def test_an_answer_for_another_sign_in_signs_nothing(reader, provider, store, reading):
    there = left(reader, reading)
    state = parse_qs(urlsplit(there).query)["state"][0]
    other = provider.authorize(reader.get("/login/openid?next=/").headers["location"])
    code = parse_qs(urlsplit(other).query)["code"][0]
    answer = came_back(reader, f"/login/callback?code={code}&state={state}")
    assert answer.status_code == 403
    assert refusals(store) == ["untrusted"]


def test_a_nonce_of_another_sign_in_signs_nothing(reader, provider, store, reading):
    there = left(reader, reading)
    provider.claims["nonce"] = "another"
    assert came_back(reader, provider.authorize(there)).status_code == 403
    assert refusals(store) == ["untrusted"]


def test_another_issuer_of_the_answer_signs_nothing(reader, provider, store, reading):
    way = provider.authorize(left(reader, reading))
    assert came_back(reader, f"{way}&iss=https://evil.example").status_code == 403
    assert store.readings.versions(reading.id) == ()


def test_who_cancels_is_told_that_nothing_was_signed(reader, provider, store, reading):
    state = parse_qs(urlsplit(left(reader, reading)).query)["state"][0]
    answer = came_back(reader, f"/login/callback?error=access_denied&state={state}&lang=zh")
    assert (answer.status_code, "未签名" in answer.text) == (403, True)
    assert refusals(store) == ["cancelled"]


def test_what_changed_meanwhile_is_not_signed(reader, provider, store, ct, reading, clock):
    there = left(reader, reading)
    edit = Edit(0, Action.REJECT, "2", None, None, 1.0, 1, clock())
    store.readings.append(reading.id, edit, expected=reading.number, now=clock())
    answer = came_back(reader, provider.authorize(there))
    assert answer.status_code == 409
    assert "look at it again, then sign" in answer.text
    assert store.readings.versions(reading.id) == ()


def test_what_waits_too_long_is_not_signed(reader, provider, store, reading, clock):
    there = left(reader, reading)
    clock.passes(seconds=WAITS.total_seconds() + 1)
    assert came_back(reader, provider.authorize(there)).status_code == 409
    assert store.readings.versions(reading.id) == ()


def test_of_two_signatures_begun_in_a_browser_the_last_waits(reader, provider, store, reading):
    first, second = (left(reader, reading, meaning="preliminary") for _ in range(2))
    assert came_back(reader, provider.authorize(first)).status_code == 409
    assert came_back(reader, provider.authorize(second)).status_code == 303


def test_who_has_lost_the_role_at_the_provider_signs_nothing(
    node, reader, provider, store, reading
):
    there = left(reader, reading)
    provider.claims["roles"] = ["ward"]
    assert came_back(reader, provider.authorize(there)).status_code == 403
    assert refusals(store) == ["session"]
    assert node.context.users.get("li").role is Role.VIEWER
    assert store.readings.versions(reading.id) == ()


def test_a_provider_that_is_away_by_then_is_told_in_words(
    reader, provider, store, reading, clock
):
    way = provider.authorize(left(reader, reading))
    provider.token = lambda *_: (500, {})
    assert came_back(reader, way).status_code == 503
    assert refusals(store) == ["away"]


def test_what_cannot_be_signed_is_said_before_anybody_leaves(reader, store, reading):
    path = f"/api/readings/{reading.id}/sign/provider"
    assert reader.post(path, json=wish(reading, meaning="addendum")).status_code == 409
    assert reader.post(path, json=wish(reading, expected=7)).status_code == 409
    typed = wish(reading) | {"password": "x"}
    refused = reader.post(f"/api/readings/{reading.id}/sign", json=typed)
    assert refused.status_code == 403
    assert "signing in anew" in refused.json()["error"]


def test_who_has_a_password_here_signs_with_it(node, store, ct, clock):
    users, now = node.context.users, clock()
    user = users.add("chen", Role.READER, now=now, password=hash_password("tulip marble ocean"))
    reading = store.readings.open(ct.id, "chen", now=now)
    client = node.client(at=AWAY)
    secret = node.context.sessions.begin(user, now=now, lasts=timedelta(hours=1))
    client.cookies.set("medloop", secret)
    client.headers["X-CSRF-Token"] = client.get("/api/me").json()["csrf"]
    path = f"/api/readings/{reading.id}/sign"
    assert client.post(f"{path}/provider", json=wish(reading)).status_code == 403
    typed = wish(reading) | {"password": "tulip marble ocean"}
    assert client.post(path, json=typed).status_code == 200
    (entry,) = [each for each in store.audit.entries() if each.action == "signed report"]
    assert entry.details["by"] == "password"
