"""From files, folders and zips to studies, with one line for each file that is of no use."""

import hashlib
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from medloop.core.errors import InputError, UnsuitableError
from medloop.core.geometry import Grid
from medloop.core.study import Content, Selection, StudyUid
from medloop.files.nifti import write_nifti
from medloop.workflow.intake import FolderArchive, Problem, gather
from tests.dicom.slices import SERIES_UID, a_slice, save, stack


@pytest.fixture
def scratch(tmp_path):
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def a_picture(path, color=(1, 2, 3)):
    Image.new("RGB", (4, 3), color).save(path, format="PNG")
    return path


def a_ct(folder, depths=(0, 2, 4)):
    folder.mkdir(parents=True, exist_ok=True)
    return [save(piece, folder / f"{n}.dcm") for n, piece in enumerate(stack(depths))]


def test_a_folder_of_slices_is_one_study_named_by_its_folder(folder, scratch):
    a_ct(folder / "series")
    intake = gather([folder], scratch=scratch)
    (study,) = intake.studies
    (series,) = study.series
    assert intake.problems == ()
    assert (series.source, len(series.instances)) == (str(folder / "series"), 3)
    assert (series.rows, series.columns, series.slice_mm) == (6, 8, 2)


def test_a_link_in_a_folder_is_named_and_not_followed(folder, scratch, tmp_path):
    a_picture(folder / "eye.png")
    (folder / "link.png").symlink_to(a_picture(tmp_path / "elsewhere.png"))
    (folder / "linked").symlink_to(tmp_path)
    (folder / ".hidden").symlink_to(tmp_path)
    intake = gather([folder], scratch=scratch)
    assert [series.source for study in intake.studies for series in study.series] == [
        str(folder / "eye.png")
    ]
    reason = "is a link; links in a folder are not followed"
    assert list(intake.problems) == [
        Problem(str(folder / name), reason) for name in ("link.png", "linked")
    ]


def test_a_link_given_by_name_is_read(folder, scratch, tmp_path):
    (folder / "link.png").symlink_to(a_picture(tmp_path / "elsewhere.png"))
    intake = gather([folder / "link.png"], scratch=scratch)
    assert (len(intake.studies), intake.problems) == (1, ())


def test_a_case_holds_the_volume_and_the_hash_of_each_file(folder, scratch):
    a_ct(folder)
    intake = gather([folder], scratch=scratch)
    archive = FolderArchive(intake)
    study = archive.study(StudyUid(SERIES_UID + ".1"))
    case = archive.case(study, Selection(study.series))
    assert case.images[0].array.shape == (3, 6, 8)
    for instance in case.selection.series[0].instances:
        assert instance.sha256 == hashlib.sha256(instance.path.read_bytes()).hexdigest()


def test_warnings_of_reading_reach_the_case(folder, scratch):
    a_ct(folder, depths=(0, 2, 4.5, 6.2, 8.2))
    (study,) = (intake := gather([folder], scratch=scratch)).studies
    case = FolderArchive(intake).case(study, Selection(study.series))
    assert [notice.code for notice in case.warnings] == ["irregular-slices"]


def test_a_picture_and_a_nifti_are_studies_of_one_series(folder, scratch):
    eye = a_picture(folder / "eye.png")
    write_nifti(
        np.ones((2, 3, 4), np.int16), Grid((2, 3, 4), np.eye(4)), folder / "brain.nii.gz"
    )
    intake = gather([folder], scratch=scratch)
    assert [study.name for study in intake.studies] == ["brain", "eye"]
    brain, picture = intake.studies
    assert brain.series[0].content is Content.VOLUME
    assert picture.series[0].content is Content.PICTURES
    digest = hashlib.sha256(eye.read_bytes()).hexdigest()
    assert picture.uid == f"2.25.{int(digest[:32], 16)}"
    assert picture.series[0].instances[0].sha256 == digest
    archive = FolderArchive(intake)
    assert archive.case(picture, Selection(picture.series)).images[0].size == (3, 4)
    assert archive.case(brain, Selection(brain.series)).images[0].grid.shape == (2, 3, 4)


def test_names_are_made_unique_whatever_their_case(folder, scratch):
    for n, name in enumerate(["a/eye.png", "b/Eye.png", "c/eye.tif"]):
        (folder / name).parent.mkdir()
        a_picture(folder / name, (n, n, n))
    names = [study.name for study in gather([folder], scratch=scratch).studies]
    assert names == ["eye", "Eye-2", "eye-3"]


def test_a_zip_is_read_like_a_folder(folder, scratch, tmp_path):
    a_ct(folder / "deep" / "series")
    shutil.make_archive(str(tmp_path / "ct"), "zip", folder)
    intake = gather([tmp_path / "ct.zip"], scratch=scratch)
    (study,) = intake.studies
    assert study.series[0].source == str(tmp_path / "ct.zip" / "deep" / "series")
    case = FolderArchive(intake).case(study, Selection(study.series))
    assert case.images[0].array.shape == (3, 6, 8)


def test_two_zips_with_the_same_names_do_not_mix(tmp_path, scratch, folder):
    for name, color in (("one", (1, 1, 1)), ("two", (2, 2, 2))):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.write(a_picture(tmp_path / "eye.png", color), "eye.png")
    intake = gather([folder], scratch=scratch)
    pictures = [
        FolderArchive(intake).case(study, Selection(study.series)).images[0].array[0, 0, 0]
        for study in intake.studies
    ]
    assert sorted(pictures) == [1, 2]


