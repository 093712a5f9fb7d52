"""What readers corrected becomes data sets that training reads, patient by patient."""

import csv
import json
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import update

from medloop.annotation.masks import encode
from medloop.core.edit import Action, Edit
from medloop.core.errors import InputError
from medloop.learning.data.description import Balls, Grades, Task
from medloop.learning.data.pixels import read_grid_array, read_image
from medloop.learning.data.recognize import open_dataset
from medloop.store import tables
from medloop.store.reading import Meaning, Purpose, Version
from medloop.workflow.labels import Asked, agreement_of, export_labels
from medloop.workflow.reviewing import add_edit, mask_edit, review_of
from medloop.workflow.routing import selection_from
from medloop.workflow.scene import look_up
from medloop.workflow.stored import StoreArchive
from tests.apps.web.jobs_done import a_ball, a_ct, a_photograph
from tests.apps.web.nodes import NOON
from tests.apps.web.test_images import BALL, a_volume

LATER = NOON + timedelta(hours=1)
OTHER = (10.0, -10.0, 40.0)


@pytest.fixture
def volume():
    return a_volume()


@pytest.fixture
def jobs(store, tmp_path, volume):
    """Two chest CTs of one patient, a nodule each."""
    return [
        a_ct(
            store,
            tmp_path / f"ct{n}",
            volume,
            [(BALL, 12.0)],
            now=NOON,
            study=(f"2.25.81{n}", f"2026031{n}"),
        ).id
        for n in range(2)
    ]


def change(store, reading, action, target="", after=None):
    review = review_of(store, store.readings.get(reading.id))
    edit = Edit(0, action, target, None, after, 3.0, 2, NOON)
    add_edit(
        store, review, edit, expected=review.reading.number, now=NOON, actor=reading.reader
    )


def draw(store, reading, labels, grid):
    review = review_of(store, store.readings.get(reading.id))
    edit = mask_edit(store, review, labels, review.draft.segments, grid)
    add_edit(
        store, review, edit, expected=review.reading.number, now=NOON, actor=reading.reader
    )


def read(store, job, reader="li", purpose=Purpose.READ, *, is_done=True):
    reading = store.readings.open(job, reader, purpose, now=NOON)
    if is_done:
        store.readings.hand_in(reading.id, now=LATER)
    return reading


def export(store, out, **asked):
    return export_labels(store, out, Asked(**asked), actor="li", now=LATER)


def rows(file):
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_masks_are_what_the_reader_drew_on_the_voxels_of_the_image(
    store,
    jobs,
    volume,
    tmp_path,
):
    labels = np.zeros(volume.grid.shape, np.uint8)
    labels[1, 2:5, 3:9] = 1
    reading = read(store, jobs[0], is_done=False)
    draw(store, reading, labels, volume.grid)
    store.readings.hand_in(reading.id, now=LATER)
    found = export(store, tmp_path / "out")
    assert found.cases["lung"]["masks"] == ("job000001",)
    dataset = open_dataset(tmp_path / "out/lung/masks")
    assert (dataset.task, dict(dataset.classes)) == (Task.SEGMENTATION, {"nodule": (1,)})
    (case,) = dataset.trainable
    assert (read_image(case).array[0] == volume.array).all()
    assert (read_grid_array(case.label.path)[0] == labels).all()


def test_cases_of_one_patient_have_one_number_and_no_name(store, jobs, tmp_path):
    for job in jobs:
        read(store, job)
    export(store, tmp_path / "out")
    for kind in ("masks", "boxes"):
        cases = open_dataset(tmp_path / "out/lung" / kind).cases
        assert {case.patient for case in cases} == {"p00001"}
    patient = store.catalog.study("2.25.810").patient
    assert patient.identifier
    files = [path for path in (tmp_path / "out").rglob("*.*") if path.is_file()]
    written = b"".join(path.read_bytes() for path in files if path.suffix != ".gz")
    for secret in (patient.name, patient.identifier, "2.25.810", "20260310"):
        assert secret.encode() not in written


def test_boxes_have_the_findings_that_were_left_and_added(store, jobs, tmp_path):
    reading = read(store, jobs[0], is_done=False)
    finding = store.results.get(jobs[0]).record["findings"][0]
    change(store, reading, Action.REJECT, "1")
    added = {**finding, "center_lps_mm": list(OTHER), "segment": 1}
    change(store, reading, Action.ADD, "a1", added)
    store.readings.hand_in(reading.id, now=LATER)
    read(store, jobs[1])
    export(store, tmp_path / "out")
    dataset = open_dataset(tmp_path / "out/lung/boxes")
    assert dataset.task is Task.DETECTION
    balls = {
        case.name: [(ball.center_lps_mm, ball.diameter_mm) for ball in case.label.balls]
        for case in dataset.cases
        if isinstance(case.label, Balls)
    }
    assert balls == {"job000001": [(OTHER, 12.0)], "job000002": [(BALL, 12.0)]}


