"""What dies is started again, what is to stop is asked, nobody outlives the supervisor."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Self

import pytest

from medloop.apps.supervisor import Child, supervise
from tests.store.conftest import wait_for

LIVE = """
    import os, sys, time
    from pathlib import Path
    from medloop.apps.supervisor import stop_with_supervisor
    stop_with_supervisor(1.0)
    (Path(sys.argv[1]) / str(os.getpid())).write_text(sys.argv[2])
    time.sleep(60)
"""


def python(code: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-c", textwrap.dedent(code), *map(str, arguments))


class Watched:
    """A supervisor in a thread, and what it was told."""

    def __init__(self, *children: Child, grace_s: float = 10.0) -> None:
        self.stop = threading.Event()
        self.died: list[tuple[str, str]] = []
        self.stopped: list[str] = []
        self.thread = threading.Thread(
            target=supervise,
            args=(children,),
            kwargs={
                "stop": self.stop,
                "died": lambda life, how: self.died.append((life, how)),
                "stopped": lambda life, _how: self.stopped.append(life),
                "grace_s": grace_s,
            },
        )

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()


def lives(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.read_text()]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_a_killed_child_is_started_again_under_another_name(tmp_path):
    child = Child("one", lambda life: python(LIVE, tmp_path, life))
    with Watched(child) as watched:
        wait_for(lambda: lives(tmp_path))
        (first,) = lives(tmp_path)
        name = (tmp_path / str(first)).read_text()
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: len(lives(tmp_path)) == 2)
        assert watched.died == [(name, "killed by signal 9")]
    assert len({(tmp_path / str(pid)).read_text() for pid in lives(tmp_path)}) == 2
    assert not any(is_alive(pid) for pid in lives(tmp_path))
    assert watched.stopped == []


@pytest.mark.slow
def test_what_dies_at_once_is_started_less_and_less_often(tmp_path):
    child = Child("one", lambda _life: python("raise SystemExit(7)"))
    with Watched(child) as watched:
        wait_for(lambda: len(watched.died) == 3)
        time.sleep(0.3)
        assert len(watched.died) == 3
    assert {how for _, how in watched.died} == {"ended with exit code 7"}


@pytest.mark.slow
def test_the_supervisor_is_done_when_all_finite_children_are():
    child = Child("one", lambda _life: python("pass"), is_finite=True)
    with Watched(child, child) as watched:
        watched.thread.join(timeout=20)
        assert not watched.thread.is_alive()
    assert watched.died == []


@pytest.mark.slow
def test_a_finite_child_that_cannot_do_its_work_is_given_up():
    child = Child("one", lambda _life: python("raise SystemExit(3)"), is_finite=True)
    died = []
    given_up = supervise(
        [child],
        stop=threading.Event(),
        died=lambda life, how: died.append((life, how)),
        stopped=pytest.fail,
    )
    assert given_up == 1
    assert len(died) == 3


@pytest.mark.slow
def test_what_does_not_stop_in_time_is_killed(tmp_path):
    deaf = """
        import os, signal, sys, time
        from pathlib import Path
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (Path(sys.argv[1]) / str(os.getpid())).write_text("deaf")
        time.sleep(60)
    """
    child = Child("one", lambda _life: python(deaf, tmp_path))
    with Watched(child, grace_s=0.2) as watched:
        wait_for(lambda: lives(tmp_path))
    assert len(watched.stopped) == 1
    assert not is_alive(lives(tmp_path)[0])


@pytest.mark.slow
def test_children_end_when_their_supervisor_is_killed(tmp_path):
    keep = f"""
        import sys, threading
        from medloop.apps.supervisor import Child, supervise
        command = (sys.executable, "-c", {textwrap.dedent(LIVE)!r}, sys.argv[1], "x")
        supervise([Child("one", lambda _: command)], stop=threading.Event(),
                  died=print, stopped=print)
    """
    supervisor = subprocess.Popen(python(keep, tmp_path))
    try:
        wait_for(lambda: lives(tmp_path))
    finally:
        supervisor.kill()
        supervisor.wait()
    (orphan,) = lives(tmp_path)
    wait_for(lambda: not is_alive(orphan))
