"""Metadata are read once a study has settled."""

import json
from datetime import timedelta

import pytest

from medloop.store.metadata import forget_metadata
from medloop.store.query import Finder
from medloop.store.spool import Spool
from medloop.workflow.describing import describe_settled, kept_metadata
from medloop.workflow.reception import Reception
from tests.dicom.web import objects
from tests.dicom.web.objects import STUDY
from tests.workflow.cases import NOON

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def settled(store, tmp_path):
    spool = Spool(tmp_path / "spool", reserve_bytes=0)
    reception = Reception(store, spool, quiet_s=60, now=lambda: NOON)
    reception.store_now([objects.in_file(objects.ct(n)) for n in (1, 2)], "test")
    reception.settle(LATER)
    return store


def without_archive(store):
    for path in store.archive.root.glob("??/*"):
        path.unlink()
    return list(kept_metadata(store).lines(Finder(store.database).members(STUDY)))


def test_a_settled_study_is_described_before_anybody_asks(settled):
    assert describe_settled(settled, LATER, now=LATER) == LATER
    lines = without_archive(settled)
    assert [json.loads(line)["00200013"]["Value"] for line in lines] == [[1], [2]]


def test_what_settled_earlier_is_left_alone(settled):
    describe_settled(settled, LATER + timedelta(seconds=1), now=LATER)
    assert not (settled.root / "metadata").exists()


def test_a_damaged_object_is_said_and_holds_up_nobody(settled, caplog):
    path = next(settled.archive.root.glob("??/*"))
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    describe_settled(settled, LATER, now=LATER)
    assert "damaged" in caplog.text


def test_a_file_that_was_cut_off_is_made_anew(settled):
    describe_settled(settled, LATER, now=LATER)
    (kept,) = (settled.root / "metadata").glob("*/*/*.gz")
    kept.write_bytes(kept.read_bytes()[:-20])
    assert len(list(kept_metadata(settled).lines(Finder(settled.database).members(STUDY)))) == 2
    assert len(without_archive(settled)) == 2


def test_what_is_kept_of_a_study_can_be_forgotten(settled):
    describe_settled(settled, LATER, now=LATER)
    forget_metadata(settled.root / "metadata", STUDY)
    forget_metadata(settled.root / "metadata", STUDY)
    assert list((settled.root / "metadata").glob("*/*/*")) == []