def test_one_broken_file_of_fifty_is_one_line_and_the_rest_is_read(folder, scratch):
    for n in range(49):
        a_picture(folder / f"{n:02}.png", (n, 0, 0))
    (folder / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\xff" * 200)
    intake = gather([folder], scratch=scratch)
    assert len(intake.studies) == 49
    (problem,) = intake.problems
    assert problem.source == str(folder / "broken.dcm")
    assert problem.reason.startswith("holds no DICOM object")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("empty.dcm", b"", "is empty"),
        ("random.png", bytes(range(256)), "is no DICOM, NIfTI, PNG, JPEG, TIFF or zip file"),
        ("bad.zip", b"PK\x03\x04 but no more", "zip cannot be read: File is not a zip file"),
    ],
)
def test_a_file_that_pretends_to_be_an_image_is_a_problem(folder, scratch, name, data, reason):
    (folder / name).write_bytes(data)
    problems = gather([folder], scratch=scratch).problems
    assert problems == (Problem(str(folder / name), reason),)


@pytest.mark.parametrize(
    "name", [".DS_Store", ".hidden/a.png", "Thumbs.db", "notes.txt", "a.csv"]
)
def test_what_is_no_image_in_a_folder_is_passed_over(folder, scratch, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"some text that is no image")
    assert gather([folder], scratch=scratch).problems == ()


def test_a_text_file_named_by_the_user_is_a_problem(folder, scratch):
    (folder / "notes.txt").write_text("hello")
    (problem,) = gather([folder / "notes.txt"], scratch=scratch).problems
    assert problem.reason == "is no DICOM, NIfTI, PNG, JPEG, TIFF or zip file"


def test_an_input_that_is_not_there_is_a_problem(folder, scratch):
    (problem,) = gather([folder / "gone"], scratch=scratch).problems
    assert problem == Problem(str(folder / "gone"), "does not exist")


def test_a_zip_that_climbs_out_is_one_line_and_the_rest_is_read(folder, scratch):
    a_picture(folder / "eye.png")
    with zipfile.ZipFile(folder / "evil.zip", "w") as archive:
        archive.writestr("../../evil.png", b"x")
    intake = gather([folder], scratch=scratch)
    assert [study.name for study in intake.studies] == ["eye"]
    assert intake.problems[0].reason.endswith("would be written outside its folder")


def test_the_same_object_twice_counts_once(folder, scratch):
    paths = a_ct(folder)
    shutil.copy(paths[0], folder / "again.dcm")
    intake = gather([folder, folder], scratch=scratch)
    assert intake.problems == ()
    assert len(intake.studies[0].series[0].instances) == 3


def test_another_object_under_the_same_uid_is_a_problem(folder, scratch):
    save(a_slice(SOPInstanceUID="1.2.3"), folder / "a.dcm")
    save(a_slice(SOPInstanceUID="1.2.3", AcquisitionNumber=9), folder / "b.dcm")
    intake = gather([folder], scratch=scratch)
    assert len(intake.studies[0].series[0].instances) == 1
    assert "differs from another file with its SOP Instance UID" in intake.problems[0].reason


def test_a_dicomdir_stands_for_its_folder(folder, scratch):
    a_ct(folder)
    shutil.copy(get_testdata_file("DICOMDIR"), folder / "DICOMDIR")
    for inputs in ([folder], [folder / "DICOMDIR"]):
        intake = gather(inputs, scratch=scratch)
        assert intake.problems == ()
        assert len(intake.studies[0].series[0].instances) == 3


def test_a_report_is_no_image(scratch):
    intake = gather([Path(get_testdata_file("reportsi.dcm"))], scratch=scratch)
    (study,) = intake.studies
    with pytest.raises(UnsuitableError, match="SR holds no image"):
        FolderArchive(intake).case(study, Selection(study.series))


def test_a_clip_gives_its_first_frame_and_says_so(scratch):
    intake = gather([Path(get_testdata_file("examples_ybr_color.dcm"))], scratch=scratch)
    (study,) = intake.studies
    case = FolderArchive(intake).case(study, Selection(study.series))
    assert [notice.code for notice in case.warnings] == ["first-frame"]


def test_progress_counts_files(folder, scratch):
    a_ct(folder)
    seen = []
    gather([folder], scratch=scratch, report=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 3), (1, 3), (2, 3)]


def test_an_unknown_study_is_bad_input(folder, scratch):
    with pytest.raises(InputError, match=r"no study 1\.2\.3 here"):
        FolderArchive(gather([], scratch=scratch)).study(StudyUid("1.2.3"))


def test_each_photograph_of_a_series_keeps_its_own_side(folder, scratch):
    for number, side in enumerate("RL"):
        eye = a_slice(
            SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.5.1",
            SOPInstanceUID=f"{SERIES_UID}.{number + 1}",
            Modality="OP",
            ImageLaterality=side,
            InstanceNumber=number + 1,
        )
        save(eye, folder / f"{side}.dcm")
    intake = gather([folder], scratch=scratch)
    (study,) = intake.studies
    (series,) = study.series
    chosen = [Selection((replace(series, instances=(each,)),)) for each in series.instances]
    told = [FolderArchive(intake).case(study, each).selection for each in chosen]
    assert [each.series[0].laterality for each in told] == ["R", "L"]


@pytest.mark.parametrize(
    ("file", "name"),
    [("...jpg", "image"), ("..eye.png", "eye"), ("summary.json.png", "summary.json-2")],
)
def test_no_file_name_leads_a_result_astray(folder, scratch, file, name):
    intake = gather([a_picture(folder / file)], scratch=scratch)
    assert [study.name for study in intake.studies] == [name]
