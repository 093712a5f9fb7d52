"""What a reader signed becomes documents of its own, beside the model's and after them."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise

import numpy as np
import pytest
from pydicom import dcmread

from medloop.annotation import masks
from medloop.annotation.draft import mask_to_plain
from medloop.clinical.lung import codes as lung
from medloop.clinical.lung.phrases import WORDS
from medloop.clinical.retina import codes as retina
from medloop.core.attestation import Meaning
from medloop.core.record import from_json, from_record
from medloop.core.study import StudyUid
from medloop.dicom.read_results import read_segmentation
from medloop.store import JobState
from medloop.store.issues import IssueState
from medloop.workflow import statement
from medloop.workflow.delivery import deliver
from medloop.workflow.prior import stored_past
from medloop.workflow.revising import Revising
from medloop.workflow.stored import StoreArchive
from tests.apps.web.browser.room import BALLS, a_chest
from tests.apps.web.jobs_done import a_ball
from tests.dicom.test_write_objects import errors_of
from tests.workflow.cases import NOON
from tests.workflow.read_cases import READER, a_read_ct, a_read_fundus, read
from tests.workflow.signing import issued, signed

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def ct(store, tmp_path):
    return a_read_ct(store, tmp_path / "ct", now=NOON)


@pytest.fixture
def eye(store, tmp_path):
    return a_read_fundus(store, tmp_path / "eye", now=NOON)


class Recipient:
    """Remembers which folders it was sent."""

    def __init__(self):
        self.folders = []

    def send(self, study, products):
        self.folders.append(products.name)


def contents(folder):
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def sr_of(store, version):
    return dcmread(store.results_folder / version.folder / "sr.dcm")


def a_larger_mask(store, labels=(1,)):
    """The reader's mask of the drawn CT: nodules of 20 mm."""
    volume = a_chest()
    array = np.zeros(volume.grid.shape, np.uint8)
    for label, center in zip(labels, ((-20.0, 6.0, 30.0), (18.0, -4.0, 50.0)), strict=False):
        array[a_ball(volume.grid, center, 20.0)] = label
    segments = {n: lung.segment_of(n) for n in labels}
    kept = store.archive.put(masks.encode(array, volume.grid))
    return mask_to_plain(kept, segments), array


def test_the_products_of_the_model_stay_byte_for_byte(store, ct):
    folder = store.results_folder / ct.folder
    before, record = contents(folder), store.results.get(ct.id).record
    reading = read(store, ct, ("reject", "2", None), now=NOON)
    signed(store, reading, now=LATER)
    assert issued(store, now=LATER) == 1
    assert contents(folder) == before
    assert store.results.get(ct.id).record == record


def test_what_nobody_signed_leaves_the_node_to_nobody(store, ct):
    read(store, ct, ("reject", "2", None), ("conclude", "", "No nodule."), now=NOON)
    pacs = Recipient()
    assert issued(store, "pacs", now=LATER) == 0
    assert deliver(store, {"pacs": pacs}, lambda: LATER) == 0
    assert pacs.folders == []


def test_a_signed_report_has_what_the_reader_kept(store, ct):
    reading = read(store, ct, ("accept", "1", None), ("reject", "2", None), now=NOON)
    version = signed(store, reading, now=LATER)
    issued(store, now=LATER)
    folder = store.results_folder / version.folder
    result = from_record(from_json((folder / "result.json").read_text("utf-8"))).result
    assert [each.segment for each in result.findings] == [1]
    assert result.provenance.attested.signer == READER
    assert set(np.unique(read_segmentation(dcmread(folder / "seg.dcm")).array)) == {0, 1}
    assert "rejected" in (folder / "report.html").read_text("utf-8")


def test_edits_after_the_signature_are_in_no_document_of_it(store, ct):
    reading = read(store, ct, ("reject", "2", None), now=NOON)
    version = signed(store, reading, Meaning.PRELIMINARY, now=LATER)
    read(store, ct, ("reject", "1", None), now=LATER)
    issued(store, now=LATER)
    record = (store.results_folder / version.folder / "result.json").read_text("utf-8")
    assert len(from_record(from_json(record)).result.findings) == 1


