"""systemd hears that we are ready and, every ten seconds, that we live."""

import socket
import threading

import pytest

from medloop.apps import systemd
from medloop.apps.supervisor import Child, supervise
from medloop.apps.systemd import Beat


@pytest.fixture
def heard(tmp_path, monkeypatch):
    place = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(place)
        listener.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", place)
        yield listener


def test_the_first_sign_of_life_says_that_we_are_ready(heard, monkeypatch):
    now = 100.0
    monkeypatch.setattr(systemd.time, "monotonic", lambda: now)
    beat = Beat()
    beat.alive()
    beat.alive()
    now = 111.0
    beat.alive()
    assert [heard.recv(100), heard.recv(100)] == [b"READY=1\nWATCHDOG=1", b"WATCHDOG=1"]
    heard.setblocking(False)
    with pytest.raises(BlockingIOError):
        heard.recv(100)


def test_a_supervisor_tells_it(heard):
    stop = threading.Event()
    child = Child("nap", lambda _life: ("sleep", "30"))
    silent = {"died": lambda *_: None, "stopped": lambda *_: None}
    thread = threading.Thread(
        target=supervise, args=([child],), kwargs={"stop": stop, **silent}
    )
    thread.start()
    try:
        assert heard.recv(100) == b"READY=1\nWATCHDOG=1"
    finally:
        stop.set()
        thread.join()


def test_without_systemd_nothing_happens(monkeypatch, tmp_path):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Beat().alive()
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "absent"))
    Beat().alive()
