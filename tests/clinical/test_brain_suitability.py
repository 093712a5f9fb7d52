import numpy as np
import pytest

from medloop.clinical.brain.suitability import reason_against, require_region
from medloop.core.errors import UnsuitableError
from medloop.core.geometry import Grid
from medloop.core.image import Picture, Volume
from medloop.core.study import Content, Series, SeriesUid


def a_series(description: str = "", **changes) -> Series:
    parts = {"modality": "MR", "content": Content.VOLUME, "instances": (), "source": "x"}
    return Series(SeriesUid("1.2"), description=description, **parts | changes)


def a_volume(size=(36, 52, 34), steps_mm=(1.0, 1.0, 1.0), *, values: int = 200) -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = np.diag(steps_mm)[::-1]
    array = np.arange(np.prod(size), dtype=np.int32).reshape(size) % values
    return Volume(array, Grid(size, affine), "1")


@pytest.mark.parametrize(
    "description",
    [
        "",
        "T1 MPRAGE sag",
        "t1_mprage_sag_p2_iso",
        "T1W_3D_TFE",
        "Sag T1 FLAIR",
        "AX 3D BRAVO",
        "MP2RAGE",
        "brain",
    ],
)
def test_t1_and_what_names_no_contrast_is_read(description):
    assert reason_against(a_series(description)) == ""


@pytest.mark.parametrize(
    ("description", "named"),
    [
        ("t2_tse_cor", "T2"),
        ("T2W TSE", "T2W"),
        ("AX FLAIR", "FLAIR"),
        ("ep2d_DWI_b1000", "DWI"),
        ("Localizer", "LOCALIZER"),
        ("PD fs", "PD"),
    ],
)
def test_another_contrast_is_named(description, named):
    assert reason_against(a_series(description)) == f"described as {named}, not T1"


def test_words_that_only_contain_a_contrast_do_not_count():
    assert reason_against(a_series("UPDATED SPDX")) == ""


def test_nothing_but_the_contrast_is_repeated_from_a_description():
    assert "WANG" not in reason_against(a_series("WANG^XiaoDong T2"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"modality": "CT"}, "modality CT, not MR"),
        ({"content": Content.PICTURES}, "MR pictures, not a volume"),
        ({"slice_mm": 5.0}, "slices 5.0 mm apart, the limit is 2.5 mm"),
    ],
)
def test_what_a_header_tells_against_a_series_is_said(changes, reason):
    assert reason_against(a_series(**changes)) == reason


def test_a_file_that_names_no_modality_is_read():
    assert reason_against(a_series(modality="")) == ""


def test_a_region_is_let_through_as_it_is():
    volume = a_volume()
    assert require_region(volume) is volume


@pytest.mark.parametrize(
    ("size", "steps_mm", "fact"),
    [
        ((101, 50, 35), (1.0, 1.0, 1.0), "101 x 50 x 35 mm has a side over 100 mm"),
        ((36, 52, 19), (1.0, 1.0, 1.0), "36 x 52 x 19 mm has a side under 20 mm"),
        ((60, 60, 60), (0.3, 1.0, 1.0), "18 x 60 x 60 mm has a side under 20 mm"),
        ((12, 50, 50), (3.0, 1.0, 1.0), "voxels 3.0 mm apart exceed 2.5 mm"),
    ],
)
def test_a_volume_of_another_size_is_refused_with_value_and_limit(size, steps_mm, fact):
    with pytest.raises(UnsuitableError, match=fact):
        require_region(a_volume(size, steps_mm))


@pytest.mark.parametrize("side_mm", [20, 100])
def test_the_limits_themselves_are_allowed(side_mm):
    require_region(a_volume((side_mm, 40, 40)))


def test_a_label_map_is_no_image():
    with pytest.raises(UnsuitableError, match="3 different values"):
        require_region(a_volume(values=3))


def test_a_picture_is_no_volume():
    with pytest.raises(UnsuitableError, match="a picture"):
        require_region(Picture(np.zeros((30, 30), np.uint8)))
