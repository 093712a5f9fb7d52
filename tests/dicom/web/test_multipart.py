"""What is put into parts comes out of them, however the body is cut on its way."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.dicom.web.multipart import (
    Part,
    PartsToFiles,
    TooLargeError,
    boundary_of,
    join_parts,
)

pytest.importorskip("python_multipart")
KIND = "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"


@settings(max_examples=50, deadline=None)
@given(
    contents=st.lists(st.binary(max_size=200), min_size=1, max_size=4),
    cut=st.integers(min_value=1, max_value=64),
)
def test_parts_come_back_as_they_were(contents, cut):
    parts = (Part({"Content-Type": KIND}, [content]) for content in contents)
    body = b"".join(join_parts(parts, "between"))
    with tempfile.TemporaryDirectory() as folder:
        files = PartsToFiles(Path(folder), "between", 1 << 20)
        for start in range(0, len(body), cut):
            files.feed(body[start : start + cut])
        files.close()
        assert [path.read_bytes() for path in files.files] == contents
        assert files.types == [KIND] * len(contents)


def test_a_body_over_the_limit_ends_at_once(tmp_path):
    files = PartsToFiles(tmp_path, "between", 100)
    with pytest.raises(TooLargeError):
        files.feed(b"--between\r\n\r\n" + b"x" * 100)


def test_a_body_that_was_cut_off_is_said_to_be(tmp_path):
    files = PartsToFiles(tmp_path, "between", 1 << 20)
    files.feed(b"--between\r\n\r\nhalf")
    with pytest.raises(InputError, match="cut off"):
        files.close()


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ('multipart/related; boundary="a b"', "a b"),
        ("multipart/related; boundary=ab; type=x", "ab"),
        ('multipart/related; type="application/dicom"; BOUNDARY=x-y_z', "x-y_z"),
    ],
)
def test_the_boundary_is_found(kind, boundary):
    assert boundary_of(kind) == boundary


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/related",
        "multipart/related; boundary=",
        'a/b; boundary="a\r\nb"',
        "boundary=é",
    ],
)
def test_without_a_boundary_there_are_no_parts(kind):
    with pytest.raises(InputError, match="boundary"):
        boundary_of(kind)
