"""Whatever brings objects: they are indexed once, and routed when their study is quiet."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from medloop.core.errors import InputError
from medloop.core.study import Content, Selection, StudyUid
from medloop.store import JobState
from medloop.store.arrivals import Outcome
from medloop.store.spool import Spool
from medloop.workflow.intake import gather
from medloop.workflow.reception import Reception
from tests.dicom.slices import a_slice, pixels, save, stack

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUIET_S = 60.0


@dataclass(frozen=True)
class Every:
    """An analysis that reads every volume of a study."""

    name: str = "every"

    def select(self, study):
        return [Selection((s,)) for s in study.series if s.content is Content.VOLUME]


@pytest.fixture
def reception(store, tmp_path):
    spool = Spool(tmp_path / "spool", reserve_bytes=0, segment_bytes=1 << 20)
    yield Reception(store, spool, (Every(),), QUIET_S, lambda: NOON)
    spool.close()


@pytest.fixture
def slices(tmp_path):
    return [
        save(each, tmp_path / f"{n}.dcm").read_bytes()
        for n, each in enumerate(stack(range(0, 10, 2)))
    ]


def spool(reception, *objects) -> None:
    for each in objects:
        incoming = reception.spool.open("CT1")
        incoming.write(each)
        incoming.keep()


def only_study(reception) -> StudyUid:
    (uid,) = reception.store.catalog.studies()
    return uid


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_what_was_spooled_is_archived_and_indexed(reception, slices):
    spool(reception, *slices)
    assert reception.take_in(NOON) == 5
    assert reception.take_in(NOON) == 0
    held = reception.store.arrivals.of(only_study(reception)).objects
    kept = {reception.store.archive.read(each.sha256) for each in held}
    assert kept == set(slices)


def test_a_study_is_split_and_routed_once_it_is_quiet(reception, slices):
    spool(reception, *slices)
    reception.take_in(NOON)
    assert reception.settle(after(QUIET_S - 1)) == 0
    assert reception.store.jobs.all() == ()
    assert reception.settle(after(QUIET_S)) == 1
    assert reception.settle(after(QUIET_S)) == 0
    (job,) = reception.store.jobs.all()
    (series,) = reception.store.catalog.study(only_study(reception)).series
    assert (job.analysis, len(job.selection), len(series.instances)) == ("every", 5, 5)
    assert [i.path.read_bytes() for i in series.instances] == slices


def test_a_study_whose_expected_count_is_there_does_not_wait(reception, slices):
    spool(reception, *slices[:4])
    reception.take_in(NOON)
    assert reception.expect(only_study(reception), 5)
    assert reception.settle(NOON) == 0
    spool(reception, slices[4])
    reception.take_in(NOON)
    assert reception.settle(NOON) == 1


def test_late_images_open_a_study_again_and_are_routed(reception, slices):
    spool(reception, *slices[:3])
    reception.take_in(NOON)
    reception.settle(after(QUIET_S))
    spool(reception, *slices[3:])
    reception.take_in(after(600))
    assert reception.settle(after(600)) == 0
    assert reception.settle(after(600 + QUIET_S)) == 1
    jobs = reception.store.jobs.all()
    assert sorted(len(job.selection) for job in jobs) == [3, 5]
    (series,) = reception.store.catalog.study(only_study(reception)).series
    assert len(series.instances) == 5


def test_a_study_of_which_objects_still_lie_in_the_spool_is_not_quiet(reception, slices):
    spool(reception, *slices[:3])
    reception.take_in(NOON)
    spool(reception, *slices[3:])  # and whoever indexes was away
    assert reception.settle(after(QUIET_S)) == 0
    assert len(reception.store.arrivals.of(only_study(reception)).objects) == 5
    assert reception.settle(after(2 * QUIET_S)) == 1
    (job,) = reception.store.jobs.all()
    assert len(job.selection) == 5


def test_a_series_may_be_split_otherwise_once_more_of_it_is_there(reception, tmp_path):
    def one(n: int, z: float, orientation) -> bytes:
        piece = a_slice(
            (0, 0, z), array=pixels(n), InstanceNumber=n, ImageOrientationPatient=orientation
        )
        return save(piece, tmp_path / f"s{n}.dcm").read_bytes()

    axial = [one(n, 2.0 * n, [1, 0, 0, 0, 1, 0]) for n in range(4)]
    spool(reception, *axial)
    reception.take_in(NOON)
    reception.settle(after(QUIET_S))
    spool(reception, *[one(n, 2.0 * n, [1, 0, 0, 0, 0, -1]) for n in range(10, 14)])
    reception.take_in(after(100))
    reception.settle(after(100 + QUIET_S))
    sizes = [len(job.selection) for job in reception.store.jobs.all()]
    assert sizes == [4, 4]


def test_arriving_again_by_any_way_in_changes_nothing(reception, slices):
    spool(reception, *slices)
    reception.take_in(NOON)
    reception.settle(after(QUIET_S))
    answers = reception.store_now(slices, "web")
    assert {each.outcome for each in answers} == {Outcome.KNOWN}
    spool(reception, *slices)
    assert reception.take_in(after(200)) == 5
    assert reception.settle(after(600)) == 0


def test_the_same_data_set_in_another_wrapping_is_known(reception, tmp_path):
    piece = a_slice()
    first = save(piece, tmp_path / "a.dcm").read_bytes()
    piece.file_meta.SourceApplicationEntityTitle = "CT2"
    piece.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    again = (tmp_path / "b.dcm").read_bytes()
    answers = [*reception.store_now([first], "web"), *reception.store_now([again], "web")]
    assert [each.outcome for each in answers] == [Outcome.STORED, Outcome.KNOWN]


def test_another_object_of_the_same_uid_is_kept_apart(reception, tmp_path):
    uid = "1.2.3.4"
    pair = [
        save(a_slice(array=pixels(n), SOPInstanceUID=uid), tmp_path / f"{n}.dcm").read_bytes()
        for n in (1, 2)
    ]
    outcomes = [each.outcome for each in reception.store_now(pair, "web")]
    assert outcomes == [Outcome.STORED, Outcome.CONFLICT]
    (conflict,) = reception.store.catalog.conflicts()
    assert reception.store.archive.read(conflict.other_sha256) == pair[1]


def test_what_is_no_dicom_is_refused_and_the_rest_is_stored(reception, slices, tmp_path):
    (tmp_path / "file.dcm").write_bytes(slices[1])
    answers = reception.store_now([slices[0], b"junk", tmp_path / "file.dcm"], "web")
    assert [each.outcome for each in answers] == ["stored", "refused", "stored"]
    assert answers[1].reason
    assert answers[0].study == answers[2].study == only_study(reception)


def test_what_cannot_be_indexed_after_all_stays_in_the_archive(reception, slices, caplog):
    spool(reception, b"junk that was acknowledged", slices[0])
    assert reception.take_in(NOON) == 2
    assert reception.take_in(NOON) == 0
    (line,) = [record.getMessage() for record in caplog.records]
    digest = line.split()[1].rstrip(",")
    (path,) = reception.store.archive.root.glob(f"{digest[:2]}/{digest[2:]}*")
    assert path.read_bytes() == b"junk that was acknowledged"


def test_only_what_is_undamaged_is_promised(reception, slices):
    answers = reception.store_now(slices, "web")
    uids = [each.uid for each in answers]
    assert set(reception.intact([*uids, "9.9"])) == set(uids)
    damaged = reception.store.arrivals.held(uids)[uids[0]]
    path = reception.store.archive.path(damaged.sha256)
    path.chmod(0o644)
    path.write_bytes(b"x" + slices[0][1:])
    assert set(reception.intact(uids)) == set(uids[1:])


def test_a_killed_router_does_it_again(reception, slices, monkeypatch):
    spool(reception, *slices)
    reception.take_in(NOON)

    @dataclass(frozen=True)
    class Killed(Every):
        def select(self, study):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(reception, analyses=(Killed(),)).settle(after(QUIET_S))
    assert reception.settle(after(QUIET_S)) == 1
    (job,) = reception.store.jobs.all()
    assert job.state is JobState.WAITING


def test_studies_from_files_are_routed_at_once(reception, slices, tmp_path):
    (study,) = gather([tmp_path], scratch=tmp_path / "scratch").studies
    brought = reception.bring(study)
    assert (brought.new, brought.known, brought.conflicts, brought.jobs) == (5, 0, (), 1)
    again = reception.bring(study)
    assert (again.new, again.known, again.jobs) == (0, 5, 0)


def test_a_file_that_vanished_is_bad_input(reception, slices, tmp_path):
    (study,) = gather([tmp_path], scratch=tmp_path / "scratch").studies
    (tmp_path / "3.dcm").unlink()
    with pytest.raises(InputError):
        reception.bring(study)
