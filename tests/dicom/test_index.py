"""Headers: what indexing keeps, in every encoding, and what it says of files it cannot use."""

import logging
import warnings
from pathlib import Path

import data_store
import pydicom
import pytest
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from medloop.core.errors import InputError
from medloop.core.study import Content, Patient, Scan
from medloop.dicom import header as header_module
from medloop.dicom.header import read_header
from medloop.dicom.index import index
from tests.dicom.slices import a_series, a_slice, save, stack
from tests.dicom.written import a_result_folder

FOLDERS = (
    Path(pydicom.__file__).parent / "data" / "test_files",
    Path(data_store.__file__).parent / "data",
)
FILES = [path for folder in FOLDERS for path in sorted(folder.rglob("*.dcm"))]


@pytest.mark.slow
def test_the_plain_way_reads_what_pydicom_reads():
    """Every test file, read by our walk and by the library, gives one and the same header."""
    compared = 0
    for path in FILES:
        try:
            plain = read_header(path)
            values = header_module._foreign_values(path, header_module._WANTED)
        except InputError:
            continue
        assert header_module._header(path, values) == plain, path.name
        compared += 1
    assert compared > 100


@pytest.mark.parametrize(
    ("charset", "encoding", "name"),
    [
        ("GB18030", "gb18030", "王^小东"),
        ("GBK", "gbk", "王^小东"),
        ("ISO_IR 192", "utf-8", "王^小东=Wáng^XiǎoDōng"),
        ("ISO_IR 100", "latin-1", "Buc^Jérôme"),
        (None, "gb18030", "王^小东"),
        (None, "utf-8", "Jérôme"),
    ],
)
def test_names_are_read_in_their_character_set(tmp_path, charset, encoding, name):
    piece = a_slice(PatientName="PLACEHOLDER-NAME-OF-BYTES-THAT-FOLLOW")
    if charset:
        piece.SpecificCharacterSet = charset
    path = save(piece, tmp_path / "a.dcm")
    placeholder = b"PLACEHOLDER-NAME-OF-BYTES-THAT-FOLLOW"
    raw = name.encode(encoding).ljust(len(placeholder))
    path.write_bytes(path.read_bytes().replace(placeholder, raw))
    assert read_header(path).patient.name == name


def test_code_extensions_are_understood():
    header = read_header(Path(get_charset_files("chrH31.dcm")[0]))
    assert header.patient.name == "Yamada^Tarou=山田^太郎=やまだ^たろう"


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_the_encoding_does_not_change_the_header(tmp_path, syntax):
    plain = read_header(save(a_slice(PatientName="A^B", PatientID="1"), tmp_path / "a.dcm"))
    other = read_header(
        save(a_slice(PatientName="A^B", PatientID="1"), tmp_path / "b.dcm", syntax=syntax)
    )
    assert plain.patient == other.patient == Patient("A^B", "1")
    assert (plain.pose, plain.rows, plain.rescale) == (other.pose, other.rows, other.rescale)


def test_a_file_without_preamble_is_read(tmp_path):
    path = save(a_slice(), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[132:])
    assert read_header(path).modality == "CT"


def test_a_file_without_uids_gets_some_from_its_bytes(tmp_path):
    tags = dict.fromkeys(["StudyInstanceUID", "SeriesInstanceUID"])
    one = read_header(save(a_slice(**tags), tmp_path / "a.dcm"))
    two = read_header(save(a_slice(**tags), tmp_path / "b.dcm"))
    assert one.study_uid == two.study_uid
    assert one.study_uid.startswith("2.25.")
    assert len({one.study_uid, one.series_uid, one.uid}) == 3


def test_a_header_behind_long_private_data_is_found(tmp_path):
    piece = a_slice()
    piece.private_block(0x0009, "TEST", create=True).add_new(1, "OB", bytes(100_000))
    assert read_header(save(piece, tmp_path / "a.dcm")).rows == 6


