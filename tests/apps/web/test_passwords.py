"""Easy passwords are refused, right ones open, wrong ones lock, and time tells nothing."""

import statistics
import time
from datetime import timedelta

import pytest

from medloop.apps.web.passwords import hash_password, require_good, sign_in
from medloop.core.errors import InputError
from medloop.store.users import LONGEST_LOCK, Role, Users, lock_of
from tests.apps.web.nodes import NOON

GOOD = "tulip marble ocean"


@pytest.fixture(scope="module")
def kept():
    return hash_password(GOOD)


@pytest.fixture
def users(store, kept):
    users = Users(store.database)
    users.add("li", Role.READER, now=NOON, password=kept)
    return users


def enter(users, password, *, now=NOON, name="li"):
    return sign_in(users, name, password, now=now, tries=3)


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "x" * 300,
        "password1234",
        "Passw0rd!Passw0rd",
        "qwertyuiop12",
        "1qaz2wsx3edc4rfv",
        "hospital2026!!",
        "aaaaaaaaaaaaab",
        "abcdefghijklm",
        "123456789012",
        "woaini520131",
        "Zhang-Wei-2026",
    ],
)
def test_what_is_easy_to_guess_is_refused(password):
    with pytest.raises(InputError, match="password") as refused:
        require_good(password, "zhangwei", 12)
    assert password not in str(refused.value)


@pytest.mark.parametrize("password", [GOOD, "hx7$kfj29!sK", "放射科 的 密码 很长 很长"])
def test_what_is_long_and_odd_is_taken(password):
    require_good(password, "zhangwei", 12)


def test_the_right_password_opens(users):
    assert enter(users, GOOD).name == "li"


def test_what_is_kept_is_argon2id_and_salted(kept):
    assert kept.startswith("$argon2id$")
    assert hash_password(GOOD) != kept


def test_a_keyboard_that_composes_letters_otherwise_types_the_same_password(store):
    users = Users(store.database)
    users.add("rené", Role.READER, now=NOON, password=hash_password("caf\u00e9 marble ocean"))
    assert enter(users, "cafe\u0301 marble ocean", name="rené") is not None


@pytest.mark.parametrize("password", ["", GOOD.upper(), "\ud800", "x" * 5000])
def test_a_wrong_password_does_not(users, password):
    assert enter(users, password) is None


def test_nobody_unknown_disabled_or_without_password_comes_in(users):
    users.add("pacs", Role.SERVICE, now=NOON)
    users.add("left", Role.READER, now=NOON, password=users.get("li").password)
    users.change(users.get("left"), now=NOON, is_disabled=True)
    assert [enter(users, GOOD, name=name) for name in ("nobody", "pacs", "left")] == [None] * 3
    assert enter(users, "", name="pacs") is None


def test_wrong_passwords_lock_for_growing_spans(users):
    for _ in range(3):
        assert enter(users, "wrong") is None
    assert enter(users, GOOD) is None, "locked"
    later = NOON + timedelta(seconds=31)
    assert enter(users, "wrong", now=later) is None
    assert enter(users, GOOD, now=later + timedelta(seconds=31)) is None, "locked longer"
    assert enter(users, GOOD, now=later + timedelta(seconds=61)) is not None
    assert users.get("li").failures == 0


def test_a_lock_lasts_an_hour_at_most():
    assert lock_of(2, 3) == timedelta(0)
    assert lock_of(3, 3) == timedelta(seconds=30)
    assert lock_of(100_000, 3) == LONGEST_LOCK


class TriedMeanwhile:
    """Users of whom one is locked while their password is being checked."""

    def __init__(self, users):
        self.users = users

    def find(self, name):
        user = self.users.find(name)
        for _ in range(3):
            self.users.fail(user, now=NOON, tries=3)
        return user


def test_guesses_made_at_the_same_time_count_together(users):
    assert sign_in(TriedMeanwhile(users), "li", GOOD, now=NOON, tries=3) is None


@pytest.mark.slow
def test_an_unknown_name_takes_as_long_as_a_wrong_password(users):
    enter(users, "", name="warm")

    def takes(name):
        spans = []
        for _ in range(5):
            begin = time.perf_counter()
            sign_in(users, name, "wrong", now=NOON, tries=1000)
            spans.append(time.perf_counter() - begin)
        return statistics.median(spans)

    assert 0.4 < takes("nobody") / takes("li") < 2.5
