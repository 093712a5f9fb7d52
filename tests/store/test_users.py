"""Users, their sessions and tokens, on each engine."""

from datetime import timedelta

import pytest

from medloop.core.errors import InputError
from medloop.store.sessions import Sessions, Tokens, hash_of
from medloop.store.users import LABEL_SERVER, SLICER, Role, Users
from tests.store.studies import NOON

HOUR = timedelta(hours=1)


@pytest.fixture
def users(store):
    return Users(store.database)


@pytest.fixture
def sessions(store):
    return Sessions(store.database)


@pytest.fixture
def li(users):
    return users.add("李.wei", Role.READER, now=NOON, password="$argon2id$")  # noqa: S106


def test_a_user_is_found_by_name_and_by_the_subject_of_a_provider(users, li):
    chen = users.add("chen", Role.VIEWER, now=NOON, subject="https://a#1")
    assert users.find("李.wei") == li
    assert users.of_subject("https://a#1") == chen
    assert users.find("nobody") is None
    assert [user.name for user in users.all()] == sorted(["chen", "李.wei"])


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "a\n", "<a>"])
def test_a_name_that_is_none_is_refused(users, name):
    with pytest.raises(InputError):
        users.add(name, Role.VIEWER, now=NOON)


def test_a_name_is_given_once(users, li):
    with pytest.raises(InputError, match="already"):
        users.add(li.name, Role.ADMINISTRATOR, now=NOON)
    assert users.get(li.name).role is Role.READER


def test_there_are_users_from_the_first_on_even_if_disabled(users):
    assert not users.has_any()
    user = users.add("li", Role.READER, now=NOON)
    users.change(user, now=NOON, is_disabled=True)
    assert users.has_any()


def test_failures_lock_and_success_forgets(users, li):
    for _ in range(3):
        li = users.fail(li, now=NOON, tries=3)
    assert li.is_locked(NOON + timedelta(seconds=29))
    assert not li.is_locked(NOON + timedelta(seconds=30))
    users.succeed(li)
    assert users.get(li.name).failures == 0


def test_a_changed_user_has_no_session(store, users, li):
    sessions = Sessions(store.database)
    secret = sessions.begin(li, now=NOON, lasts=HOUR)
    assert sessions.find(secret, now=NOON, idle=HOUR).user == li.name
    users.change(li, now=NOON, role=Role.VIEWER)
    assert sessions.find(secret, now=NOON, idle=HOUR) is None


def test_sessions_end_by_time_by_rest_and_by_hand(store, li):
    sessions = Sessions(store.database)
    secrets = [sessions.begin(li, now=NOON, lasts=HOUR) for _ in range(2)]
    idle = timedelta(minutes=10)
    at = NOON
    while at < NOON + HOUR:
        assert sessions.find(secrets[0], now=at, idle=idle) is not None
        at += timedelta(minutes=9)
    assert sessions.find(secrets[0], now=NOON + HOUR, idle=idle) is None
    assert sessions.find(secrets[1], now=NOON + idle, idle=idle) is None
    third = sessions.begin(li, now=NOON, lasts=HOUR)
    sessions.end(third)
    assert sessions.find(third, now=NOON, idle=idle) is None


def test_secrets_differ_and_are_kept_as_hashes(store, li):
    sessions = Sessions(store.database)
    a, b = (sessions.begin(li, now=NOON, lasts=HOUR) for _ in range(2))
    assert a != b
    assert sessions.find(hash_of(a), now=NOON, idle=HOUR) is None


def test_a_token_opens_until_it_ends_or_is_revoked(store, users, li):
    tokens = Tokens(store.database)
    token, secret = tokens.issue(li, "gateway", now=NOON, lasts=HOUR)
    assert tokens.find(secret, now=NOON) == li.name
    assert tokens.find(secret, now=NOON + HOUR) is None
    assert tokens.all()[0].used == NOON
    tokens.revoke(token.id, now=NOON)
    assert tokens.find(secret, now=NOON) is None
    with pytest.raises(InputError, match="no token 1"):
        tokens.revoke(token.id, now=NOON)
    _, another = tokens.issue(li, "other", now=NOON, lasts=None)
    users.change(li, now=NOON, is_disabled=True)
    assert tokens.find(another, now=NOON) is None


@pytest.mark.parametrize("way", ["ended", "changed", "lent"])
def test_programs_that_signed_in_end_as_sessions_do(store, users, sessions, li, way):
    tokens = Tokens(store.database)
    chen = users.add("chen", Role.VIEWER, now=NOON)
    held = [(li, LABEL_SERVER), (li, SLICER), (li, "gateway"), (chen, SLICER)]
    made = [tokens.issue(user, name, now=NOON, lasts=HOUR)[1] for user, name in held]
    if way == "ended":
        assert sessions.end_all(li, now=NOON) == 2
    elif way == "changed":
        users.change(li, now=NOON, password="$new$")  # noqa: S106
    else:
        users.lend(li, "$lent$", now=NOON)
    assert [tokens.find(each, now=NOON) for each in made] == [None, None, li.name, "chen"]


def test_the_last_administrator_is_known(users, li):
    first = users.add("first", Role.ADMINISTRATOR, now=NOON)
    with pytest.raises(InputError, match="last administrator"):
        users.require_another(first)
    users.require_another(li)
    second = users.add("second", Role.ADMINISTRATOR, now=NOON)
    users.require_another(first)
    users.change(second, now=NOON, is_disabled=True)
    with pytest.raises(InputError, match="last administrator"):
        users.require_another(first)


def test_a_lent_password_ends_with_the_next_one(users, sessions, li):
    secret = sessions.begin(li, now=NOON, lasts=HOUR)
    users.lend(li, "$lent$", now=NOON)
    assert users.get(li.name).is_once
    assert sessions.find(secret, now=NOON, idle=HOUR) is None
    users.change(li, now=NOON, password="$own$")  # noqa: S106
    assert not users.get(li.name).is_once


def test_sessions_are_counted_and_ended_by_user(users, sessions, li):
    chen = users.add("chen", Role.VIEWER, now=NOON)
    for user in (li, li, chen):
        sessions.begin(user, now=NOON, lasts=HOUR)
    assert sessions.counts(now=NOON, idle=HOUR) == {"chen": (1, NOON), li.name: (2, NOON)}
    assert sessions.end_all(li, now=NOON) == 2
    assert set(sessions.counts(now=NOON, idle=HOUR)) == {"chen"}


def test_a_person_has_the_name_given_here_before_that_of_the_provider(users, sessions, li):
    secret = sessions.begin(li, now=NOON, lasts=HOUR)
    assert li.person_name == ""
    said = users.rename(li, now=NOON, claimed_name="Li^Wei")
    assert said.person_name == "Li^Wei"
    given = users.rename(said, now=NOON, full_name="Li^Wei=李^伟")
    assert users.get(li.name) == given
    assert given.person_name == "Li^Wei=李^伟"
    assert users.rename(given, now=NOON, full_name="").person_name == "Li^Wei"
    assert sessions.find(secret, now=NOON, idle=HOUR) is not None, "a name ends no session"
