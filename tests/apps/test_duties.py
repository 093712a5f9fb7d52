"""Duties go on by themselves, whatever happens to one of them."""

import logging
import threading

import pytest

from medloop.apps import duties
from medloop.apps.duties import Duty, keep_at
from medloop.core.errors import ServiceError


@pytest.fixture
def stop():
    return threading.Event()


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    monkeypatch.setattr(duties, "_LONGEST_S", 0.01)


def after(count, stop, *, then=None):
    """Count calls; stop everything at the last."""
    calls = []

    def act():
        calls.append(1)
        if len(calls) >= count:
            stop.set()
        if then is not None:
            return then(len(calls))
        return None

    act.calls = calls
    return act


def test_a_duty_is_done_again_and_again(stop):
    act = after(5, stop)
    keep_at([Duty("look", act, 0.001)], stop)
    assert len(act.calls) == 5


def test_a_duty_that_did_something_is_done_again_at_once(stop):
    act = after(50, stop, then=lambda n: n)
    keep_at([Duty("index", act, 3600.0)], stop)
    assert len(act.calls) == 50


def test_trouble_is_told_once_and_its_end_too(stop, caplog):
    def then(n):
        if n < 4:
            raise ServiceError("disk is full")

    with caplog.at_level(logging.WARNING):
        keep_at([Duty("index", after(6, stop, then=then), 0.001)], stop)
    assert [record.getMessage() for record in caplog.records] == [
        "index waits: disk is full",
        "index goes on",
    ]


def test_a_bug_in_one_duty_ends_no_other(stop, caplog):
    def broken(_n):
        raise KeyError("DOE")

    other = after(30, stop)
    bad = after(10**9, stop, then=broken)
    with caplog.at_level(logging.WARNING):
        keep_at([Duty("bad", bad, 0.001), Duty("good", other, 0.01)], stop)
    assert len(other.calls) == 30
    assert len(bad.calls) > 1
    assert sum("bad has a bug" in record.getMessage() for record in caplog.records) == 1
    assert not any("DOE" in record.getMessage() for record in caplog.records)
