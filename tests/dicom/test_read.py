"""Pixels: values, units, places, for each way they may be stored."""

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from medloop.core.errors import InputError
from medloop.core.study import Instance, SopUid
from medloop.dicom.index import index
from medloop.dicom.read import read_picture, read_volume
from tests.dicom.slices import a_series, a_slice, pixels, save, stack

DATA = os.environ.get("MEDLOOP_DATA")


def instance(path, frames=1):
    return Instance(SopUid("1.2"), "", Path(path), "", frames)


def shown(name, frame=0):
    return read_picture(instance(get_testdata_file(name)), frame).array


def volume_of(path):
    (study,) = index([Path(path)]).studies
    return read_volume(study.series[0])


def test_ct_is_int16_hounsfield(tmp_path):
    (series,) = a_series(tmp_path, stack([0, 2]))
    volume, _ = read_volume(series)
    assert (volume.unit, volume.array.dtype) == ("HU", np.int16)
    np.testing.assert_array_equal(volume.array[1], pixels(1) - 1024)


def test_the_affine_maps_slice_row_column_to_lps(tmp_path):
    first = a_slice((-10.0, -20.0, 30.0))
    second = a_slice((-10.0, -20.0, 32.5))
    (series,) = a_series(tmp_path, [second, first])
    grid = read_volume(series)[0].grid
    np.testing.assert_allclose(grid.to_world(np.array([0.0, 0, 0])), [-10, -20, 30])
    np.testing.assert_allclose(grid.to_world(np.array([1.0, 2, 3])), [-7.75, -19, 32.5])


def test_a_fractional_slope_gives_float32(tmp_path):
    (series,) = a_series(tmp_path, stack([0, 2], RescaleSlope=0.5))
    volume, _ = read_volume(series)
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(volume.array[0], pixels(0) * 0.5 - 1024)


def test_values_beyond_int16_give_float32(tmp_path):
    bright = np.full((6, 8), 65000, np.uint16)
    (series,) = a_series(tmp_path, [a_slice((0, 0, 0)), a_slice((0, 0, 2), array=bright)])
    volume, _ = read_volume(series)
    assert volume.array.dtype == np.float32
    assert volume.array[1].max() == 65000 - 1024
    np.testing.assert_array_equal(volume.array[0], pixels() - 1024)


def test_twelve_bits_in_sixteen_keep_their_sign_and_lose_their_noise(tmp_path):
    stored = np.full((6, 8), 0x0FFF | 0x3000, np.uint16)  # -1 in 12 bits, an old overlay above
    piece = a_slice(array=stored, BitsStored=12, HighBit=11, PixelRepresentation=1)
    (series,) = a_series(tmp_path, [piece])
    assert np.unique(read_volume(series)[0].array).tolist() == [-1025]


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        JPEGLSLossless,
        JPEG2000Lossless,
        RLELossless,
    ],
)
def test_every_lossless_transfer_syntax_gives_the_same_voxels(tmp_path, syntax):
    stored = pixels(3, rows=64, columns=80)
    piece = a_slice(array=stored)
    if syntax.is_encapsulated:
        save(piece, tmp_path / "a.dcm")
        piece.compress(syntax, generate_instance_uid=False)
        piece.save_as(tmp_path / "a.dcm")
    elif syntax == ExplicitVRBigEndian:
        piece.PixelData = stored.astype(">i2").tobytes()
        piece["PixelData"].VR = "OW"
        piece.file_meta = pydicom.dataset.FileMetaDataset()
        piece.file_meta.TransferSyntaxUID = syntax
        piece.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    else:
        save(piece, tmp_path / "a.dcm", syntax=syntax)
    volume, _ = volume_of(tmp_path / "a.dcm")
    np.testing.assert_array_equal(volume.array[0], stored - 1024)


def test_an_enhanced_ct_takes_its_places_from_its_frames():
    volume, _ = volume_of(get_testdata_file("eCT_Supplemental.dcm"))
    dataset = pydicom.dcmread(get_testdata_file("eCT_Supplemental.dcm"))
    groups = dataset.PerFrameFunctionalGroupsSequence
    places = [g.PlanePositionSequence[0].ImagePositionPatient for g in groups]
    origin = volume.grid.to_world(np.array([0.0, 0, 0]))
    np.testing.assert_allclose(origin, min(places, key=lambda place: place[2]))
    assert (volume.unit, volume.array.shape) == ("HU", (2, 512, 512))


def test_frames_without_functional_groups_are_refused():
    with pytest.raises(InputError, match="10 frames without functional groups"):
        volume_of(get_testdata_file("emri_small.dcm"))


def test_a_palette_becomes_rgb():
    dataset = pydicom.dcmread(get_testdata_file("examples_palette.dcm"))
    expected = pydicom.pixels.apply_color_lut(dataset.pixel_array, dataset) >> 8
    np.testing.assert_array_equal(shown("examples_palette.dcm"), expected)


