"""Whatever people bring is told apart by its content, and each file has its answer."""

import zipfile
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image

from medloop.core.errors import UnsuitableError
from medloop.core.geometry import Grid
from medloop.files.nifti import write_nifti
from medloop.store.spool import Spool
from medloop.workflow.brought import Given, bring
from medloop.workflow.reception import Reception
from tests.dicom.slices import SERIES_UID, a_slice, save
from tests.workflow.cases import NOON


class Nobody:
    name = "nobody"

    def select(self, study):
        raise UnsuitableError("suits nothing")


@pytest.fixture
def reception(store, tmp_path):
    spool = Spool(tmp_path / "spool", reserve_bytes=0)
    yield Reception(store, spool, now=lambda: NOON)
    spool.close()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def a_dicom(path, depth=0.0):
    return save(a_slice((0, 0, depth)), path)


def a_picture(path):
    Image.new("RGB", (4, 3), (1, 2, 3)).save(path, format="PNG")
    return path


def a_zip(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return path


def brought(reception, folder, *paths):
    given = [Given(path, path.name) for path in paths]
    (folder / "scratch").mkdir(exist_ok=True)
    return bring(given, reception, scratch=folder / "scratch", source="test")


def test_each_file_has_its_answer_whatever_it_is_called(reception, folder):
    grid = Grid((2, 3, 4), np.eye(4))
    write_nifti(np.ones((2, 3, 4), np.int16), grid, folder / "brain.nii.gz")
    (folder / "text.dcm").write_text("a letter")
    paths = [
        a_dicom(folder / "no-suffix"),
        a_picture(folder / "eye.dat"),
        folder / "brain.nii.gz",
        folder / "text.dcm",
    ]
    slice_, eye, brain, text = brought(reception, folder, *paths)
    assert (slice_.stored, slice_.studies, slice_.problem) == (1, [SERIES_UID + ".1"], "")
    assert (eye.stored, brain.stored, len(eye.studies)) == (1, 1, 1)
    assert text.problem == "is no DICOM, NIfTI, PNG, JPEG, TIFF or zip file"


def test_what_came_before_is_known(reception, folder):
    paths = [a_dicom(folder / "a"), a_picture(folder / "b")]
    brought(reception, folder, *paths)
    again = brought(reception, folder, *paths)
    assert [(each.stored, each.known) for each in again] == [(0, 1), (0, 1)]


def test_a_zip_is_answered_as_one_and_its_notes_are_left_out(reception, folder):
    objects = [a_dicom(folder / f"{n}", n).read_bytes() for n in range(3)]
    packed = a_zip(
        folder / "a.zip",
        ct__1=objects[0],
        ct__2=objects[1],
        readme=b"hello",
        DICOMDIR=objects[2],
        **{"Thumbs.db": b"junk", "a/.hidden": objects[0]},
    )
    (answer,) = brought(reception, folder, packed)
    assert (answer.stored, answer.problems) == (2, [])


def test_members_that_are_damaged_are_counted_and_the_first_is_told(reception, folder):
    whole = a_dicom(folder / "0").read_bytes()
    packed = a_zip(folder / "a.zip", a=whole, b=whole[:-4], c=b"")
    (answer,) = brought(reception, folder, packed)
    assert answer.stored == 1
    assert answer.problem.startswith("2 files in it are of no use; the first: c: is empty")


def test_an_object_that_is_cut_off_is_not_taken(reception, folder):
    path = a_dicom(folder / "a")
    path.write_bytes(path.read_bytes()[:-10])
    (answer,) = brought(reception, folder, path)
    assert answer.problem == "is cut off: it ends before its pixels do"
    assert answer.studies == []


def test_a_picture_is_routed_by_whoever_settles(store, reception, folder):
    brought(reception, folder, a_picture(folder / "eye.png"))
    assert store.jobs.all() == ()
    keeper = Reception(store, reception.spool, [Nobody()], now=lambda: NOON)
    assert keeper.settle(NOON) == 1
    (job,) = store.jobs.all()
    assert (str(job.state), job.reason) == ("skipped", "suits nothing")
    assert keeper.settle(NOON + timedelta(days=1)) == 0


def test_a_picture_is_routed_at_once_where_there_are_analyses(store, reception, folder):
    knowing = Reception(store, reception.spool, [Nobody()], now=lambda: NOON)
    brought(knowing, folder, a_picture(folder / "eye.png"))
    assert len(store.jobs.all()) == 1
    assert knowing.settle(NOON) == 0
