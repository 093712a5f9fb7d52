"""A node says at once that it cannot listen, instead of trying for ever."""

import socket

import pytest

from medloop.apps.console import UsageError
from medloop.apps.ports import require_free
from tests.nodes import Node
from tests.peers import LOOPBACK


class Time:
    """A clock that goes on when somebody sleeps."""

    def __init__(self, act=lambda: None):
        self.now, self.act = 0.0, act

    def clock(self):
        return self.now

    def sleep(self, span):
        self.now += span
        self.act()


@pytest.fixture
def taken():
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        held.listen()
        yield held


def test_a_port_that_stays_taken_is_named_with_what_to_do(taken):
    time = Time()
    port = taken.getsockname()[1]
    with pytest.raises(UsageError, match=rf"{port}: in use; .*\[web\] port"):
        require_free("web", LOOPBACK, port, patience_s=5, clock=time.clock, sleep=time.sleep)
    assert time.now == pytest.approx(5, abs=0.5)


def test_a_port_that_becomes_free_is_taken(taken):
    time = Time(act=taken.close)
    port = taken.getsockname()[1]
    require_free("web", LOOPBACK, port, patience_s=5, clock=time.clock, sleep=time.sleep)
    assert time.now < 1


def test_an_address_of_another_machine_is_refused_at_once():
    with pytest.raises(UsageError, match="this machine has no such address"):
        require_free("dicom", "192.0.2.1", 11112)


@pytest.mark.slow
def test_a_node_whose_port_is_taken_ends_with_one_line(tmp_path, taken):
    node = Node(tmp_path, web_port=taken.getsockname()[1])
    node.write_settings()
    said = node.run("serve")
    assert said.returncode == 2
    assert f"cannot listen at {LOOPBACK}:{node.web_port}" in said.stderr.splitlines()[-1]
    assert "Traceback" not in said.stderr
