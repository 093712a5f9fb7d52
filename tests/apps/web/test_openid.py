"""Signing in by OpenID Connect, with a provider on a socket that sometimes lies."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OctKey, RSAKey

from medloop.apps.site import OpenIdSettings, Site, UserSettings
from medloop.apps.web.context import make_context
from medloop.apps.web.openid import role_claims
from medloop.apps.web.openid_people import claimed_name
from medloop.apps.web.passwords import hash_password
from medloop.store.users import Role
from tests.apps.web.nodes import HERE, NoInlet, node_of
from tests.apps.web.provider import CLIENT, SECRET, running


@pytest.fixture
def provider(clock):
    with running(clock) as started:
        yield started


@pytest.fixture
def node(store, clock, provider, tmp_path):
    (tmp_path / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
    openid = OpenIdSettings(
        provider.issuer,
        CLIENT,
        client_secret_file=tmp_path / "secret",
        roles={"radiology": "reader", "it": "administrator", "ward": "viewer"},
    )
    site = Site(users=UserSettings(openid=openid))
    return node_of(make_context(store, site, NoInlet(), now=clock), clock)


@pytest.fixture
def browser(node):
    return node.client(at=HERE)


def way_back(browser, provider, target="/worklist"):
    there = browser.get(f"/login/openid?next={target}")
    assert there.status_code == 303
    return provider.authorize(there.headers["location"])


def enter(browser, provider):
    return browser.get(way_back(browser, provider))


def test_whom_the_provider_vouches_for_comes_in_with_the_role_of_the_claim(
    node, browser, provider
):
    answer = enter(browser, provider)
    assert (answer.status_code, answer.headers["location"]) == (303, "/worklist")
    assert browser.get("/api/openapi.json").status_code == 200
    assert node.context.users.get("li").role is Role.READER
    actions = [entry.action for entry in node.context.store.audit.entries()]
    assert actions == ["users add", "signed in"]


def test_the_strongest_of_several_roles_counts_and_changes_with_the_claim(
    node, browser, provider
):
    provider.claims["roles"] = ["ward", "it", "canteen"]
    enter(browser, provider)
    assert node.context.users.get("li").role is Role.ADMINISTRATOR
    provider.claims["roles"] = "ward"
    enter(browser, provider)
    assert node.context.users.get("li").role is Role.VIEWER
    assert len(node.context.users.all()) == 1


def test_whoever_has_no_role_stays_outside(node, browser, provider):
    provider.claims["roles"] = ["canteen"]
    assert enter(browser, provider).status_code == 403
    assert node.context.users.all() == ()
    assert browser.get("/api/openapi.json").status_code == 401


def test_whoever_is_disabled_here_stays_outside(node, browser, provider):
    enter(browser, provider)
    users = node.context.users
    users.change(users.get("li"), now=node.clock(), is_disabled=True)
    assert enter(browser, provider).status_code == 403


def test_an_account_of_ours_is_never_taken_over_by_its_name(node, browser, provider):
    kept = hash_password("tulip marble ocean")
    node.context.users.add("li", Role.ADMINISTRATOR, now=node.clock(), password=kept)
    assert enter(browser, provider).status_code == 303
    names = {user.name: user.role for user in node.context.users.all()}
    assert names == {"li": Role.ADMINISTRATOR, "li@127.0.0.1": Role.READER}


def test_with_a_provider_the_person_at_this_machine_must_sign_in(browser):
    assert browser.get("/api/openapi.json").status_code == 401


def test_the_page_offers_the_provider(browser):
    assert 'href="/login/openid?next=/a"' in browser.get("/login?next=/a").text


def test_a_way_back_that_another_browser_began_leads_nowhere(node, browser, provider):
    back = way_back(browser, provider)
    assert node.client(at=HERE).get(back).status_code == 401


def test_a_way_back_with_another_state_leads_nowhere(browser, provider):
    back = way_back(browser, provider)
    code = parse_qs(urlsplit(back).query)["code"][0]
    assert browser.get(f"/login/callback?code={code}&state=x").status_code == 401
    assert browser.get(f"/login/callback?code={code}").status_code == 401


def test_a_way_back_is_taken_once(browser, provider):
    back = way_back(browser, provider)
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 401


def test_a_code_is_worth_nothing_without_the_verifier_of_its_browser(node, browser, provider):
    stolen = parse_qs(urlsplit(way_back(browser, provider)).query)["code"][0]
    thief = node.client(at=HERE)
    state = parse_qs(urlsplit(way_back(thief, provider)).query)["state"][0]
    assert thief.get(f"/login/callback?code={stolen}&state={state}").status_code == 401


def test_another_issuer_of_the_answer_is_refused(browser, provider):
    back = way_back(browser, provider)
    assert browser.get(f"{back}&iss=https://evil.example").status_code == 401


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"aud": "another"},
        {"aud": [CLIENT, "another"]},  # without azp
        {"azp": "another"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"iat": 99999999999},
        {"at_hash": "AAAA"},
        {"sub": None},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_an_answer_that_does_not_hold_lets_nobody_in(node, browser, provider, lie):
    provider.claims |= lie
    assert enter(browser, provider).status_code == 401
    assert node.context.users.all() == ()


@pytest.mark.parametrize("forged", ["other key", "shared secret", "none"])
def test_a_forged_signature_lets_nobody_in(node, browser, provider, forged):
    if forged == "other key":
        provider.key = RSAKey.generate_key(2048, {"kid": "1"})
    elif forged == "shared secret":
        provider.key = OctKey.import_key(SECRET, {"kid": "1"})
        provider.header = {"alg": "HS256", "kid": "1"}
    else:
        provider.token = lambda *_: (200, {"id_token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiI0MiJ9."})
    assert enter(browser, provider).status_code == 401
    assert node.context.users.all() == ()


def test_new_keys_of_the_provider_are_fetched(node, browser, provider):
    enter(browser, provider)
    provider.key = RSAKey.generate_key(2048, {"kid": "2"})
    provider.header = {"alg": "RS256", "kid": "2"}
    provider.published = [provider.key]
    node.clock.passes(minutes=1)
    assert enter(browser, provider).status_code == 303


def test_a_provider_that_is_away_is_told_to_try_later(store, clock, provider):
    openid = OpenIdSettings("http://127.0.0.1:9", CLIENT)
    site = Site(users=UserSettings(openid=openid))
    node = node_of(make_context(store, site, NoInlet(), now=clock), clock)
    answer = node.client().get("/login/openid")
    assert answer.status_code == 503


def test_a_provider_that_calls_itself_otherwise_is_not_trusted(node, browser, provider):
    provider.issuer = provider.issuer.replace("127.0.0.1", "localhost")
    assert browser.get("/login/openid").status_code == 503


@pytest.mark.parametrize(
    ("claims", "path", "values"),
    [
        ({"roles": ["a", "b", 3]}, "roles", {"a", "b"}),
        ({"roles": "a"}, "roles", {"a"}),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", {"a"}),
        ({"https://h.example/roles": ["a"]}, "https://h.example/roles", {"a"}),
        ({"realm_access": "x"}, "realm_access.roles", set()),
        ({}, "roles", set()),
    ],
)
def test_a_claim_is_found_where_providers_put_it(claims, path, values):
    assert role_claims(claims, path) == values


def test_addresses_go_back_to_the_url_of_the_settings(node, store, clock, provider):
    site = node.context.site
    site = replace(site, web=replace(site.web, url="https://node.example/"))
    other = node_of(make_context(store, site, NoInlet(), now=clock), clock)
    there = (
        other.client(base_url="https://evil.example").get("/login/openid").headers["location"]
    )
    asked = parse_qs(urlsplit(there).query)
    assert asked["redirect_uri"] == ["https://node.example/login/callback"]


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"family_name": "Li", "given_name": "Ming", "name": "Ming Li"}, "Li^Ming"),
        ({"family_name": "李", "given_name": "明"}, "李^明"),
        ({"name": "Ming Li"}, "Ming Li"),
        ({"family_name": "Li"}, "Li"),
        ({"name": "a=b^c\\\n"}, "a b c"),
        ({"family_name": 3, "name": ["x"]}, ""),
        ({"family_name": "L" * 60, "given_name": "M" * 60, "name": "L M"}, "L M"),
        ({}, ""),
    ],
)
def test_a_person_is_named_as_the_claims_do(claims, name):
    assert claimed_name(claims) == name


def test_the_name_of_the_claims_is_kept_and_follows_them(node, browser, provider):
    provider.claims |= {"family_name": "Li", "given_name": "Ming"}
    enter(browser, provider)
    users = node.context.users
    assert users.get("li").person_name == "Li^Ming"
    provider.claims["family_name"] = "Wang"
    enter(browser, provider)
    assert users.get("li").person_name == "Wang^Ming"
    users.rename(users.get("li"), now=node.clock(), full_name="Li^Ming=李^明")
    enter(browser, provider)
    assert users.get("li").person_name == "Li^Ming=李^明", "what was given here goes before"
    actions = [entry.action for entry in node.context.store.audit.entries()]
    assert actions.count("users name") == 2