def test_a_case_without_an_object_stays_with_its_patient(store, jobs, tmp_path):
    for job in jobs:
        reading = read(store, job, is_done=False)
        if job == jobs[0]:
            change(store, reading, Action.REJECT, "1")
        store.readings.hand_in(reading.id, now=LATER)
    export(store, tmp_path / "out")
    cases = open_dataset(tmp_path / "out/lung/boxes").cases
    assert [len(case.label.balls) for case in cases] == [0, 1]
    assert {case.patient for case in cases} == {"p00001"}


def test_grades_are_the_readers(store, tmp_path):
    rng = np.random.default_rng(0)
    eyes = [
        a_photograph(
            store, tmp_path / f"eye{n}", rng.integers(0, 256, (40, 60, 3), np.uint8), now=NOON
        ).id
        for n in range(2)
    ]
    reading = read(store, eyes[0], is_done=False)
    change(store, reading, Action.ASSESS, "ICDR", 4)
    change(store, reading, Action.ASSESS, "DME", 1)
    store.readings.hand_in(reading.id, now=LATER)
    other = read(store, eyes[1], is_done=False)
    change(store, other, Action.ASSESS, "DME", 0)
    store.readings.hand_in(other.id, now=LATER)
    export(store, tmp_path / "out")
    dataset = open_dataset(tmp_path / "out/retina/grades")
    assert (dataset.task, dataset.findings) == (Task.CLASSIFICATION, ("icdr", "dme"))
    assert [case.label for case in dataset.cases] == [Grades((4, 1)), Grades((2, 0))]
    assert len({case.patient for case in dataset.cases}) == 2


def test_where_each_label_comes_from_stands_beside_it(store, jobs, tmp_path):
    reading = read(store, jobs[0], is_done=False)
    change(store, reading, Action.ACCEPT, "1")
    store.readings.hand_in(reading.id, now=LATER)
    export(store, tmp_path / "out")
    (row,) = rows(tmp_path / "out/lung/provenance.csv")
    assert (row["reader"], row["edits"], row["seconds"], row["clicks"]) == (
        "li",
        "1",
        "3.0",
        "2",
    )
    assert (row["accepted"], row["mask"], row["weights_sha256"]) == ("1", "model", "0" * 64)
    assert row["standing"] == "single"
    (deed,) = [each for each in store.audit.entries() if each.action == "exported labels"]
    assert (deed.subject, deed.actor) == ("2.25.810", "li")


def test_only_what_was_handed_in_or_signed_leaves(store, jobs, tmp_path):
    read(store, jobs[0], is_done=False)
    with pytest.raises(InputError, match="no reading was handed in"):
        export(store, tmp_path / "out")
    done = read(store, jobs[1])
    with pytest.raises(InputError, match="no reading was handed in"):
        export(store, tmp_path / "out", is_signed=True)
    assert not (tmp_path / "out").exists()
    version = Version(0, Meaning.FINAL, "li", LATER, "en", "", "f", "a" * 64)
    store.readings.sign(done.id, version)
    found = export(store, tmp_path / "out", is_signed=True)
    assert found.cases["lung"]["masks"] == ("job000002",)


def test_readers_who_disagree_wait_for_an_adjudication(
    store,
    jobs,
    volume,
    tmp_path,
):
    masks = {"li": (1, slice(2, 5)), "wang": (8, slice(20, 25))}
    for reader, (k, rows_) in masks.items():
        labels = np.zeros(volume.grid.shape, np.uint8)
        labels[k, rows_, 3:9] = 1
        reading = read(store, jobs[0], reader, is_done=False)
        draw(store, reading, labels, volume.grid)
        store.readings.hand_in(reading.id, now=LATER)
    apart = {"wanted": {"lung": 2}, "agreement": agreement_of(store, lambda _: 2)}
    assert apart["agreement"]["lung"] < 0.6
    with pytest.raises(InputError, match=r"below 0\.60: adjudicate"):
        export(store, tmp_path / "out", **apart)
    read(store, jobs[0], "chen", Purpose.ADJUDICATE)
    found = export(store, tmp_path / "out", **apart)
    (row,) = rows(tmp_path / "out/lung/provenance.csv")
    assert found.cases["lung"]["masks"] == ("job000001",)
    assert (row["reader"], row["standing"]) == ("chen", "adjudicated")


def test_readers_who_agree_give_one_label_together(store, jobs, tmp_path):
    for reader in ("li", "wang"):
        for job in jobs:
            read(store, job, reader)
    found = export(
        store, tmp_path / "out", wanted={"lung": 2}, agreement={"lung": 0.9}, readers=()
    )
    assert len(found.cases["lung"]["masks"]) == 2
    assert [row["reader"] for row in rows(tmp_path / "out/lung/provenance.csv")] == [
        "li",
        "wang",
    ] * 2
    array, _ = read_grid_array(tmp_path / "out/lung/masks/labelsTr/job000001.nii.gz")
    assert array.any()