def test_a_sequence_of_undefined_length_is_stepped_over(tmp_path):
    piece = a_slice()
    inner = pydicom.Dataset()
    inner.Rows = 999
    inner.is_undefined_length_sequence_item = True
    piece.ReferencedImageSequence = [inner]
    piece["ReferencedImageSequence"].is_undefined_length = True
    assert read_header(save(piece, tmp_path / "a.dcm")).rows == 6


def test_every_file_ends_as_a_header_or_a_reason(tmp_path):
    good = save(a_slice(), tmp_path / "good")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("hello")
    (tmp_path / "half").write_bytes(good.read_bytes()[:300])
    found = index(sorted(tmp_path.iterdir()))
    assert [header.path.name for header in found.headers] == ["good"]
    assert [path.name for path, _ in found.problems] == ["empty", "half", "text"]
    assert all(reason and "\n" not in reason for _, reason in found.problems)
    assert found.problems[1][1] == "DICOM file is truncated: it ends after 300 bytes"


def test_a_dicomdir_is_named_as_such():
    with pytest.raises(InputError, match="DICOMDIR lists other files"):
        read_header(Path(get_testdata_file("DICOMDIR")))


@pytest.mark.parametrize(
    ("name", "content", "frames"),
    [
        ("CT_small.dcm", Content.VOLUME, 1),
        ("eCT_Supplemental.dcm", Content.VOLUME, 2),
        ("examples_ybr_color.dcm", Content.PICTURES, 30),
        ("liver_1frame.dcm", Content.NONE, 1),
        ("reportsi.dcm", Content.NONE, 0),
        ("rtstruct.dcm", Content.NONE, 0),
    ],
)
def test_a_series_knows_what_its_pixels_make(name, content, frames):
    (study,) = index([Path(get_testdata_file(name))]).studies
    (series,) = study.series
    assert (series.content, series.instances[0].frames) == (content, frames)


@pytest.mark.parametrize(
    ("changes", "content"),
    [
        ({}, Content.NONE),
        ({"Manufacturer": "another"}, Content.PICTURES),
        ({"ImageType": ["ORIGINAL", "PRIMARY"]}, Content.PICTURES),
    ],
)
def test_what_an_analysis_drew_over_a_photograph_is_none_itself(tmp_path, changes, content):
    drawn = pydicom.dcmread(a_result_folder(tmp_path) / "heatmap.dcm")
    for name, value in changes.items():
        setattr(drawn, name, value)
    drawn.save_as(tmp_path / "drawn.dcm")
    (study,) = index([tmp_path / "drawn.dcm"]).studies
    assert [each.content for each in study.series] == [content]


def test_reading_says_nothing_on_stderr(capfd):
    logging.getLogger().addHandler(handler := logging.StreamHandler())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            index(
                [Path(get_testdata_file(n)) for n in ("badVR.dcm", "no_meta_group_length.dcm")]
            )
    finally:
        logging.getLogger().removeHandler(handler)
    assert capfd.readouterr() == ("", "")


def test_how_a_volume_was_made_is_indexed(tmp_path):
    slices = stack([0, 2, 4], SliceThickness=1.25, ConvolutionKernel=["B30f", "2"])
    (series,) = a_series(tmp_path, slices)
    assert series.scan == Scan("axial", 1.25, "B30f", ("ORIGINAL", "PRIMARY", "AXIAL"))
    assert series.slice_mm == 2.0


@pytest.mark.parametrize(
    ("orientation", "name"),
    [
        ([1, 0, 0, 0, 0.94, 0.342], "axial"),
        ([1, 0, 0, 0, 0, -1], "coronal"),
        ([0, 1, 0, 0, 0, -1], "sagittal"),
        ([1, 0, 0, 0, 0.7071, 0.7071], "oblique"),
    ],
)
def test_planes_are_named(tmp_path, orientation, name):
    (series,) = a_series(tmp_path, [a_slice(ImageOrientationPatient=orientation)])
    assert series.scan.orientation == name


def test_what_a_header_does_not_say_stays_empty(tmp_path):
    piece = a_slice(SliceThickness=None, ImageType=None, ImageOrientationPatient=None)
    (series,) = a_series(tmp_path, [piece])
    assert series.scan == Scan()
