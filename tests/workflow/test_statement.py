"""What would be signed has a name that its moment does not change, and all else does."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from medloop.core.attestation import Meaning
from medloop.workflow.revising import Revising
from medloop.workflow.statement import Signing, content_sha256, read_statement, statement_of
from medloop.workflow.stored import StoreArchive
from tests.workflow.read_cases import READER, a_read_ct, read


@pytest.fixture
def now():
    return datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def revising(store):
    return Revising(store, StoreArchive(store))


@pytest.fixture
def ct(store, tmp_path, now):
    return a_read_ct(store, tmp_path / "ct", now=now)


@pytest.fixture
def revision(store, ct, revising, now):
    return revising.read(read(store, ct, now=now).id)


@pytest.fixture
def signing(now):
    return Signing(READER, Meaning.FINAL, now, "en")


def test_the_moment_does_not_matter(revision, signing, now):
    later = replace(signing, at=now + timedelta(hours=1))
    assert content_sha256(revision, later) == content_sha256(revision, signing)


@pytest.mark.parametrize(
    "other",
    [
        {"signer": "dr.chen"},
        {"meaning": Meaning.PRELIMINARY},
        {"language": "zh"},
        {"addendum": "See the prior."},
        {"name": "Li^Ming"},
        {"organization": "First Hospital"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_who_what_and_in_which_language_matter(revision, signing, other):
    changed = replace(signing, **other)
    assert content_sha256(revision, changed) != content_sha256(revision, signing)


def test_an_edit_and_another_result_matter(store, ct, revising, revision, signing, now):
    named = content_sha256(revision, signing)
    edited = revising.read(read(store, ct, ("conclude", "", "One."), now=now).id)
    assert content_sha256(edited, signing) != named
    record = {**revision.looked.kept.record, "assessments": {"Lung-RADS": "2"}}
    kept = replace(revision.looked.kept, record=record)
    anew = replace(revision, looked=replace(revision.looked, kept=kept))
    assert content_sha256(anew, signing) != named


def test_a_statement_is_read_as_it_was_written(revision, signing):
    said = replace(signing, name="Li^Ming=李^明", organization="第一医院")
    assert read_statement(statement_of(revision, said)).signing == said


def test_a_statement_from_before_names_were_kept_is_read(revision, signing):
    said = json.loads(statement_of(revision, signing))
    del said["signer_name"], said["organization"]
    assert read_statement(json.dumps(said).encode()).signing == signing
