from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medloop.clinical.lung.suitability import (
    choose,
    is_sharp,
    reason_against,
    remarks,
    require_chest,
)
from medloop.core.errors import UnsuitableError
from medloop.core.geometry import Grid
from medloop.core.image import Picture, Volume
from medloop.core.study import (
    Content,
    Instance,
    Scan,
    Series,
    SopUid,
    Study,
    StudyUid,
)
from tests.clinical.scans import a_ct
from tests.thorax import a_chest, a_grid

AXIAL = Scan("axial", 1.25, "STANDARD", ("ORIGINAL", "PRIMARY", "AXIAL"))


def a_series(uid: str = "1.2.1", **changes) -> Series:
    usual = {"slices": 240, "slice_mm": 1.25, "scan": AXIAL}
    return a_ct(uid, **usual | changes)


def a_study(*series: Series) -> Study:
    return Study(StudyUid("1.2"), "study", series)


def chosen(*series: Series) -> str:
    (one,) = choose(a_study(*series)).series
    return one.uid


def made(**changes) -> Scan:
    return replace(AXIAL, **changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"modality": "MR"}, "modality MR, not CT"),
        ({"content": Content.PICTURES}, "CT pictures, not a volume"),
        ({"modality": "SR", "content": Content.NONE}, "SR without pixels"),
        ({"scan": made(orientation="coronal")}, "coronal slices, not axial"),
        ({"scan": made(orientation="oblique")}, "oblique slices, not axial"),
        ({"description": "Thin MIP 10/2"}, "MIP, not a plain reconstruction"),
        (
            {"description": "Patient WANG Dose Report"},
            "DOSE REPORT, not a plain reconstruction",
        ),
        (
            {"scan": made(image_type=("DERIVED", "PRIMARY", "MIN_IP"))},
            "MIN_IP, not a plain reconstruction",
        ),
        ({"body_part": "HEAD"}, "body part HEAD, not chest"),
        ({"slices": 2}, "2 slices, at least 3 are needed"),
        ({"scan": made(thickness_mm=8.0)}, "slices 8.0 mm thick, the limit is 5 mm"),
        ({"slice_mm": 10.0}, "slices 10.0 mm apart, the limit is 5 mm"),
    ],
)
def test_what_a_header_tells_against_a_series_is_said(changes, reason):
    assert reason_against(a_series(**changes)) == reason


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"modality": "", "scan": Scan(), "slice_mm": None},
        {"body_part": "CHEST"},
        {"body_part": "HEAD AND CHEST"},
        {"body_part": "ABDOMEN"},
        {"description": "Chest VRTX thin"},
        {"description": "Low Dose Chest 1.0"},
        {"scan": made(image_type=("DERIVED", "SECONDARY", "AXIAL"))},
        {"slice_mm": 5.0, "scan": made(thickness_mm=5.0)},
        {"slices": 5, "slice_mm": 5.0},
    ],
    ids=str,
)
def test_axial_ct_of_the_chest_or_of_no_stated_region_is_read(changes):
    assert reason_against(a_series(**changes)) == ""


def test_a_file_that_tells_no_slices_is_read():
    nifti = (Instance(SopUid("1.2.9"), "", Path("chest.nii.gz"), ""),)
    assert reason_against(a_series(instances=nifti, modality="", scan=Scan())) == ""


def test_nothing_but_the_word_is_repeated_from_a_description():
    assert "WANG" not in reason_against(a_series(description="WANG^Xiao MIP"))


def test_the_thinnest_is_chosen():
    thick = a_series("1", slices=60, slice_mm=5.0, scan=made(thickness_mm=5.0))
    thin = a_series("2")
    assert chosen(thick, thin) == chosen(thin, thick) == "2"


def test_thin_slices_that_lie_far_apart_count_as_thick():
    sparse = a_series("1", slices=60, slice_mm=5.0, scan=made(thickness_mm=1.0))
    dense = a_series("2", slices=120, slice_mm=2.5, scan=made(thickness_mm=2.5))
    assert chosen(sparse, dense) == "2"


def test_of_equally_thin_ones_a_smooth_kernel_is_chosen():
    sharp = a_series("1", scan=made(kernel="LUNG"))
    assert chosen(sharp, a_series("2")) == "2"


