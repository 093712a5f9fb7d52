"""What analyses make is filed with the study it is about, and never analyzed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from medloop.core.record import to_json, to_record
from medloop.core.search import Level, Match, Search, Term
from medloop.core.study import StudyUid
from medloop.store.query import Finder
from medloop.store.spool import Spool
from medloop.store.worklist import Worklist
from medloop.workflow.filing import file_products
from medloop.workflow.reception import Reception
from medloop.workflow.routing import instances_of, route
from medloop.workflow.worker import Bench, work
from tests.dicom.web import objects
from tests.dicom.web.objects import STUDY
from tests.store.studies import a_series
from tests.store.studies import a_study as a_study_of_files
from tests.workflow.cases import NOON, Grade, Shelf, a_study

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def reception(store, tmp_path):
    spool = Spool(tmp_path / "spool", reserve_bytes=0)
    return Reception(store, spool, quiet_s=60, now=lambda: NOON)


@pytest.fixture
def settled(store, reception):
    reception.store_now([objects.in_file(objects.ct(1))], "test")
    assert reception.settle(LATER) == 1
    return store


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "lung-1"
    made.mkdir()
    (made / "seg.dcm").write_bytes(objects.in_file(objects.masks()))
    (made / "report.dcm").write_bytes(objects.in_file(objects.report()))
    (made / "result.json").write_text("{}")
    return made


def modalities(store):
    study = Term(("0020000D",), Match.ANY_OF, (STUDY,))
    found, _ = Finder(store.database).find(Search(Level.SERIES, (study,)))
    return sorted(each.header["00080060"]["Value"][0] for each in found)


def test_products_are_series_of_the_study(settled, folder):
    assert file_products(settled, folder, now=LATER) == 2
    assert modalities(settled) == ["CT", "DOC", "SEG"]
    (study,), _ = Finder(settled.database).find(Search(Level.STUDY))
    assert study.study["00080061"] == "CT\\DOC\\SEG"
    for member in Finder(settled.database).members(STUDY):
        settled.archive.checked(member.sha256)


@pytest.mark.parametrize(("modality", "shown"), [("", ()), ("MR", ("MR",))])
def test_the_list_shows_the_modality_of_images_and_not_of_products(
    store, tmp_path, folder, modality, shown
):
    came = a_series(tmp_path, "1.9", modality=modality)  # as of NIfTI, which may name none
    store.receive(replace(a_study_of_files(tmp_path, STUDY), series=(came,)), now=NOON)
    file_products(store, folder, now=LATER)
    line = Worklist(store.database).study(StudyUid(STUDY))
    assert line.modalities == shown


def test_filing_does_not_open_the_study_again(settled, reception, folder):
    file_products(settled, folder, now=LATER)
    assert reception.settle(LATER + timedelta(hours=1)) == 0


def test_products_are_not_among_what_analyses_see(settled, reception, folder):
    file_products(settled, folder, now=LATER)
    assert [each.uid for each in settled.arrivals.of(StudyUid(STUDY)).objects] == [
        objects.CT_SERIES + ".1"
    ]
    reception.store_now([objects.in_file(objects.ct(2))], "test")
    assert reception.settle(LATER + timedelta(hours=1)) == 1
    assert reception.settle(LATER + timedelta(hours=2)) == 0
    assert [series.modality for series in settled.catalog.study(StudyUid(STUDY)).series] == [
        "CT"
    ]


def test_what_was_filed_first_stays(settled, folder):
    file_products(settled, folder, now=LATER)
    again = objects.report(ContentTime="235959")
    (folder / "report.dcm").write_bytes(objects.in_file(again))
    assert file_products(settled, folder, now=LATER) == 0
    assert settled.catalog.conflicts() == ()


def test_a_product_that_comes_back_from_a_pacs_is_known(settled, reception, folder):
    file_products(settled, folder, now=LATER)
    (answer,) = reception.store_now([(folder / "seg.dcm").read_bytes()], "pacs")
    assert answer.outcome == "known"
    assert reception.settle(LATER + timedelta(hours=1)) == 0


def test_a_file_that_is_no_dicom_is_left_out_and_said(settled, folder, caplog):
    (folder / "seg.dcm").write_bytes(b"torn")
    assert file_products(settled, folder, now=LATER) == 1
    assert "seg.dcm" in caplog.text


def test_a_worker_files_what_it_made(store):
    study = a_study()
    store.catalog.add(study, now=NOON)
    for each in route([study], [Grade()]):
        store.jobs.add(study.uid, "grade", instances_of(each.selection), now=NOON)

    def write(case, result, folder):
        folder.mkdir(parents=True)
        text = to_json(to_record(result, case.study, case.selection.source))
        (folder / "result.json").write_text(text, encoding="utf-8")
        made = objects.report(StudyInstanceUID=study.uid)
        (folder / "report.dcm").write_bytes(objects.in_file(made))

    bench = Bench("w1", Shelf((study,)), write, now=lambda: NOON)
    assert work(store, [Grade()], bench, once=True) == 1
    assert [each.uid for each in Finder(store.database).members(study.uid)] == [STUDY + ".5.1"]
