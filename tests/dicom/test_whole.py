"""A file that ends before its pixels do is found, wherever it was cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import encapsulate
from pydicom.uid import ImplicitVRLittleEndian, JPEGBaseline8Bit

from medloop.core.errors import InputError
from medloop.dicom.whole import is_cut_off
from tests.dicom.slices import a_slice, save


def compressed(folder):
    piece = a_slice()
    piece.PixelData = encapsulate([b"\xff\xd8 one \xff\xd9", b"\xff\xd8 two \xff\xd9"])
    piece["PixelData"].VR = "OB"
    return save(piece, folder / "c.dcm", syntax=JPEGBaseline8Bit)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    implicit = save(a_slice(), folder / "i.dcm", syntax=ImplicitVRLittleEndian)
    return folder, [save(a_slice(), folder / "a.dcm"), implicit, compressed(folder)]


@given(st.integers(0, 2), st.data())
def test_a_file_is_cut_off_exactly_where_pixels_are_missing(files, which, data):
    folder, paths = files
    content = paths[which].read_bytes()
    assert not is_cut_off(paths[which])
    start = content.index(b"\xe0\x7f\x10\x00")
    end = data.draw(st.integers(start + 12, len(content) - 1))
    cut = folder / "cut.dcm"
    cut.write_bytes(content[:end])
    assert is_cut_off(cut)


def test_what_has_no_pixels_or_is_no_dicom_is_not_cut_off(tmp_path):
    (tmp_path / "a").write_bytes(b"anything")
    bare = a_slice(PixelData=None)
    assert not is_cut_off(tmp_path / "a")
    assert not is_cut_off(save(bare, tmp_path / "b.dcm"))


def test_a_file_that_is_gone_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        is_cut_off(tmp_path / "absent")