def test_a_thin_sharp_one_is_chosen_before_a_thick_smooth_one():
    sharp = a_series("1", scan=made(kernel="B70f"))
    smooth = a_series("2", slices=60, slice_mm=5.0, scan=made(thickness_mm=5.0, kernel="B30f"))
    assert chosen(sharp, smooth) == "1"


def test_of_equals_the_one_that_covers_more_is_chosen():
    assert chosen(a_series("1", slices=220), a_series("2", slices=260)) == "2"


def test_a_thin_series_of_a_part_of_the_chest_gives_way_to_the_whole():
    part = a_series("1", slices=60, slice_mm=0.6, scan=made(thickness_mm=0.6))
    assert chosen(part, a_series("2")) == "2"
    assert chosen(part) == "1"


def test_a_study_without_chest_ct_is_refused_with_each_reason():
    scout = a_series("1", content=Content.PICTURES)
    coronal = a_series("2", scan=made(orientation="coronal"))
    with pytest.raises(UnsuitableError) as refused:
        choose(a_study(scout, coronal))
    assert str(refused.value) == (
        "no axial chest CT in the study: CT pictures, not a volume; coronal slices, not axial"
    )
    with pytest.raises(UnsuitableError, match="empty"):
        choose(a_study())


@pytest.mark.parametrize(
    "kernel",
    [
        "LUNG",
        "BONEPLUS",
        "EDGE",
        "B50f",
        "B70f",
        "Bl57d",
        "I70f",
        "FC51",
        "FC30",
        "YC",
        "B_SHARP",
    ],
)
def test_kernels_that_enhance_edges_are_known(kernel):
    assert is_sharp(kernel)


@pytest.mark.parametrize(
    "kernel",
    [
        "",
        "STANDARD",
        "SOFT",
        "CHEST",
        "B30f",
        "B31s",
        "Br40d",
        "I41f",
        "FC08",
        "FC13-H",
        "B",
        "YA",
    ],
)
def test_other_kernels_count_as_smooth(kernel):
    assert not is_sharp(kernel)


def test_what_a_reader_must_know_of_the_series_is_said():
    assert remarks(a_series()) == ()
    thick = a_series(slice_mm=5.0, scan=made(thickness_mm=5.0))
    assert [notice.code for notice in remarks(thick)] == ["thick-slices"]
    sparse = a_series(slice_mm=2.5, scan=made(kernel="LUNG"))
    assert [notice.code for notice in remarks(sparse)] == ["slices-apart", "sharp-kernel"]


def a_volume(shape, steps_mm, unit="HU") -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = np.diag(steps_mm)[::-1]
    return Volume(np.zeros(shape, np.int16), Grid(shape, affine), unit)


def test_a_chest_is_let_through_as_it_is():
    volume = a_chest(grid=a_grid(steps_mm=(5.0, 2.0, 2.0))).volume
    assert require_chest(volume) is volume


def test_a_chest_that_states_no_unit_is_in_hu_by_its_values():
    volume = a_chest(grid=a_grid(steps_mm=(5.0, 2.0, 2.0))).volume
    unstated = volume.with_array(volume.array, unit="1")
    assert require_chest(unstated).unit == "HU"
    shifted = volume.with_array(volume.array + np.int16(1024), unit="1")
    with pytest.raises(UnsuitableError, match="1024 too high"):
        require_chest(shifted)


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        (a_volume((20, 60, 60), (6.0, 1.5, 1.5)), "slices 6.0 mm and pixels 1.5 mm apart"),
        (a_volume((20, 60, 60), (3.0, 4.7, 4.7)), "slices 3.0 mm and pixels 4.7 mm apart"),
        (a_volume((2, 60, 60), (3.0, 1.5, 1.5)), "2 slices of 90 x 90 mm, at least 3 slices"),
        (a_volume((20, 50, 30), (3.0, 1.5, 1.5)), "20 slices of 45 x 75 mm, at least"),
        (a_volume((20, 60, 60), (3.0, 1.5, 1.5)), "not in HU: no peaks"),
        (a_volume((20, 60, 60), (3.0, 1.5, 1.5), "Bq/ml"), "values in Bq/ml, not in HU"),
    ],
)
def test_a_volume_that_can_be_no_chest_ct_is_refused(volume, reason):
    with pytest.raises(UnsuitableError, match=reason):
        require_chest(volume)


def test_a_picture_is_no_volume():
    with pytest.raises(UnsuitableError, match="a picture"):
        require_chest(Picture(np.zeros((30, 30), np.uint8)))
