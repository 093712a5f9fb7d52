"""Folders appear whole; deliveries may be repeated."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from medloop.core.errors import ServiceError
from medloop.core.study import Study, StudyUid
from medloop.workflow.dispatch import FolderDestination
from medloop.workflow.folders import STALE_S, fresh_folder
from medloop.workflow.patches import PRIVATE

STUDY = Study(StudyUid("2.25.1"), "eyes", ())


def products_in(folder: Path, text: str = "{}") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(text)
    (folder / "sr.dcm").write_bytes(b"\0" * 500_000)
    return folder


def contents(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_delivery_holds_every_file_but_what_the_reading_page_alone_needs(tmp_path):
    products = products_in(tmp_path / "retina")
    for name in PRIVATE:
        (products / name).write_bytes(b"boxes")
    FolderDestination(tmp_path / "out").send(STUDY, products)
    assert contents(tmp_path / "out") == [
        "2.25.1",
        "2.25.1/retina",
        "2.25.1/retina/result.json",
        "2.25.1/retina/sr.dcm",
    ]


def test_a_second_delivery_replaces_the_first(tmp_path):
    out = FolderDestination(tmp_path / "out")
    out.send(STUDY, products_in(tmp_path / "retina", "old"))
    (tmp_path / "out" / "2.25.1" / "retina" / "stray.txt").touch()
    out.send(STUDY, products_in(tmp_path / "retina", "new"))
    delivered = tmp_path / "out" / "2.25.1" / "retina"
    assert contents(delivered) == ["result.json", "sr.dcm"]
    assert (delivered / "result.json").read_text() == "new"
    assert contents(delivered.parent) == ["retina", "retina/result.json", "retina/sr.dcm"]


def test_a_study_named_like_a_path_stays_inside(tmp_path):
    evil = Study(StudyUid("../../evil"), "evil", ())
    FolderDestination(tmp_path / "a" / "out").send(evil, products_in(tmp_path / "retina"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "retina"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["out"]


def test_a_full_disk_is_a_service_error_and_leaves_the_old_delivery(tmp_path, request):
    out = FolderDestination(tmp_path / "out")
    out.send(STUDY, products_in(tmp_path / "retina", "old"))
    products = products_in(tmp_path / "retina", "new")
    request.getfixturevalue("small_files")
    with pytest.raises(ServiceError, match="File too large"):
        out.send(STUDY, products)
    delivered = tmp_path / "out" / "2.25.1"
    assert contents(delivered) == ["retina", "retina/result.json", "retina/sr.dcm"]
    assert (delivered / "retina" / "result.json").read_text() == "old"


def test_a_message_about_a_full_disk_names_no_folder(tmp_path):
    (tmp_path / "DOE^JOHN").write_text("a file where a folder should be")
    with pytest.raises(ServiceError) as caught:
        FolderDestination(tmp_path / "DOE^JOHN").send(STUDY, products_in(tmp_path / "retina"))
    assert "DOE" not in str(caught.value)


def test_a_failure_inside_leaves_nothing(tmp_path):
    def fail():
        with fresh_folder(tmp_path / "retina") as part:
            (part / "half").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert contents(tmp_path) == []


def test_a_failure_inside_leaves_no_empty_folder_above_either(tmp_path):
    with pytest.raises(ZeroDivisionError), fresh_folder(tmp_path / "study" / "retina"):
        raise ZeroDivisionError
    assert contents(tmp_path) == []


def test_a_killed_writer_leaves_no_visible_folder_and_is_swept_up_later(tmp_path):
    script = """
        import os, signal, sys
        from pathlib import Path
        from medloop.workflow.folders import fresh_folder
        with fresh_folder(Path(sys.argv[1])) as part:
            (part / "half").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    """
    folder = tmp_path / "retina"
    command = [sys.executable, "-c", textwrap.dedent(script), folder]
    ended = subprocess.run(command, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not folder.exists()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".")
    long_ago = time.time() - STALE_S - 1
    os.utime(left, (long_ago, long_ago))
    with fresh_folder(folder):
        pass
    assert contents(tmp_path) == ["retina"]


def test_a_folder_moved_away_by_a_killed_writer_comes_back(tmp_path):
    products_in(tmp_path / ".retina.0123abcd.old", "old")
    with pytest.raises(ZeroDivisionError), fresh_folder(tmp_path / "retina"):
        raise ZeroDivisionError
    assert (tmp_path / "retina" / "result.json").read_text() == "old"
