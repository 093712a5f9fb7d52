"""The archive keeps bytes by their hash: whole, once, and checked."""

import hashlib
import os
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError, ServiceError
from medloop.store.archive import CHUNK, STALE_S, Archive
from tests.store.conftest import wait_for


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_bytes_come_back_as_they_went_in(tmp_path, content):
    archive = Archive(tmp_path)
    assert archive.read(archive.put(content)) == content


def test_a_file_is_named_by_its_hash_and_cannot_be_written(tmp_path):
    content = os.urandom(CHUNK + 17)
    source = tmp_path / "scan.dcm"
    source.write_bytes(content)
    archive = Archive(tmp_path / "archive")
    digest = archive.put(source)
    assert digest == hashlib.sha256(content).hexdigest()
    assert files(archive.root) == [f"{digest[:2]}/{digest[2:]}"]
    assert stat.S_IMODE(archive.path(digest).stat().st_mode) == 0o444
    assert source.exists()


def test_the_same_bytes_are_kept_once(tmp_path):
    archive = Archive(tmp_path)
    first = archive.put(b"scan")
    kept = archive.path(first).stat()
    assert archive.put(b"scan") == first
    assert archive.path(first).stat().st_ino == kept.st_ino
    assert len(files(tmp_path)) == 1


def test_damage_is_found_on_reading(tmp_path):
    archive = Archive(tmp_path)
    digest = archive.put(b"scan")
    archive.path(digest).chmod(0o644)
    archive.path(digest).write_bytes(b"scam")
    with pytest.raises(InputError, match="damaged"):
        archive.read(digest)


def test_a_truncated_file_is_healed_by_putting_it_again(tmp_path):
    archive = Archive(tmp_path)
    digest = archive.put(b"scan")
    archive.path(digest).chmod(0o644)
    archive.path(digest).write_bytes(b"sc")
    archive.put(b"scan")
    assert archive.read(digest) == b"scan"


def test_what_was_never_kept_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="lacks"):
        Archive(tmp_path).read("0" * 64)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "0" * 63, "G" * 64, "0" * 64 + "\n"])
def test_a_name_that_is_no_hash_is_misuse(tmp_path, name):
    with pytest.raises(ValueError, match="not a SHA-256"):
        Archive(tmp_path).path(name)


def test_a_missing_source_is_bad_input_and_names_no_path(tmp_path):
    with pytest.raises(InputError) as caught:
        Archive(tmp_path).put(tmp_path / "DOE^JOHN.dcm")
    assert "DOE" not in str(caught.value)


def test_a_full_disk_is_a_service_error_and_leaves_nothing(tmp_path, small_files):
    with pytest.raises(ServiceError, match="File too large"):
        Archive(tmp_path).put(bytes(200_000))
    assert files(tmp_path) == []


def test_a_writer_killed_halfway_leaves_no_object(tmp_path):
    script = """
        import sys
        from pathlib import Path
        from medloop.store.archive import Archive
        Archive(Path(sys.argv[1])).put(Path("/dev/stdin"))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as writer:
        assert writer.stdin
        writer.stdin.write(bytes(2 * CHUNK + 5))
        writer.stdin.flush()
        wait_for(lambda: any(path.stat().st_size for path in tmp_path.glob("incoming/*")))
        writer.kill()
    (left,) = files(tmp_path)
    assert left.startswith("incoming/")
    archive = Archive(tmp_path)
    archive.sweep()
    assert files(tmp_path) == [left]  # it might belong to a writer at work
    long_ago = time.time() - STALE_S - 1
    os.utime(tmp_path / left, (long_ago, long_ago))
    archive.sweep()
    assert files(tmp_path) == []