def test_readers_who_number_nodules_apart_still_draw_the_same_ones(store, tmp_path, volume):
    balls = [(OTHER, 8.0), (BALL, 12.0)]
    job = a_ct(store, tmp_path / "ct", volume, balls, now=NOON).id
    for reader in ("li", "wang", "zhao"):
        reading = read(store, job, reader, is_done=False)
        if reader != "li":  # theirs is the first nodule that is left
            change(store, reading, Action.REJECT, "1")
        store.readings.hand_in(reading.id, now=LATER)
    export(store, tmp_path / "out", wanted={"lung": 3}, agreement={"lung": 0.9})
    (file,) = (tmp_path / "out/lung/masks/labelsTr").iterdir()
    array, grid = read_grid_array(file)
    left = grid.to_world(np.argwhere(array > 0).mean(axis=0))
    assert np.allclose(left, BALL, atol=1.0)


def test_a_reader_may_be_asked_for_by_name(store, jobs, tmp_path):
    read(store, jobs[0], "li")
    read(store, jobs[0], "wang")
    export(store, tmp_path / "out", readers=("wang",))
    (row,) = rows(tmp_path / "out/lung/provenance.csv")
    assert row["reader"] == "wang"


def test_a_folder_that_is_there_is_left_alone(store, jobs, tmp_path):
    read(store, jobs[0])
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="there already"):
        export(store, tmp_path / "out")


def test_a_dataset_says_what_nnunet_asks_for(store, jobs, tmp_path):
    read(store, jobs[0])
    export(store, tmp_path / "out")
    told = json.loads((tmp_path / "out/lung/masks/dataset.json").read_text())
    assert told["channel_names"] == {"0": "CT"}
    assert (told["file_ending"], told["numTraining"]) == (".nii.gz", 1)


def test_a_mask_of_the_archive_is_the_one_that_leaves(
    store,
    jobs,
    volume,
    tmp_path,
):
    reading = read(store, jobs[0], is_done=False)
    labels = np.zeros(volume.grid.shape, np.uint8)
    draw(store, reading, labels, volume.grid)
    store.readings.hand_in(reading.id, now=LATER)
    sha256 = review_of(store, store.readings.get(reading.id)).draft.mask
    assert store.archive.read(sha256) == encode(labels, volume.grid)


def test_a_nodule_that_was_drawn_anew_is_as_large_as_it_was_drawn(
    store, jobs, volume, tmp_path
):
    labels = a_ball(volume.grid, BALL, 20.0).astype(np.uint8)
    reading = read(store, jobs[0], is_done=False)
    draw(store, reading, labels, volume.grid)
    store.readings.hand_in(reading.id, now=LATER)
    export(store, tmp_path / "out")
    ((ball,),) = [case.label.balls for case in open_dataset(tmp_path / "out/lung/boxes").cases]
    assert ball.diameter_mm == pytest.approx(20, abs=3)
    assert ball.center_lps_mm == pytest.approx(BALL, abs=2.5)


def test_what_readers_drew_together_is_measured_as_they_drew_it(store, jobs, volume, tmp_path):
    labels = a_ball(volume.grid, BALL, 20.0).astype(np.uint8)
    for reader in ("li", "wang", "zhao"):
        reading = read(store, jobs[0], reader, is_done=False)
        draw(store, reading, labels, volume.grid)
        store.readings.hand_in(reading.id, now=LATER)
    export(store, tmp_path / "out", wanted={"lung": 3}, agreement={"lung": 0.9})
    ((ball,),) = [case.label.balls for case in open_dataset(tmp_path / "out/lung/boxes").cases]
    assert ball.diameter_mm == pytest.approx(20, abs=3)
    assert ball.center_lps_mm == pytest.approx(BALL, abs=2.5)


class ElsewhereArchive:
    """A PACS that has the images, and counts how often it is asked."""

    def __init__(self, here, known):
        self.here, self.known, self.asked = here, known, 0

    def study(self, uid):
        return self.known[uid]

    def case(self, study, selection):
        self.asked += 1
        whole = self.known[study.uid]
        uids = [each.uid for series in selection.series for each in series.instances]
        return self.here.case(whole, selection_from(whole, uids))


def test_images_that_stay_in_a_pacs_are_fetched_from_it(store, jobs, tmp_path):
    for job in jobs:
        read(store, job)
    looked = [look_up(store, job) for job in jobs]
    pacs = ElsewhereArchive(
        StoreArchive(store), {each.study.uid: each.study for each in looked}
    )
    with store.database.writing() as connection:  # as the catalog lists what stays there
        connection.execute(update(tables.instances).values(sha256=""))
    alone = export(store, tmp_path / "alone")
    assert ["in a PACS" in why for why in alone.left_out] == [True, True]
    archive = StoreArchive(store, elsewhere=pacs)
    found = export_labels(
        store, tmp_path / "out", Asked(), actor="li", now=LATER, archive=archive
    )
    assert len(found.cases["lung"]["masks"]) == 2
    assert not found.left_out
    assert pacs.asked == 2
    for case in open_dataset(tmp_path / "out/lung/masks").trainable:
        assert read_image(case).array.any()
