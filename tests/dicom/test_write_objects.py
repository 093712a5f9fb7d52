"""Everything a result gives: valid, repeatable, linked, with the patient it belongs to."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from medloop.core.errors import InputError
from medloop.core.image import LabelMap, Picture
from medloop.core.study import Patient
from medloop.dicom.write import dicom_objects, save
from tests.dicom.phantoms_written import (
    a_fundus,
    ct_case,
    dicom_case,
    fundus_result,
    jpeg_case,
    lesion_labels,
    picture_case,
    reread,
)

PDF = b"%PDF-1.4\n%%EOF\n"  # an odd number of bytes


def everything(case, result):
    picture = a_fundus()
    return dicom_objects(
        case, result, pdf=PDF, rendered={"heatmap": picture, "overlay": picture[::-1].copy()}
    )


def errors_of(path) -> list[str]:
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    done = subprocess.run(
        [tool, "-new", str(path)], capture_output=True, text=True, check=False
    )
    lines = (done.stderr + done.stdout).splitlines()
    assert lines, "dciodvfy says at least which object it saw"
    return [line for line in lines if line.startswith(("Error", "Abort"))]


def assert_valid(objects, folder) -> None:
    for name, dataset in objects.items():
        save(dataset, folder / name)
        assert errors_of(folder / name) == [], name


def a_dicom_photograph(folder):
    case = jpeg_case(folder)
    source = dicom_objects(case, fundus_result(case))["photograph.dcm"]
    source.PatientName = "Wang^XiaoDong=\u738b^\u5c0f\u4e1c"
    source.PatientID = "P-17"
    source.AccessionNumber = "A1"
    source.StudyDate = "20240229"
    source.StudyInstanceUID = "1.2.3.4"
    source.PatientAge = "061Y"
    save(source, folder / "source.dcm")
    return dicom_case(folder / "source.dcm", case.images)


def test_a_jpeg_gives_every_object_and_all_are_valid(tmp_path):
    case = jpeg_case(tmp_path)
    objects = everything(case, fundus_result(case))
    assert list(objects) == [
        "photograph.dcm",
        "seg.dcm",
        "sr.dcm",
        "heatmap.dcm",
        "overlay.dcm",
        "report.dcm",
    ]
    assert_valid(objects, tmp_path)


def test_a_dicom_picture_gives_no_photograph_and_valid_objects(tmp_path):
    case = a_dicom_photograph(tmp_path)
    objects = everything(case, fundus_result(case))
    assert "photograph.dcm" not in objects
    assert_valid(objects, tmp_path)


def test_a_ct_gives_valid_objects(tmp_path):
    case, result = ct_case(tmp_path / "ct")
    assert_valid(dicom_objects(case, result, pdf=PDF), tmp_path)


def test_the_same_input_gives_the_same_bytes(tmp_path):
    case = jpeg_case(tmp_path)
    written = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        for file, dataset in everything(case, fundus_result(case)).items():
            save(dataset, folder / file)
        written.append({f.name: f.read_bytes() for f in folder.iterdir()})
    assert written[0] == written[1]


def test_no_two_objects_share_a_uid_and_all_share_the_study(tmp_path):
    case = jpeg_case(tmp_path)
    objects = everything(case, fundus_result(case)).values()
    assert len({o.SOPInstanceUID for o in objects}) == len(objects)
    assert len({o.SeriesInstanceUID for o in objects}) == len(objects)
    assert {o.StudyInstanceUID for o in objects} == {case.study.uid}


def test_identity_of_a_dicom_source_is_copied(tmp_path):
    case = a_dicom_photograph(tmp_path)
    for name, dataset in everything(case, fundus_result(case)).items():
        copy = reread(dataset, tmp_path)
        assert str(copy.PatientName) == "Wang^XiaoDong=\u738b^\u5c0f\u4e1c", name
        assert copy.PatientID == "P-17"
        assert copy.AccessionNumber == "A1"
        assert copy.StudyDate == "20240229"
        assert copy.StudyInstanceUID == "1.2.3.4"
        assert copy.PatientAge == "061Y"


def test_a_name_in_gb18030_is_copied_as_utf_8(tmp_path):
    case = a_dicom_photograph(tmp_path)
    source = dcmread(case.selection.series[0].instances[0].path)
    source.SpecificCharacterSet = "GB18030"
    source.PatientName = "Wang^XiaoDong=\u738b^\u5c0f\u4e1c"
    source.StudyDescription = "\u773c\u5e95\u7167\u76f8"
    save(source, case.selection.series[0].instances[0].path)
    copy = reread(dicom_objects(case, fundus_result(case))["sr.dcm"], tmp_path)
    assert copy.SpecificCharacterSet == "ISO_IR 192"
    assert str(copy.PatientName) == "Wang^XiaoDong=\u738b^\u5c0f\u4e1c"
    assert copy.StudyDescription == "\u773c\u5e95\u7167\u76f8"


def test_a_chinese_name_of_a_plain_picture_is_kept(tmp_path):
    case = jpeg_case(tmp_path, patient=Patient("\u738b^\u5c0f\u4e1c", "7", "19610203", "M"))
    for name, dataset in everything(case, fundus_result(case)).items():
        save(dataset, tmp_path / name)
        assert errors_of(tmp_path / name) == []
        assert str(dcmread(tmp_path / name).PatientName) == "\u738b^\u5c0f\u4e1c"


def test_captures_refer_to_the_photograph_and_look_like_the_picture(tmp_path):
    case = jpeg_case(tmp_path)
    objects = everything(case, fundus_result(case))
    heat = reread(objects["heatmap.dcm"], tmp_path)
    source = heat.SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == objects["photograph.dcm"].SOPInstanceUID
    assert "class activation" in heat.DerivationDescription
    difference = np.abs(heat.pixel_array.astype(int) - a_fundus())
    assert difference.mean() < 3


def test_the_pdf_comes_back_byte_for_byte(tmp_path):
    case = jpeg_case(tmp_path)
    report = reread(everything(case, fundus_result(case))["report.dcm"], tmp_path)
    assert report.EncapsulatedDocument[: report.EncapsulatedDocumentLength] == PDF


def test_nothing_labeled_means_no_segmentation(tmp_path):
    case = jpeg_case(tmp_path)
    result = fundus_result(case)
    result.labels.array[:] = 0
    objects = dicom_objects(case, result)
    assert set(objects) == {"photograph.dcm", "sr.dcm"}
    assert_valid(objects, tmp_path)


def test_a_source_that_is_gone_is_an_input_error_without_its_path(tmp_path):
    case = a_dicom_photograph(tmp_path)
    result = fundus_result(case)
    case.selection.series[0].instances[0].path.unlink()
    with pytest.raises(InputError) as caught:
        dicom_objects(case, result)
    assert str(tmp_path) not in str(caught.value)


def test_a_source_without_type_2_attributes_is_completed(tmp_path):
    case = a_dicom_photograph(tmp_path)
    path = case.selection.series[0].instances[0].path
    source = dcmread(path)
    for keyword in ("PatientID", "StudyID", "AccessionNumber", "PatientBirthDate", "StudyTime"):
        del source[keyword]
    save(source, path)
    assert_valid(everything(case, fundus_result(case)), tmp_path)


def test_a_volume_that_is_not_dicom_gives_only_the_report(tmp_path):
    case, result = ct_case(tmp_path / "ct")
    path = tmp_path / "scan.nii"
    path.write_bytes(b"x")
    bare = picture_case(path, a_fundus())
    bare = type(case)(bare.study, bare.selection, case.images)
    objects = dicom_objects(bare, result, pdf=PDF)
    assert list(objects) == ["report.dcm"]
    assert isinstance(objects["report.dcm"], Dataset)
    assert_valid(objects, tmp_path)


def test_legacy_dates_become_valid(tmp_path):
    case = a_dicom_photograph(tmp_path)
    path = case.selection.series[0].instances[0].path
    source = dcmread(path)
    for keyword, text in (("StudyDate", "1997.04.24"), ("StudyTime", "14:04:38")):
        source[keyword].value = ""
        source[keyword]._value = text
    save(source, path)
    objects = everything(case, fundus_result(case))
    assert_valid(objects, tmp_path)
    assert (objects["sr.dcm"].StudyDate, objects["sr.dcm"].StudyTime) == ("19970424", "140438")


@pytest.mark.parametrize(
    "name",
    ["JPEG-lossy.dcm", "SC_rgb_rle_16bit_2frame.dcm", "693_J2KI.dcm", "examples_palette.dcm"],
)
def test_sources_of_the_wild_give_valid_objects(tmp_path, name):
    path = get_testdata_file(name)
    if path is None:
        pytest.skip(f"{name} is not there (pydicom-data)")
    header = dcmread(path, stop_before_pixels=True)
    size = (int(header.Rows), int(header.Columns))
    case = dicom_case(Path(path), (Picture(np.zeros(size, np.uint8)),))
    array = np.zeros(size, np.uint8)
    array[:2, :2] = 2
    labels = LabelMap(array, lesion_labels().segments)
    assert_valid(everything(case, replace(fundus_result(case), labels=labels)), tmp_path)
