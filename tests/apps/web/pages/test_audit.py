"""The page of the audit trail."""

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy import text

from medloop.store import Entry
from tests.apps.web.nodes import NOON


@pytest.fixture
def trail(store):
    """Sixty rows of three people on two days."""
    for n in range(60):
        at = NOON + timedelta(days=n // 40, minutes=n)
        store.audit.append(Entry(at, ("li", "chen", "wang")[n % 3], "looked", f"1.2.{n}", {}))
    return store.audit


def rows_of(page):
    return page.count('<td class="number" title=')


def test_the_newest_fifty_rows_are_shown_and_lead_to_the_rest(trail, chief):
    first = chief.page("/audit")
    assert rows_of(first) == 50
    assert "1.2.59" in first
    assert "before=11" in first
    rest = chief.page("/audit?before=11")
    assert rows_of(rest) == 10
    assert "1.2.0<" in rest


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("actor=li", 20),
        ("actor=nobody", 0),
        ("subject=1.2.7", 1),
        ("action=looked&actor=chen", 20),
        ("since=2026-03-02", 20),
        ("until=2026-03-01", 40),
        ("since=2026-03-01&until=2026-03-02&actor=li", 20),
    ],
)
def test_rows_are_chosen_by_who_what_whom_and_days(trail, chief, query, count):
    assert rows_of(chief.page(f"/audit?{query}")) == count


def test_a_day_that_is_none_is_refused_in_one_line(chief):
    for day in ("2026-02-30", "0000-01-01", "tomorrow"):
        assert chief.client.get(f"/audit?since={day}").status_code in (400, 422)
    assert chief.client.get("/audit?until=9999-12-31").status_code == 400


def test_the_chain_is_checked_and_the_page_says_when(store, trail, chief, clock):
    assert "Nobody has checked the chain yet." in chief.page("/audit")
    assert "The chain is whole" in chief.done("/audit/verify")
    assert "Whole when it was checked by b-administrator" in chief.page("/audit")
    clock.passes(minutes=5)
    with store.database.writing() as connection:
        connection.execute(text("DROP TRIGGER audit_no_update"))
        connection.execute(text("UPDATE audit SET actor = 'mallory' WHERE id = 7"))
    assert "The chain is not whole." in chief.done("/audit/verify")
    assert "audit row 7 was changed" in chief.page("/audit")


def test_rows_are_copied_as_a_table_and_the_copy_is_noted(store, trail, chief, deeds):
    store.audit.append(Entry(NOON, "li", "=HYPERLINK(1)", "王", {"a": "b, c"}))
    answer = chief.client.get("/audit/rows.csv?actor=li")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 21
    assert {row["actor"] for row in rows} == {"li"}
    assert (rows[-1]["action"], rows[-1]["subject"]) == ("'=HYPERLINK(1)", "王")
    assert rows[-1]["details"] == '{"a": "b, c"}'
    assert deeds()[-1] == ("exported", "audit log")


def test_only_who_manages_sees_the_trail(reader):
    reader.page("/audit", 403)
    assert reader.client.get("/audit/rows.csv").status_code == 403
