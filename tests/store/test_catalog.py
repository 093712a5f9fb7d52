"""What arrived can be looked up, and arriving twice changes nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from medloop.core.errors import InputError
from medloop.core.study import Content, Notice, Scan, StudyUid
from medloop.store.catalog import Conflict, Receipt
from tests.store.studies import NOON, a_series, a_study, an_instance


def test_a_study_comes_back_as_it_arrived_with_its_files_in_the_archive(store, tmp_path):
    facts = {
        "body_part": "CHEST",
        "laterality": "R",
        "rows": 512,
        "columns": 256,
        "slice_mm": 1.25,
        "frame_of_reference": "1.9",
        "scan": Scan("axial", 1.0, "B30f", ("ORIGINAL", "PRIMARY", "AXIAL")),
        "notices": (Notice("split", "2 of 5 slices were set apart", (("slices", 2),)),),
    }
    scan = a_series(tmp_path, "1.2.1", 3, **facts)
    report = a_series(tmp_path, "1.2.2", 1, content=Content.NONE)
    study = a_study(tmp_path, "1.2", scan, report)
    assert store.receive(study, now=NOON) == Receipt(4, 0)
    back = store.catalog.study(study.uid)
    for series, kept in zip(study.series, back.series, strict=True):
        assert replace(series, instances=()) == replace(kept, instances=())
        for instance, stored in zip(series.instances, kept.instances, strict=True):
            assert stored == replace(instance, path=store.archive.path(instance.sha256))
            assert stored.path.read_bytes() == instance.path.read_bytes()
    assert replace(back, series=()) == replace(study, series=())


def test_receiving_twice_changes_nothing(store, tmp_path):
    study = a_study(tmp_path)
    store.receive(study, now=NOON)
    before = store.catalog.study(study.uid)
    assert store.receive(study, now=NOON + timedelta(hours=1)) == Receipt(0, 4)
    assert store.catalog.study(study.uid) == before
    assert store.catalog.studies(quiet_since=NOON) == (study.uid,)


def test_slices_may_arrive_one_by_one(store, tmp_path):
    whole = a_study(tmp_path, "1.2", a_series(tmp_path, "1.2.1", 5))
    (series,) = whole.series
    for instance in series.instances:
        store.receive(
            replace(whole, series=(replace(series, instances=(instance,)),)), now=NOON
        )
    (kept,) = store.catalog.study(whole.uid).series
    assert [i.uid for i in kept.instances] == [i.uid for i in series.instances]


def test_a_study_grows_and_is_quiet_again_later(store, tmp_path):
    store.receive(a_study(tmp_path, "1.2", a_series(tmp_path, "1.2.1", 1)), now=NOON)
    later = NOON + timedelta(minutes=5)
    store.receive(a_study(tmp_path, "1.2", a_series(tmp_path, "1.2.9", 2)), now=later)
    assert [s.uid for s in store.catalog.study(StudyUid("1.2")).series] == ["1.2.1", "1.2.9"]
    assert store.catalog.studies(quiet_since=NOON) == ()
    assert store.catalog.studies(quiet_since=later) == ("1.2",)


def test_the_same_name_with_other_bytes_is_kept_apart_and_reported(store, tmp_path):
    study = a_study(tmp_path, "1.2", a_series(tmp_path, "1.2.1", 1))
    store.receive(study, now=NOON)
    (series,) = study.series
    (first,) = series.instances
    other = an_instance(tmp_path, "1.2.1.0", b"other bytes")
    changed = replace(study, series=(replace(series, instances=(other,)),))
    conflict = Conflict(first.uid, study.uid, first.sha256, other.sha256)
    for _ in range(2):
        assert store.receive(changed, now=NOON) == Receipt(0, 0, (conflict,))
    assert store.catalog.conflicts() == (conflict,)
    (kept,) = store.catalog.study(study.uid).series
    assert [i.sha256 for i in kept.instances] == [first.sha256]
    assert store.archive.read(other.sha256) == b"other bytes"


def test_a_conflict_within_one_arrival_is_found_too(store, tmp_path):
    twins = (an_instance(tmp_path, "1.2.1.0", b"a"), an_instance(tmp_path, "1.2.1.0", b"bb"))
    series = replace(a_series(tmp_path, "1.2.1", 1), instances=twins)
    receipt = store.receive(a_study(tmp_path, "1.2", series), now=NOON)
    assert (receipt.new, receipt.known, len(receipt.conflicts)) == (1, 0, 1)


def test_a_study_of_many_slices_is_taken_in_at_once(store, tmp_path):
    study = a_study(tmp_path, "1.2", a_series(tmp_path, "1.2.1", 3))
    (series,) = study.series
    many = tuple(replace(series.instances[0], uid=f"1.2.1.{n}") for n in range(1_234))
    many_slices = replace(study, series=(replace(series, instances=many),))
    assert store.catalog.add(many_slices, now=NOON) == Receipt(1_234, 0)
    assert len(store.catalog.study(study.uid).series[0].instances) == 1_234


def test_two_studies_may_name_a_series_alike(store, tmp_path):
    for uid in ("1.2", "1.3"):
        shared = replace(a_series(tmp_path, f"{uid}.5", 1), uid="9.9")
        store.receive(a_study(tmp_path, uid, shared), now=NOON)
    assert store.catalog.studies() == ("1.2", "1.3")
    for uid in ("1.2", "1.3"):
        (series,) = store.catalog.study(StudyUid(uid)).series
        assert [instance.uid for instance in series.instances] == [f"{uid}.5.0"]


def test_an_unknown_study_is_bad_input(store):
    with pytest.raises(InputError, match="no such study"):
        store.catalog.study(StudyUid("1.2"))


def test_a_file_that_vanished_is_bad_input_and_leaves_the_catalog_alone(store, tmp_path):
    study = a_study(tmp_path)
    study.series[1].instances[1].path.unlink()
    with pytest.raises(InputError):
        store.receive(study, now=NOON)
    assert store.catalog.studies() == ()