@pytest.mark.parametrize(
    ("meaning", "flags"),
    [
        (Meaning.PRELIMINARY, ("PARTIAL", "UNVERIFIED", "PRELIMINARY")),
        (Meaning.FINAL, ("COMPLETE", "VERIFIED", "FINAL")),
    ],
)
def test_the_report_says_who_observed_and_how_far_it_holds(store, ct, meaning, flags):
    reading = read(store, ct, ("reject", "2", None), now=NOON)
    report = sr_of(
        store, (signed(store, reading, meaning, now=LATER), issued(store, now=LATER))[0]
    )
    assert (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag) == flags
    named = [item for item in report.ContentSequence if item.ValueType == "PNAME"]
    assert [str(item.PersonName) for item in named] == [READER]
    assert str(report.AuthorObserverSequence[0].PersonName) == READER
    verifiers = report.get("VerifyingObserverSequence") or []
    assert [str(each.VerifyingObserverName) for each in verifiers] == (
        [READER] if meaning is Meaning.FINAL else []
    )


def items_of(report):
    """What is said of the observer, by the meaning of its concept."""
    return {
        item.ConceptNameCodeSequence[0].CodeMeaning: item.get("TextValue")
        or str(item.get("PersonName", ""))
        for item in report.ContentSequence
        if item.RelationshipType == "HAS OBS CONTEXT"
    }


@pytest.mark.parametrize(
    ("language", "name", "label"), [("en", "Li, Ming", "Organization"), ("zh", "李明", "机构")]
)
def test_who_has_a_name_and_an_organization_signs_with_them(store, ct, language, name, label):
    reading = read(store, ct, ("reject", "2", None), now=NOON)
    who = {"name": "Li^Ming=李^明", "organization": "First Hospital 第一医院"}
    version = signed(store, reading, now=LATER, language=language, **who)
    issued(store, now=LATER)
    report = sr_of(store, version)
    said = items_of(report)
    assert said["Person Observer Name"] == who["name"]
    assert said["Person Observer's Login Name"] == READER
    assert said["Person Observer's Organization Name"] == who["organization"]
    (verifier,) = report.VerifyingObserverSequence
    assert str(verifier.VerifyingObserverName) == who["name"]
    assert verifier.VerifyingOrganization == who["organization"]
    (author,) = report.AuthorObserverSequence
    assert (str(author.PersonName), author.InstitutionName) == tuple(who.values())
    folder = store.results_folder / version.folder
    seg = dcmread(folder / "seg.dcm", stop_before_pixels=True)
    assert str(seg.ContentCreatorName) == who["name"]
    page = (folder / "report.html").read_text("utf-8")
    assert all(each in page for each in (name, label, who["organization"]))
    assert READER not in page
    for path in folder.glob("*.dcm"):
        assert errors_of(path) == [], path.name
    record = (folder / "result.json").read_text("utf-8")
    attested = from_record(from_json(record)).result.provenance.attested
    assert (attested.name, attested.organization) == tuple(who.values())


def test_without_a_name_the_user_stands_for_the_person(store, ct):
    reading = read(store, ct, ("reject", "2", None), now=NOON)
    version = signed(store, reading, now=LATER)
    issued(store, now=LATER)
    report = sr_of(store, version)
    assert items_of(report)["Person Observer Name"] == READER
    assert report.VerifyingObserverSequence[0].VerifyingOrganization == "not stated"
    page = (store.results_folder / version.folder / "report.html").read_text("utf-8")
    assert READER in page
    assert "Organization" not in page


def test_an_addendum_amends_only_if_what_was_final_says_otherwise_now(store, ct):
    reading = read(store, ct, ("reject", "2", None), now=NOON)
    said = []
    for n, meaning in enumerate((Meaning.FINAL, Meaning.ADDENDUM, Meaning.ADDENDUM)):
        if n == 2:
            reading = read(store, ct, ("restore", "2", None), now=NOON)
        version = signed(store, reading, meaning, now=LATER, addendum="More.")
        issued(store, now=LATER)
        record = (store.results_folder / version.folder / "result.json").read_text("utf-8")
        said.append(from_record(from_json(record)).result.provenance.attested.amends)
    assert said == [False, False, True]


