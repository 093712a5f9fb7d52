"""Keeping processes alive: what dies is started again, what is to stop is asked politely first.

A child learns that its supervisor is gone by the end of its standard input, so that no worker
outlives a killed node and holds its ports or jobs.
"""

import logging
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from medloop.apps.systemd import Beat
from medloop.core.errors import ServiceError

log = logging.getLogger(__name__)

SUPERVISED: Final = "MEDLOOP_SUPERVISED"
GRACE_S: Final = 30.0
GIVEN_UP: Final = 75  # exit code of who ended a run, not its work (EX_TEMPFAIL)
_TRIES: Final = 3
_LOOK_S: Final = 0.1
_STEADY_S: Final = 10.0  # who lived this long is started again at once
_LONGEST_S: Final = 30.0  # for who ends by itself: it will hardly do better at once
_KILLED_S: Final = 2.0  # for who was killed: what it was busy with is not tried again at once


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep alive. `command` makes its command line of the name of one life.

    `is_finite`: exit code 0 means that it has done its work.
    """

    name: str
    command: Callable[[str], Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    is_finite: bool = False


Told = Callable[[str, str], None]  # the name of a life, and how it ended


@dataclass(slots=True)
class _Place:
    """Where a child lives: its process now, or when it is to be started again."""

    child: Child
    life: str = ""
    process: subprocess.Popen[bytes] | None = None
    born: float = 0.0
    due: float = 0.0
    deaths: int = 0
    is_done: bool = False
    is_given_up: bool = False


def supervise(
    children: Sequence[Child],
    *,
    stop: threading.Event,
    died: Told,
    stopped: Told,
    grace_s: float = GRACE_S,
) -> int:
    """Keep all children alive until told to stop, or all that are finite have done their work.

    A child that dies young is started again later and later, half a minute at most. `died` is
    told of each death; `stopped` of each that would not stop within `grace_s` and was killed.
    A finite child that ends by itself without having done its work three times is given up;
    returns how many were. An interruption (KeyboardInterrupt) stops the children too, and goes
    on to the caller.
    """
    places = [_Place(child) for child in children]
    beat = Beat()
    try:
        while not stop.is_set() and not all(place.is_done for place in places):
            for place in places:
                _look(place, died)
            beat.alive()
            stop.wait(_LOOK_S)
    finally:
        _stop(places, stopped, grace_s)
    return sum(place.is_given_up for place in places)


def new_life(name: str) -> str:
    """Name one life of a process so that nobody else is ever called the same."""
    return f"{socket.gethostname()}-{name}-{secrets.token_hex(4)}"


def stop_with_supervisor(grace_s: float = GRACE_S) -> None:
    """In a child: stop politely once the supervisor is gone; without one, do nothing."""
    if os.environ.get(SUPERVISED):
        threading.Thread(target=_wait_for_end, args=(grace_s,), daemon=True).start()


def _wait_for_end(grace_s: float) -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_s)
    os._exit(1)


def _look(place: _Place, died: Told) -> None:
    now = time.monotonic()
    if place.process is None:
        if not place.is_done and now >= place.due:
            _start(place, now)
        return
    code = place.process.poll()
    if code is None:
        return
    _forget(place.process)
    place.process = None
    if code == 0 and place.child.is_finite:
        place.is_done = True
        return
    place.deaths = 1 if now - place.born >= _STEADY_S else place.deaths + 1
    is_hopeless = code > 0 and code != GIVEN_UP and place.deaths >= _TRIES
    place.is_done = place.is_given_up = place.child.is_finite and is_hopeless
    longest = _KILLED_S if code < 0 else _LONGEST_S
    place.due = now + min(0.1 * 2 ** (place.deaths - 1), longest)
    how = f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    log.warning("%s %s, started again in %.1f s", place.child.name, how, place.due - now)
    _tell(died, place.life, how)


def _start(place: _Place, now: float) -> None:
    place.life = new_life(place.child.name)
    environment = {**os.environ, **place.child.environment, SUPERVISED: "1"}
    place.process = subprocess.Popen(  # noqa: S603 (our own commands)
        list(place.child.command(place.life)),
        stdin=subprocess.PIPE,
        env=environment,
        process_group=0,  # a Ctrl-C is for the supervisor, who then asks
    )
    place.born = now


def _stop(places: Sequence[_Place], stopped: Told, grace_s: float) -> None:
    alive = [(place, place.process) for place in places if place.process is not None]
    for _, process in alive:
        process.terminate()
    ends = time.monotonic() + grace_s
    for place, process in alive:
        try:
            process.wait(max(0.0, ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("%s does not stop and is killed", place.child.name)
            process.kill()
            process.wait()
            _tell(stopped, place.life, "did not stop in time")
        _forget(process)
        place.process = None


def _forget(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()


def _tell(told: Told, life: str, how: str) -> None:
    try:
        told(life, how)
    except ServiceError as trouble:  # whoever it concerns finds out by itself, only later
        log.warning("%s %s, which cannot be noted now: %s", life, how, trouble)
