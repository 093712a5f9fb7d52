import io
import stat
import zipfile

import pytest

from medloop.core.errors import InputError
from medloop.files.zips import Limits, unpack


def a_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_nested_folders_come_out_as_they_went_in(tmp_path, folder):
    path = a_zip(tmp_path / "z.zip", {"a/b/one": b"1", "two": b"22"})
    found = unpack(path, folder)
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in found.files} == {
        "a/b/one": b"1",
        "two": b"22",
    }
    assert found.problems == ()


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "..\\evil"]
)
def test_a_zip_that_climbs_out_is_refused_and_writes_nothing(tmp_path, folder, name):
    path = a_zip(tmp_path / "z.zip", {"good": b"1", name: b"2"})
    with pytest.raises(InputError, match="outside its folder"):
        unpack(path, folder)
    assert not list(folder.iterdir())
    assert not (tmp_path / "evil").exists()


def test_links_are_refused(tmp_path, folder):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="a link or a device"):
        unpack(tmp_path / "z.zip", folder)


@pytest.mark.slow
def test_a_bomb_stops_by_its_directory(tmp_path, folder):
    path = a_zip(tmp_path / "z.zip", {str(n): bytes(34 << 20) for n in range(2)})
    with pytest.raises(InputError, match=r"unpacks to 0.07 GB from 0.07 MB"):
        unpack(path, folder)
    assert not list(folder.iterdir())


def test_a_bomb_that_lies_about_its_size_stops_too(tmp_path, folder):
    path = a_zip(tmp_path / "z.zip", {"a": bytes(5 << 20)})
    data = path.read_bytes().replace(
        (5 << 20).to_bytes(4, "little"), (10).to_bytes(4, "little")
    )
    path.write_bytes(data)
    found = unpack(path, folder)
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) <= 10
    assert len(found.files) + len(found.problems) == 1


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(members=1), "zip holds 2 files; the limit is 1"),
        (Limits(size_bytes=3), "the limit is 0.00 GB"),
    ],
)
def test_limits_hold(tmp_path, folder, limits, reason):
    path = a_zip(tmp_path / "z.zip", {"a": b"12", "b": b"34"})
    with pytest.raises(InputError, match=reason):
        unpack(path, folder, limits=limits)


def test_a_damaged_member_leaves_the_others(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("bad", b"broken broken")
        archive.writestr("good", b"fine")
    data = (tmp_path / "z.zip").read_bytes().replace(b"broken broken", b"brXken broken")
    (tmp_path / "z.zip").write_bytes(data)
    found = unpack(tmp_path / "z.zip", folder)
    assert [p.name for p in found.files] == ["good"]
    assert found.problems == (("bad", "damaged in the zip: checksum does not fit"),)
    assert not (folder / "bad").exists()


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_truncated_zip_is_one_line(tmp_path, folder, share):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", bytes(range(256)) * 20)
    data = buffer.getvalue()
    (tmp_path / "z.zip").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match="zip cannot be read"):
        unpack(tmp_path / "z.zip", folder)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_would_unpack_at_once_is_not_unpacked(tmp_path, folder, method):
    """A thousand bytes of bzip2 hold gigabytes, whatever the directory says of them."""
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("plain", b"1")
        archive.writestr("dense", bytes(1 << 20), compress_type=method)
    found = unpack(tmp_path / "z.zip", folder)
    assert [path.name for path in found.files] == ["plain"]
    assert found.problems == (("dense", "is packed by another method than Deflate"),)


def test_a_directory_that_would_fill_memory_is_not_read(tmp_path, folder):
    path = a_zip(tmp_path / "z.zip", {"one": b"1"})
    whole = path.read_bytes()
    start, end = whole.index(b"PK\x01\x02"), whole.index(b"PK\x05\x06")
    size = 33 << 20
    tail = bytearray(whole[end:])
    tail[12:16] = size.to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(whole[:start])
        file.truncate(start + size)
        file.seek(start + size)
        file.write(tail)
    with pytest.raises(InputError, match="directory of more than 32 MiB"):
        unpack(path, folder)