def test_ybr_becomes_rgb():
    array = shown("SC_ybr_full_uncompressed.dcm")
    np.testing.assert_allclose(array[5, 5], [255, 0, 0], atol=2)


def test_a_frame_is_chosen_by_number():
    array = shown("examples_ybr_color.dcm", frame=2)
    dataset = pydicom.dcmread(get_testdata_file("examples_ybr_color.dcm"))
    np.testing.assert_array_equal(array, pydicom.pixels.pixel_array(dataset, index=2))


def test_a_frame_beyond_the_last_is_refused():
    with pytest.raises(InputError, match="30 frames, not frame 30"):
        shown("examples_ybr_color.dcm", frame=30)


def test_big_endian_color_has_native_bytes():
    assert shown("SC_rgb_expb_16bit.dcm").dtype == np.dtype("=u2")


def test_monochrome1_is_inverted(tmp_path):
    array = np.array([[0, 255]], np.uint8)
    path = save(
        a_slice(array=array, PhotometricInterpretation="MONOCHROME1"), tmp_path / "a.dcm"
    )
    assert read_picture(instance(path)).array.tolist() == [[255, 0]]


def test_one_bit_is_black_and_white(tmp_path):
    packed = np.packbits(np.array([1, 0, 0, 1, 0, 0, 0, 1], np.uint8), bitorder="little")
    tags = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "Rows": 2, "Columns": 4}
    piece = a_slice(array=pixels(), PixelRepresentation=0, **tags)
    piece.PixelData = packed.tobytes() + b"\0"
    picture = read_picture(instance(save(piece, tmp_path / "a.dcm")))
    assert picture.array.tolist() == [[255, 0, 0, 255], [0, 0, 0, 255]]


def test_twelve_bits_spread_over_sixteen(tmp_path):
    array = np.array([[0, 4095]], np.uint16)
    path = save(a_slice(array=array, BitsStored=12, HighBit=11), tmp_path / "a.dcm")
    assert read_picture(instance(path)).array.tolist() == [[0, 65520]]


def test_the_spacing_of_a_photograph_is_row_then_column(tmp_path):
    path = save(a_slice(), tmp_path / "a.dcm")
    assert read_picture(instance(path)).spacing_mm == (0.5, 0.75)


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"Rows": 60000, "Columns": 60000}, "the limit is 20000 pixels a side"),
        ({"NumberOfFrames": 2_000_000_000}, "the limit is 1.61 GB"),
        ({"NumberOfFrames": 100}, "image is truncated: 96 bytes of 9600"),
        ({"BitsAllocated": 24}, "1 samples of 24 bits"),
        ({"PixelData": None}, "holds no pixel data"),
    ],
)
def test_absurd_headers_are_refused_before_anything_is_allocated(tmp_path, tags, reason):
    path = save(a_slice(**tags), tmp_path / "a.dcm")
    with pytest.raises(InputError, match=reason):
        read_picture(instance(path))


def test_a_compressed_frame_of_another_size_is_refused(tmp_path):
    piece = a_slice(array=pixels(rows=40, columns=30))
    save(piece, tmp_path / "a.dcm")
    piece.compress(JPEGLSLossless)
    piece.Columns = 31
    piece.save_as(tmp_path / "a.dcm")
    with pytest.raises(InputError, match="30 x 40 pixels, the header says 31 x 40"):
        volume_of(tmp_path / "a.dcm")


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="MEDLOOP_DATA is not set")
def test_a_real_ct_equals_what_simpleitk_reads():
    sitk = pytest.importorskip("SimpleITK")
    folder = Path(DATA or "") / "lidc" / "LIDC-IDRI-0001"
    if not folder.is_dir():
        pytest.skip("LIDC-IDRI-0001 is not there")
    (study,) = index(sorted(folder.glob("*.dcm"))).studies
    volume, notices = read_volume(study.series[0])
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    np.testing.assert_array_equal(volume.array, sitk.GetArrayViewFromImage(image))
    direction = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    theirs = np.eye(4)
    theirs[:3, :3], theirs[:3, 3] = direction[:, ::-1], image.GetOrigin()
    np.testing.assert_allclose(volume.grid.affine, theirs, atol=1e-4)
    assert notices == ()


def test_a_malformed_lossless_jpeg_is_refused_before_its_decoder_sees_it(tmp_path):
    data = Path(get_testdata_file("SC_rgb_jpeg_gdcm.dcm")).read_bytes()
    at = data.index(b"\xff\xc4")
    (tmp_path / "a.dcm").write_bytes(data[:at] + b"\x00\x00" + data[at + 2 :])
    with pytest.raises(InputError, match="no well-formed lossless JPEG"):
        read_picture(instance(tmp_path / "a.dcm"))
