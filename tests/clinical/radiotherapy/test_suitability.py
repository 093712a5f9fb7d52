"""Which CTs are read, and why others are not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medloop.clinical.radiotherapy.suitability import (
    choose,
    reason_against,
    remarks,
    require_head_and_neck,
)
from medloop.core.errors import UnsuitableError
from medloop.core.image import Volume
from medloop.core.study import (
    Content,
    Instance,
    Scan,
    Series,
    SopUid,
    Study,
    StudyUid,
)
from medloop.imaging.hounsfield import Scale, check_hu
from tests.clinical.scans import a_ct
from tests.necks import a_grid, a_neck
from tests.thorax import a_chest, a_head

AXIAL = Scan("axial", 2.5, "STANDARD", ("ORIGINAL", "PRIMARY", "AXIAL"))


def a_series(uid: str = "1.2.1", **changes) -> Series:
    usual = {"slices": 120, "slice_mm": 2.5, "scan": AXIAL}
    return a_ct(uid, **usual | changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"modality": "MR"}, "modality MR, not CT"),
        ({"modality": "RTSTRUCT", "content": Content.NONE}, "RTSTRUCT without pixels"),
        ({"scan": replace(AXIAL, orientation="sagittal")}, "sagittal slices, not axial"),
        (
            {"scan": replace(AXIAL, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))},
            "LOCALIZER, not a plain reconstruction",
        ),
        ({"description": "Topogram 0.6"}, "TOPOGRAM, not a plain reconstruction"),
        ({"slices": 5}, "5 slices, at least 12 are needed"),
        ({"slices": 20}, "slices cover 50 mm, at least 60 mm are needed"),
        ({"slice_mm": 8.0}, "slices 8.0 mm apart, the limit is 5 mm"),
        ({"body_part": "CHEST"}, "body part CHEST, not head and neck"),
        ({"body_part": "Abdomen"}, "body part ABDOMEN, not head and neck"),
    ],
)
def test_what_a_header_tells_against_a_series_is_said(changes, reason):
    assert reason_against(a_series(**changes)) == reason


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"modality": "", "scan": Scan(), "slice_mm": None},
        {"body_part": "HEADNECK"},
        {"body_part": "NECK"},
        {"body_part": "HEAD NECK AND CHEST"},
        {"body_part": "CSPINE"},
        {"slices": 1, "instances": ()},
        {"instances": (Instance(SopUid("1"), "", Path("neck.nii.gz"), ""),)},
    ],
    ids=str,
)
def test_axial_ct_of_head_and_neck_or_of_no_stated_region_is_read(changes):
    assert reason_against(a_series(**changes)) == ""


def test_the_thinnest_is_chosen_and_others_are_named_where_none_suits():
    study = Study(
        StudyUid("1.2"),
        "study",
        (
            a_series("1"),
            a_series("2", slice_mm=1.25, slices=240, scan=replace(AXIAL, thickness_mm=1.25)),
        ),
    )
    assert choose(study).series[0].uid == "2"
    with pytest.raises(UnsuitableError, match="no axial head and neck CT in the study: empty"):
        choose(replace(study, series=()))


def test_a_drawn_head_and_neck_suits():
    volume = a_neck().volume
    suitable, region = require_head_and_neck(volume)
    assert suitable is volume
    assert region.extent_mm > 200


def test_a_head_suits_and_a_chest_does_not():
    require_head_and_neck(a_head())
    with pytest.raises(UnsuitableError, match=r"no head and neck: \d mm of slices"):
        require_head_and_neck(a_chest().volume)


def test_a_ct_without_a_unit_is_one_in_hu_if_there_is_air():
    volume = a_neck().volume
    assert require_head_and_neck(replace(volume, unit="1"))[0].unit == "HU"
    with pytest.raises(UnsuitableError, match="1024 too high"):
        require_head_and_neck(Volume(volume.array + 1024, volume.grid, "1"))


def test_values_of_another_kind_are_refused():
    grid = a_grid()
    gray = np.random.default_rng(3).integers(0, 900, grid.shape).astype(np.int16)
    with pytest.raises(UnsuitableError, match=r"inverted|not in HU"):
        require_head_and_neck(Volume(gray, grid, "1"))


def test_a_ct_that_was_cut_to_the_treated_region_suits():
    volume = a_neck().volume
    cut = np.full_like(volume.array, -1024)
    cut[35:90, 15:-15, 20:-20] = volume.array[35:90, 15:-15, 20:-20]
    assert require_head_and_neck(volume.with_array(cut))[1].extent_mm > 40


def test_thick_slices_are_told():
    checked = check_hu(a_neck().volume)
    assert remarks(a_series(), checked) == ()
    (notice,) = remarks(a_series(slice_mm=5.0), checked)
    assert notice.text == "Slices of 5.0 mm: outlines are less sure from head to foot."


def test_a_ct_without_peaks_of_air_and_tissue_is_told():
    checked = replace(check_hu(a_neck().volume), scale=Scale.UNKNOWN)
    (notice,) = remarks(a_series(), checked)
    assert notice.code == "oar-hu"


def test_a_dicom_series_without_a_frame_of_reference_is_told():
    checked = check_hu(a_neck().volume)
    series = a_series()
    unframed = replace(series, frame_of_reference=None)
    (notice,) = remarks(unframed, checked)
    assert notice.code == "oar-no-frame"
    plain = tuple(replace(each, sop_class="") for each in series.instances)
    assert remarks(replace(unframed, instances=plain), checked) == ()
