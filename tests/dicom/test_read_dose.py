"""RT doses come back in Gy, each plane at its height."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from medloop.core.errors import GeometryError, InputError
from medloop.dicom.pixels import open_dataset
from medloop.dicom.read_dose import read_dose
from tests.dicom.slices import save

FRAME = "2.25.9"


def a_dose_file(
    stored: np.ndarray,
    *,
    scaling: float = 1e-3,
    offsets: Sequence[float] | None = None,
    **tags,
) -> Dataset:
    """Planes of 2 mm rows and 3 mm columns, 2.5 mm apart, the first at (-30, -20, 100)."""
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.2"
    dataset.SOPInstanceUID = "2.25.77"
    dataset.Modality = "RTDOSE"
    dataset.FrameOfReferenceUID = FRAME
    dataset.DoseUnits, dataset.DoseType, dataset.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    dataset.DoseGridScaling = scaling
    dataset.ImagePositionPatient = [-30, -20, 100]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [2, 3]
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = stored.shape
    if offsets is None:
        offsets = [2.5 * n for n in range(len(stored))]
    dataset.GridFrameOffsetVector = list(offsets)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = stored.dtype.itemsize * 8
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
    dataset.PixelData = stored.tobytes()
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def numbers(dtype, shape=(4, 3, 5)) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 60_000, shape).astype(dtype)


@pytest.fixture
def read(tmp_path):
    def reading(dataset: Dataset, **options):
        return read_dose(open_dataset(save(dataset, tmp_path / "dose.dcm")), **options)

    return reading


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_stored_numbers_become_gy_at_their_places(read, dtype):
    stored = numbers(dtype)
    dose = read(a_dose_file(stored), frame_of_reference=FRAME)
    np.testing.assert_allclose(dose.volume.array, stored * 1e-3, rtol=1e-6)
    assert dose.volume.unit == "Gy"
    assert (dose.summation, dose.kind) == ("PLAN", "PHYSICAL")
    place = dose.volume.grid.to_world(np.array([[3.0, 2.0, 4.0]]))
    assert place[0] == pytest.approx((-30 + 12, -20 + 4, 100 + 7.5))
    assert dose.volume.grid.frame_of_reference == FRAME


def test_large_numbers_of_32_bits_keep_their_digits(read):
    stored = np.full((2, 2, 2), 4_000_000_000, np.uint32)
    dose = read(a_dose_file(stored, scaling=1.75e-8))
    np.testing.assert_allclose(dose.volume.array, 70.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("offsets", "top_mm"),
    [
        ([0, 2.5, 5, 7.5], 107.5),
        ([100, 102.5, 105, 107.5], 107.5),
        ([0, -2.5, -5, -7.5], 92.5),
        ([100, 97.5, 95, 92.5], 92.5),
    ],
    ids=["relative", "heights", "downward", "heights downward"],
)
def test_offsets_are_relative_or_heights_upward_or_downward(read, offsets, top_mm):
    dose = read(a_dose_file(numbers(np.uint16), offsets=offsets))
    places = dose.volume.grid.to_world(np.array([[0.0, 0, 0], [3.0, 0, 0]]))
    assert places[:, 2] == pytest.approx((100, top_mm))


@pytest.mark.parametrize("offsets", [[0, 2.5, 5, 7.5], [100, 97.5, 95, 92.5]])
def test_a_patient_who_lies_prone_or_feet_first_keeps_heights(read, offsets):
    # Rows run toward the right: relative offsets run along the normal, downward.
    tags = {"ImageOrientationPatient": [-1, 0, 0, 0, 1, 0]}
    dose = read(a_dose_file(numbers(np.uint16), offsets=offsets, **tags))
    places = dose.volume.grid.to_world(np.array([[0.0, 0, 0], [3.0, 0, 0]]))
    assert places[:, 2] == pytest.approx((100, 92.5))


def test_one_plane_is_as_thick_as_stated(read):
    tags = {"SliceThickness": 4, "GridFrameOffsetVector": None}
    dose = read(a_dose_file(numbers(np.uint16, (1, 3, 5)), **tags))
    assert dose.volume.grid.spacing_mm == pytest.approx((4, 2, 3))


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ({"DoseUnits": "RELATIVE"}, "in RELATIVE, not in GY"),
        ({"DoseUnits": None}, "in not stated"),
        ({"DoseType": "ERROR"}, "differences"),
        ({"DoseGridScaling": 0}, "scaling is 0"),
        ({"DoseGridScaling": None}, "scaling is 0"),
        ({"GridFrameOffsetVector": [0, 2.5, 5, 8.5]}, "2.5 mm apart"),
        ({"GridFrameOffsetVector": [0, 2.5]}, "2 numbers"),
        ({"GridFrameOffsetVector": None}, "no GridFrameOffsetVector"),
        ({"GridFrameOffsetVector": [7, 9.5, 12, 14.5]}, "offset 7 mm"),
        ({"GridFrameOffsetVector": [0, 0, 0, 0]}, "0 mm apart"),
        ({"ImagePositionPatient": None}, "no ImagePositionPatient"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "orientation"),
        ({"PixelSpacing": [2, 0]}, "spacing"),
        ({"PixelData": None}, "no grid of doses"),
        ({"PixelData": b"\0" * 8}, "truncated"),
        ({"Modality": "CT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "not an RT dose"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(read, tags, text):
    with pytest.raises(InputError, match=text) as refused:
        read(a_dose_file(numbers(np.uint16), **tags))
    assert "\n" not in str(refused.value)


def test_a_dose_of_another_frame_of_reference_is_refused(read):
    with pytest.raises(InputError, match="another frame of reference"):
        read(a_dose_file(numbers(np.uint16)), frame_of_reference="2.25.8")


def test_a_public_relative_dose_is_refused_and_read_once_it_states_gy():
    dataset = open_dataset(Path(get_testdata_file("rtdose.dcm")))
    with pytest.raises(InputError, match="RELATIVE"):
        read_dose(dataset)
    dataset.DoseUnits = "GY"
    dose = read_dose(dataset)
    assert dose.summation == "BEAM"
    expected = dataset.pixel_array * float(dataset.DoseGridScaling)
    np.testing.assert_allclose(dose.volume.array, expected, rtol=1e-6)
    assert dose.volume.grid.spacing_mm == pytest.approx((5, 10, 10))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_numbers_never_raise_anything_else(data):
    keyword = data.draw(
        st.sampled_from(
            ["DoseGridScaling", "ImagePositionPatient", "PixelSpacing", "GridFrameOffsetVector"]
        )
    )
    dataset = a_dose_file(numbers(np.uint16))
    value = data.draw(st.lists(st.floats(width=32), max_size=5))
    setattr(dataset, keyword, value)
    dataset.file_meta = open_dataset(Path(get_testdata_file("rtdose.dcm"))).file_meta
    try:
        dose = read_dose(dataset)
    except (InputError, GeometryError):
        return
    assert np.isfinite(dose.volume.grid.affine).all()