def test_each_version_refers_to_the_one_before(store, ct):
    reading = read(store, ct, ("reject", "2", None), now=NOON)
    reports = [dcmread(store.results_folder / ct.folder / "sr.dcm")]
    for n, meaning in enumerate((Meaning.PRELIMINARY, Meaning.FINAL, Meaning.ADDENDUM)):
        at = LATER + timedelta(minutes=n)
        version = signed(store, reading, meaning, now=at, addendum="More.")
        issued(store, now=at)
        reports.append(sr_of(store, version))
    for before, after in pairwise(reports):
        (study,) = after.PredecessorDocumentsSequence
        (series,) = study.ReferencedSeriesSequence
        (named,) = series.ReferencedSOPSequence
        assert named.ReferencedSOPInstanceUID == before.SOPInstanceUID
        assert series.SeriesInstanceUID == before.SeriesInstanceUID
    assert len({each.SOPInstanceUID for each in reports}) == 4


def test_lesions_keep_the_names_that_the_model_gave_them(store, ct):
    def tracked(report):
        groups = report.ContentSequence[-1].ContentSequence
        return {
            str(item.UID)
            for group in groups
            for item in group.ContentSequence
            if item.ValueType == "UIDREF"
        }

    reading = read(store, ct, ("reject", "1", None), now=NOON)
    version = signed(store, reading, now=LATER)
    issued(store, now=LATER)
    model = tracked(dcmread(store.results_folder / ct.folder / "sr.dcm"))
    assert len(tracked(sr_of(store, version)) & model) == 1


def test_a_mask_that_was_drawn_is_measured_and_said_to_be_drawn(store, ct):
    plain, array = a_larger_mask(store)
    reading = read(store, ct, ("reject", "2", None), ("mask", "", plain), now=NOON)
    version = signed(store, reading, now=LATER)
    issued(store, now=LATER)
    folder = store.results_folder / version.folder
    seg = dcmread(folder / "seg.dcm")
    (item,) = seg.SegmentSequence
    assert (item.SegmentAlgorithmType, str(seg.ContentCreatorName)) == ("SEMIAUTOMATIC", READER)
    result = from_record(from_json((folder / "result.json").read_text("utf-8"))).result
    voxel = a_chest().grid.voxel_mm3
    assert result.findings[0].measured(lung.VOLUME) == pytest.approx((array == 1).sum() * voxel)
    assert result.findings[0].measured(lung.LONG_AXIS) == pytest.approx(20, abs=2)
    assert result.assessments["Lung-RADS"] == "4B"  # 15 mm or more


