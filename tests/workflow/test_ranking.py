"""Results of a store from before results had an urgency get one, a batch at a time."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import DateTime, Integer, MetaData, Table, text

from medloop.apps.opening import opened_store
from medloop.apps.settings import load_settings
from medloop.core.finding import Provenance, Result
from medloop.core.record import from_json, to_json, to_record
from medloop.store import open_store
from medloop.store.database import upgrade
from medloop.store.sql import connect
from medloop.workflow.ranking import rank_earlier
from tests.workflow.cases import NOON, a_study

# What an analysis said, how urgent that is by the rules, and because of what.
SAID = (
    ({"ICDR": 4, "DME": 0}, 3, "ICDR 4"),
    ({"ICDR": 0, "DME": 0, "referable": False}, 0, "ICDR 0"),
    ({"Lung-RADS": "4A"}, 2, "Lung-RADS 4A"),
    ({"hippocampus_mm3": 3000.0}, 0, ""),
    ({"organs_to_review": 2}, 1, ""),
)


def record_of(assessments) -> str:
    made = Provenance("retina", "1", (), (), "aa", NOON)
    return to_json(to_record(Result(made, (), assessments), a_study(), ""))


def an_old_store(root: Path, records) -> None:
    """A store of the version before: a study for each record."""
    root.mkdir()
    old = connect(f"sqlite:///{root / 'medloop.db'}")
    upgrade(old, to="0012")
    with old.writing() as connection:
        tables = [
            Table(name, MetaData(), autoload_with=connection)
            for name in ("studies", "jobs", "results")
        ]
        for n, record in enumerate(records, start=1):
            known = {"id": n, "job_id": n, "uid": f"1.2.{n}", "study_uid": f"1.2.{n}"}
            known |= {"analysis": "retina", "selection": "[]", "state": "done"}
            known |= {"folder": f"f{n}", "products": "[]", "record": record}
            for table in tables:
                row = {
                    column.name: known.get(column.name, _usual(column.type))
                    for column in table.columns
                    if column.name in known or not (column.nullable or column.server_default)
                }
                connection.execute(table.insert(), row)
    old.engine.dispose()


def _usual(kind):
    if isinstance(kind, DateTime):
        return NOON.replace(tzinfo=None)
    return 0 if isinstance(kind, Integer) else ""


def urgencies(store):
    with store.database.reading() as connection:
        asked = connection.execute(text("SELECT urgency, because FROM results ORDER BY job_id"))
        studies = connection.execute(text("SELECT urgency FROM studies ORDER BY uid"))
        return [tuple(row) for row in asked], [row[0] for row in studies]


@pytest.fixture
def root(tmp_path):
    an_old_store(tmp_path / "store", [record_of(said) for said, _, _ in SAID])
    return tmp_path / "store"


def test_opening_ranks_what_was_analyzed_before(root):
    settings = replace(load_settings({}), home=root)
    with opened_store(settings) as store:
        results, studies = urgencies(store)
    assert results == [(urgency, because) for _, urgency, because in SAID]
    assert studies == [urgency for _, urgency, _ in SAID]


def test_it_goes_on_where_it_stopped_and_ends(root):
    store = open_store(root)
    assert rank_earlier(store, limit=2) == 2
    assert urgencies(store)[1] == [3, 0, 0, 0, 0]
    store.close()
    store = open_store(root)
    assert [rank_earlier(store, limit=2) for _ in range(4)] == [2, 1, 0, 0]
    assert urgencies(store)[1] == [urgency for _, urgency, _ in SAID]
    store.close()


def test_done_twice_it_changes_nothing(root):
    store = open_store(root)
    rank_earlier(store)
    before = urgencies(store)
    (root / "ranked.json").write_text("damaged", encoding="utf-8")
    rank_earlier(store)
    assert urgencies(store) == before
    assert json.loads((root / "ranked.json").read_text(encoding="utf-8")) == {"job": -1}
    store.close()


def test_a_result_that_was_made_anew_meanwhile_keeps_its_own(root):
    store = open_store(root)
    found = store.results.unranked(after=0, limit=1)
    store.results.keep(1, from_json(found[0].record), "anew", (), now=NOON.replace(hour=13))
    store.results.rank([(found[0], 3, "ICDR 4")])
    assert urgencies(store)[0][0] == (0, "")
    store.close()


def test_a_record_that_cannot_be_read_holds_up_no_other(tmp_path, caplog):
    records = [json.dumps({"schema": "strange/1"}), record_of({"ICDR": 4})]
    an_old_store(tmp_path / "store", records)
    store = open_store(tmp_path / "store")
    with caplog.at_level(logging.WARNING):
        rank_earlier(store)
    assert urgencies(store)[1] == [0, 3]
    assert "result of job 1 keeps no urgency" in caplog.text
    store.close()
