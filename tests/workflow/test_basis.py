"""What a report rests on has a name for each part, which changes as that part does."""

from dataclasses import replace
from datetime import timedelta

import pytest

from medloop.core.finding import Result
from medloop.workflow import basis
from medloop.workflow.basis import PARTS, basis_of, changed_parts
from medloop.workflow.revising import Revising
from medloop.workflow.stored import StoreArchive
from tests.workflow.cases import NOON
from tests.workflow.read_cases import a_read_ct, read
from tests.workflow.signing import signed
from tests.workflow.test_reissue import a_larger_mask


@pytest.fixture
def ct(store, tmp_path):
    return a_read_ct(store, tmp_path / "ct", now=NOON)


@pytest.fixture
def seen(store, ct):
    """What the report rests on, while nobody has changed anything."""
    reading = read(store, ct, now=NOON)
    return basis_of(store, Revising(store, StoreArchive(store)).read(reading.id))


def after(store, ct, *edits):
    reading = read(store, ct, *edits, now=NOON)
    return basis_of(store, Revising(store, StoreArchive(store)).read(reading.id))


def test_each_part_has_a_name_and_the_same_has_the_same(store, ct, seen):
    assert tuple(seen) == PARTS
    assert changed_parts(seen, after(store, ct)) == ()


@pytest.mark.parametrize(
    ("edit", "part"),
    [
        (("reject", "2", None), "edits"),
        (("accept", "1", None), "edits"),
        (("conclude", "", "One."), "conclusion"),
    ],
)
def test_what_a_reader_changes_is_named(store, ct, seen, edit, part):
    assert changed_parts(seen, after(store, ct, edit)) == (part,)


def test_a_mask_is_a_part_of_its_own(store, ct, seen):
    plain, _ = a_larger_mask(store)
    assert changed_parts(seen, after(store, ct, ("mask", "", plain))) == ("mask",)


def test_another_result_is_named(store, ct, seen):
    kept = store.results.get(ct.id)
    record = kept.record | {"finished": "2026-06-01T00:00:00Z"}
    store.results.keep(ct.id, record, kept.folder, kept.products, now=NOON)
    assert changed_parts(seen, after(store, ct)) == ("result",)


def test_other_rules_are_named(store, ct, seen, monkeypatch):
    monkeypatch.setattr(basis, "rules_sha256", lambda: "other")
    assert changed_parts(seen, after(store, ct)) == ("rules",)


def test_a_report_that_changed_for_no_reason_that_is_known_is_named(seen):
    assert changed_parts(seen, {**seen, "report": "x"}) == ("report",)
    assert changed_parts({}, seen) == ()


def test_a_report_that_was_signed_of_the_earlier_study_is_named(store, ct):
    """Here the study is its own earlier one: what matters is that its reports are looked up."""
    reading = read(store, ct, now=NOON)
    revision = Revising(store, StoreArchive(store)).read(reading.id)

    def compared(result: Result) -> Result:
        held = {**result.assessments, "prior": {"study": str(ct.study), "date": "20240301"}}
        return replace(result, assessments=held)

    revision = replace(revision, model=compared(revision.model))
    before = basis_of(store, revision)
    signed(store, reading, now=NOON + timedelta(hours=1))
    assert changed_parts(before, basis_of(store, revision)) == ("prior",)
