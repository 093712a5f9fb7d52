"""Clients that say nothing are let go; those that are merely slow are not."""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn

from medloop.apps.web.patience import PatientProtocol
from tests.peers import LOOPBACK, free_port, wait_until

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n"
LIMIT_S = 1.5  # far above the pauses of a drip, even on a busy machine
DRIP_S = 0.05


async def echo(scope, receive, send):
    body = b""
    if scope["method"] == "GET":
        await asyncio.sleep(1.5 * LIMIT_S)
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"got " + body})


class Hurried(PatientProtocol):
    headers_s = LIMIT_S
    body_s = LIMIT_S


@pytest.fixture(scope="module")
def port():
    number = free_port()
    options = uvicorn.Config(
        echo, port=number, http=Hurried, log_level="error", lifespan="off", timeout_keep_alive=2
    )
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    yield number
    server.should_exit = True
    thread.join()


@contextmanager
def connected(port):
    with socket.create_connection((LOOPBACK, port), timeout=5) as connection:
        yield connection


def drip(connection, data):
    """Send byte by byte; False if the server hangs up meanwhile."""
    for byte in data:
        try:
            connection.sendall(bytes([byte]))
        except OSError:
            return False
        time.sleep(DRIP_S)
    return True


def is_let_go(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("begin", [b"", b"POST / HTTP", REQUEST, REQUEST + b"ab"])
def test_who_stops_in_the_middle_of_a_request_is_let_go(port, begin):
    with connected(port) as connection:
        connection.sendall(begin)
        assert is_let_go(connection)


def test_headers_that_drip_are_not_waited_for(port):
    with connected(port) as connection:
        drip(connection, REQUEST[:40])
        assert is_let_go(connection)


def test_a_body_that_drips_is_taken_and_the_connection_kept(port):
    with connected(port) as connection:
        for _ in range(2):
            connection.sendall(REQUEST)
            assert drip(connection, b"abcd" * 10)
            assert b"got abcdabcd" in connection.recv(1000)


def test_an_answer_may_take_longer_than_a_request(port):
    with connected(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in connection.recv(1000)
