"""Plain pictures as Ophthalmic Photography objects."""

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

from medloop.dicom.write import save
from medloop.dicom.write.jpeg import jpeg_header
from medloop.dicom.write.photograph import photograph
from tests.dicom.phantoms_written import NOW, a_fundus, jpeg_case, picture_case, reread
from tests.dicom.test_write_objects import errors_of

ORIENTATION = 0x0112


def written(case, folder):
    dataset = photograph(case, now=NOW)
    save(dataset, folder / "photograph.dcm")
    assert errors_of(folder / "photograph.dcm") == []
    return reread(dataset, folder)


def test_a_baseline_jpeg_keeps_its_bytes(tmp_path):
    case = jpeg_case(tmp_path)
    data = written(case, tmp_path)
    stored = next(iter(generate_frames(data.PixelData, number_of_frames=1)))
    original = case.selection.series[0].instances[0].path.read_bytes()
    assert stored.rstrip(b"\0") == original.rstrip(b"\0")
    assert data.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    assert data.PhotometricInterpretation == "YBR_FULL_422"
    assert (data.LossyImageCompression, data.LossyImageCompressionMethod) == (
        "01",
        "ISO_10918_1",
    )


def test_a_gray_jpeg_keeps_its_bytes_too(tmp_path):
    path = tmp_path / "gray.jpg"
    Image.fromarray(a_fundus()[..., 1]).save(path)
    data = written(picture_case(path, a_fundus()[..., 1]), tmp_path)
    assert data.PhotometricInterpretation == "MONOCHROME2"
    assert data.file_meta.TransferSyntaxUID == JPEGBaseline8Bit


@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"subsampling": 0}], ids=["progressive", "4:4:4"]
)
def test_other_jpegs_are_stored_as_decoded_and_stay_marked_lossy(tmp_path, options):
    case = jpeg_case(tmp_path, **options)
    data = written(case, tmp_path)
    assert data.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert data.LossyImageCompression == "01"
    assert np.array_equal(data.pixel_array, case.images[0].array)


def test_a_jpeg_turned_by_exif_is_stored_upright(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    path = tmp_path / "turned.jpg"
    Image.fromarray(a_fundus()).save(path, exif=exif)
    with Image.open(path) as image:
        upright = np.ascontiguousarray(np.asarray(image)[::-1, ::-1])
    data = written(picture_case(path, upright), tmp_path)
    assert np.array_equal(data.pixel_array, upright)


def test_the_time_a_camera_wrote_becomes_the_acquisition_time(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2023:05:06 07:08:09"
    data = written(jpeg_case(tmp_path, exif=exif), tmp_path)
    assert data.AcquisitionDateTime == "20230506070809"
    assert "ImageComments" not in data


def test_a_png_is_stored_exactly(tmp_path):
    path = tmp_path / "eye.png"
    Image.fromarray(a_fundus()).save(path)
    data = written(picture_case(path, a_fundus()), tmp_path)
    assert np.array_equal(data.pixel_array, a_fundus())
    assert data.LossyImageCompression == "00"


def test_sixteen_bit_gray_becomes_the_16_bit_class(tmp_path):
    array = a_fundus()[..., 0].astype(np.uint16) * 257
    path = tmp_path / "deep.png"
    Image.fromarray(array).save(path)
    data = written(picture_case(path, array), tmp_path)
    assert data.SOPClassUID.name == "Ophthalmic Photography 16 Bit Image Storage"
    assert np.array_equal(data.pixel_array, array)


def test_sixteen_bit_color_is_reduced_to_8(tmp_path):
    array = a_fundus().astype(np.uint16) * 257
    path = tmp_path / "deep.tif"
    path.write_bytes(b"II*\0")
    data = written(picture_case(path, array), tmp_path)
    assert np.array_equal(data.pixel_array, a_fundus())


def test_an_unknown_side_is_not_claimed_without_a_word(tmp_path):
    path = tmp_path / "eye.png"
    Image.fromarray(a_fundus()).save(path)
    data = written(picture_case(path, a_fundus(), side=""), tmp_path)
    assert data.ImageLaterality == "B"
    assert "Side unknown" in data.ImageComments


def test_its_uids_depend_on_the_file_alone(tmp_path):
    case = jpeg_case(tmp_path)
    instance = case.selection.series[0].instances[0]
    assert photograph(case, now=NOW).SOPInstanceUID == instance.uid


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\0\x0b", b"\x89PNG"])
def test_what_is_no_jpeg_or_a_broken_one_has_no_header(data):
    assert jpeg_header(data) is None
