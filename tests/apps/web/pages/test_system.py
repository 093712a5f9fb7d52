"""The page of the system."""

import sys
from datetime import timedelta

import pytest

from medloop.apps.web.system import examine
from medloop.core.errors import ServiceError
from medloop.store import Entry
from tests.apps.web.nodes import NOON
from tests.store.studies import a_study


def test_health_counts_and_limits_stand_there(store, tmp_path, reader):
    store.receive(a_study(tmp_path / "files"), now=NOON)
    text = reader.page("/system")
    assert "Studies that arrived: 1" in text
    assert text.count('<svg class="plot"') == 5
    assert "never: medloop backup" in text
    assert "Apache-2.0" in text
    assert "4096" in text
    assert "doctor" not in text
    assert "style=" not in text


@pytest.mark.parametrize(("days", "is_old"), [(1, False), (3, True)])
def test_a_backup_is_told_and_whether_it_is_old(store, chief, days, is_old):
    at = NOON - timedelta(days=days)
    store.audit.append(Entry(at, "backup", "backed up", "store", {}))
    text = chief.page("/system")
    assert f"{at.astimezone():%Y-%m-%d %H:%M}" in text
    assert ("older than two days" in text) is is_old


@pytest.mark.slow
def test_the_doctor_answers_on_a_page(chief):
    text = chief.page("/system/doctor")
    assert "machine" in text
    assert "packages" in text


def test_a_doctor_that_does_not_answer_is_told_so(context, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ServiceError, match="no answer"):
        examine(context)


def test_only_who_manages_asks_the_doctor(reader):
    reader.page("/system/doctor", 403)
