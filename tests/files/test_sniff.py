import gzip

import numpy as np
import pytest
from PIL import Image

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.files.nifti import write_nifti
from medloop.files.sniff import Kind, kind_of, sniff


@pytest.mark.parametrize(
    ("kind", "form"), [(Kind.PNG, "PNG"), (Kind.JPEG, "JPEG"), (Kind.TIFF, "TIFF")]
)
def test_a_renamed_picture_is_recognized_by_content(tmp_path, kind, form):
    path = tmp_path / "picture.dcm"
    Image.new("RGB", (4, 3)).save(path, format=form)
    assert sniff(path) is kind


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_nifti_is_recognized_packed_or_not(tmp_path, name):
    write_nifti(np.zeros((2, 3, 4), np.uint8), Grid((2, 3, 4), np.eye(4)), tmp_path / name)
    assert sniff(tmp_path / name) is Kind.NIFTI


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", Kind.EMPTY),
        (b"hello world, this is a text file", Kind.OTHER),
        (bytes(128) + b"DICM", Kind.DICOM),
        (b"II*\x00" + bytes(124) + b"DICM", Kind.DICOM),
        (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", Kind.DICOM),
        (b"\x08\x00\x16\x00\x1a\x00\x00\x001.2.840.10008", Kind.DICOM),
        (b"PK\x03\x04rest", Kind.ZIP),
        (gzip.compress(b"a text", mtime=0), Kind.OTHER),
        (b"\x1f\x8bdamaged", Kind.OTHER),
    ],
)
def test_first_bytes_decide(head, kind):
    assert kind_of(head) is kind


def test_a_file_that_is_gone_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="cannot be opened"):
        sniff(tmp_path / "gone")