@pytest.mark.parametrize("is_all", [False, True])
def test_lesions_that_were_rejected_do_not_come_back_when_one_more_is_drawn(store, eye, is_all):
    revising = Revising(store, StoreArchive(store))
    reading = read(store, eye, now=NOON)
    model = revising.whole(reading.id).model
    kind = retina.CONCEPTS["HE"]
    keys = [str(n) for n, f in enumerate(model.findings, start=1) if f.concept == kind]
    gone = keys if is_all else keys[:1]
    before = {f.site for n, f in enumerate(model.findings, start=1) if str(n) in gone}
    array = model.labels.array.copy()
    free = np.argwhere(array == 0)
    y, x = free[len(free) // 2] + 4
    array[y : y + 3, x : x + 3] = retina.LABELS["HE"]
    kept = store.archive.put(masks.encode_flat(array))
    plain = mask_to_plain(kept, model.labels.segments)
    steps = [("reject", key, None) for key in gone]
    reading = read(store, eye, *steps, ("mask", "", plain), now=NOON)
    told, whole = revising.read(reading.id), revising.whole(reading.id)
    assert told.result.findings == whole.result.findings
    found = [each for each in whole.result.findings if each.concept == kind]
    counted = sum(each.measured(retina.COUNT) for each in found)
    was = [model.findings[int(key) - 1] for key in keys if key not in gone]
    assert counted == sum(each.measured(retina.COUNT) for each in was) + 1
    assert len(before) == len(gone)
    labels = whole.result.labels
    assert retina.LABELS["HE"] in labels.segments
    assert (labels.array[y : y + 3, x : x + 3] == retina.LABELS["HE"]).all()


def a_lesion_beside(model, key):
    """Draw one more lesion near that of a finding; returns the label map and its corner."""
    array = model.labels.array.copy()
    x, y = model.findings[int(key) - 1].center_px
    free = np.argwhere(array == 0)
    far = np.hypot(free[:, 0] - y, free[:, 1] - x)
    row, column = free[np.argmin(np.where(far < 12, np.inf, far))]
    array[row : row + 3, column : column + 3] = retina.LABELS["HE"]
    return array, (row, column)


@pytest.mark.parametrize("order", ["drawn first", "rejected first", "rejected between"])
def test_what_is_drawn_and_rejected_follows_the_order_of_the_edits(store, eye, order):
    revising = Revising(store, StoreArchive(store))
    model = revising.whole(read(store, eye, now=NOON).id).model
    kind = retina.CONCEPTS["HE"]
    key = next(str(n) for n, f in enumerate(model.findings, start=1) if f.concept == kind)
    site = model.findings[int(key) - 1].site
    array, (y, x) = a_lesion_beside(model, key)
    more = array.copy()
    more[y + 6 : y + 9, x : x + 3] = retina.LABELS["HE"]
    first, second = (
        (
            "mask",
            "",
            mask_to_plain(store.archive.put(masks.encode_flat(each)), model.labels.segments),
        )
        for each in (array, more)
    )
    reject = ("reject", key, None)
    steps, left = {
        "drawn first": ([first, reject], 0),
        "rejected first": ([reject, first], 1),
        "rejected between": ([first, reject, second], 1),
    }[order]
    reading = read(store, eye, *steps, now=NOON)
    told, whole = revising.read(reading.id), revising.whole(reading.id)
    assert told.result.findings == whole.result.findings
    here = [f for f in whole.result.findings if (f.concept, f.site) == (kind, site)]
    assert sum(each.measured(retina.COUNT) for each in here) == left
    shown = whole.result.labels
    drawn = shown.array[y : y + 3, x : x + 3] if shown is not None else np.zeros(1)
    assert bool((drawn == retina.LABELS["HE"]).all()) is (order == "rejected first")


def test_a_nodule_that_got_another_number_is_still_said_to_be_drawn(store, ct):
    (center, size), (drawn, _) = BALLS
    grid = a_chest().grid
    array = np.zeros(grid.shape, np.uint8)
    array[a_ball(grid, center, size)] = 1  # as the model drew it
    array[a_ball(grid, drawn, 20.0)] = 2
    kept = store.archive.put(masks.encode(array, grid))
    plain = mask_to_plain(kept, {n: lung.segment_of(n) for n in (1, 2)})
    reading = read(store, ct, ("reject", "1", None), ("mask", "", plain), now=NOON)
    version = signed(store, reading, now=LATER)
    issued(store, now=LATER)
    (item,) = dcmread(store.results_folder / version.folder / "seg.dcm").SegmentSequence
    assert (item.SegmentNumber, item.SegmentAlgorithmType) == (1, "SEMIAUTOMATIC")


def test_sentences_follow_the_mask_before_anything_is_signed(store, ct):
    plain, _ = a_larger_mask(store)
    reading = read(store, ct, ("mask", "", plain), now=NOON)
    revision = Revising(store, StoreArchive(store)).read(reading.id)
    assert revision.result.assessments["Lung-RADS"] == "4B"


@pytest.mark.slow
@pytest.mark.parametrize("meaning", [Meaning.PRELIMINARY, Meaning.FINAL, Meaning.ADDENDUM])
def test_dciodvfy_finds_no_error_in_any_document(store, ct, eye, meaning):
    plain, _ = a_larger_mask(store, (1, 2))
    added = {
        "concept": {"scheme": "SCT", "value": "27925004", "meaning": "Nodule"},
        "site": None,
        "measurements": [],
        "probability": None,
        "center_lps_mm": [0.0, 0.0, 30.0],
    }
    first = read(store, ct, ("mask", "", plain), ("add", "a1", added), now=NOON)
    second = read(store, eye, ("reject", "2", None), ("assess", "ICDR", 3), now=NOON)
    for reading in (first, second):
        if meaning is Meaning.ADDENDUM:
            signed(store, reading, Meaning.FINAL, now=NOON)
        signed(store, reading, meaning, now=LATER, language="zh", addendum="补充。")
        issued(store, now=LATER)
        folder = store.results_folder / store.readings.versions(reading.id)[-1].folder
        for path in sorted(folder.glob("*.dcm")):
            assert errors_of(path) == [], path.name


def test_documents_are_filed_and_sent_and_the_job_is_reviewed(store, ct):
    reading = read(store, ct, ("accept", "1", None), now=NOON)
    version = signed(store, reading, now=LATER)
    pacs = Recipient()
    issued(store, "pacs", now=LATER)
    assert deliver(store, {"pacs": pacs}, lambda: LATER) == 1
    assert pacs.folders == [version.folder.rpartition("/")[2]]
    assert store.jobs.get(ct.id).state is JobState.REVIEWED
    held = store.arrivals.held([str(sr_of(store, version).SOPInstanceUID)])
    assert len(held) == 1


def test_versions_reach_a_destination_in_their_order(store, tmp_path):
    ct = a_read_ct(store, tmp_path / "ct", now=NOON, destinations=("pacs",))
    reading = read(store, ct, ("accept", "1", None), now=NOON)
    for n, meaning in enumerate((Meaning.PRELIMINARY, Meaning.FINAL)):
        signed(store, reading, meaning, now=LATER + timedelta(minutes=n))
    issued(store, "pacs", now=LATER)
    pacs = Recipient()
    deliver(store, {"pacs": pacs}, lambda: LATER)
    assert [name.rpartition("-")[2] for name in pacs.folders] == ["1", "v1", "v2"]


def test_a_result_made_anew_after_the_signature_is_not_issued(store, ct):
    reading = read(store, ct, ("accept", "1", None), now=NOON)
    signed(store, reading, now=LATER)
    kept = store.results.get(ct.id)
    record = kept.record | {"finished": "2026-06-01T00:00:00Z"}
    store.results.keep(ct.id, record, kept.folder, kept.products, now=LATER)
    assert issued(store, now=LATER) == 0
    (issue,) = store.issues.of_reading(reading.id)
    assert issue.state is IssueState.FAILED
    assert "the result" in issue.reason


def test_what_is_told_otherwise_than_it_was_signed_is_not_issued(store, ct, monkeypatch):
    reading = read(store, ct, ("accept", "1", None), now=NOON)
    signed(store, reading, now=LATER)
    monkeypatch.setitem(WORDS, "several", ("{count} nodes, {category}.", "x"))
    assert issued(store, now=LATER) == 0
    (issue,) = store.issues.of_reading(reading.id)
    assert issue.reason == "no longer what was signed: sentences; look at it and sign again"


def test_other_rules_that_come_to_the_same_are_issued(store, ct, monkeypatch):
    reading = read(store, ct, ("reject", "2", None), now=NOON)
    signed(store, reading, now=LATER)
    monkeypatch.setattr(statement, "rules_sha256", lambda: "other")
    assert issued(store, now=LATER) == 1


def test_what_was_signed_is_kept_by_its_hash(store, ct):
    reading = read(store, ct, ("conclude", "", "One nodule."), now=NOON)
    version = signed(store, reading, now=LATER)
    issued(store, now=LATER)
    said = (store.results_folder / version.folder / "signed.json").read_bytes()
    assert sha256(said).hexdigest() == version.record
    assert said == store.archive.read(version.record)
    assert b"One nodule." in said


def test_a_later_study_is_compared_with_what_was_signed(store, ct):
    later = replace(store.catalog.study(ct.study), uid=StudyUid("2.25.99"), date="20270312")
    assert len(stored_past(store, later, "lung").prior.result.findings) == 2
    reading = read(store, ct, ("reject", "2", None), now=NOON)
    signed(store, reading, Meaning.PRELIMINARY, now=LATER)
    issued(store, now=LATER)
    assert len(stored_past(store, later, "lung").prior.result.findings) == 2
    signed(store, reading, Meaning.FINAL, now=LATER + timedelta(minutes=1))
    issued(store, now=LATER)
    (finding,) = stored_past(store, later, "lung").prior.result.findings
    assert finding.tracking.name == "label 1"
