"""A web address is told that a result is there, and of nobody whose it is."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

pytest.importorskip("httpx", reason="httpx is not installed")
from medloop.apps.notify.webhook import Webhook
from medloop.core.errors import InputError, ServiceError
from tests.answering import answering
from tests.apps.notify.results import SECRETS, STUDY, a_result_folder
from tests.peers import free_port

OK = (204, "text/plain", b"")


@pytest.fixture
def products(tmp_path):
    return a_result_folder(tmp_path)


def webhook(url, **more) -> Webhook:
    facts = {"hashed": lambda _uid: "study-1f3a", "page": "https://node.example/"} | more
    return Webhook("hook", url, **facts)


def test_a_result_is_told_without_a_word_about_the_patient(products):
    with answering(OK) as server:
        webhook(server.url + "/told").send(STUDY, products)
    (request,) = server.requests
    assert request.path == "/told"
    assert json.loads(request.body) == {
        "event": "result",
        "study": "study-1f3a",
        "analysis": "lung",
        "version": "1.2",
        "state": "done",
        "finished": "2026-03-01T12:30:05+00:00",
        "url": "https://node.example/",
    }
    whole = str(request.headers) + request.body.decode()
    assert [secret for secret in SECRETS if secret in whole] == []


def test_a_request_is_signed_so_that_nobody_else_can_send_it_or_send_it_again(products):
    at = datetime(2026, 3, 1, tzinfo=UTC)
    with answering(OK) as server:
        webhook(server.url, secret="k3y", now=lambda: at).send(STUDY, products)  # noqa: S106
    (request,) = server.requests
    moment = request.headers["x-medloop-timestamp"]
    assert moment == str(int(at.timestamp()))
    signed = hmac.new(b"k3y", moment.encode() + b"." + request.body, hashlib.sha256)
    assert request.headers["x-medloop-signature"] == f"sha256={signed.hexdigest()}"


def test_without_a_secret_nothing_is_signed_and_a_secret_shows_nowhere(products):
    with answering(OK) as server:
        webhook(server.url).send(STUDY, products)
    assert "x-medloop-signature" not in server.requests[0].headers
    assert "k3y" not in repr(webhook("http://x", secret="k3y"))  # noqa: S106


def test_who_is_told_twice_can_know_it(products, tmp_path):
    other = a_result_folder(tmp_path / "other")
    other = other.rename(other.with_name("lung-2"))
    with answering(OK) as server:
        for each in (products, products, other):
            webhook(server.url).send(STUDY, each)
    first, second, third = (each.headers["idempotency-key"] for each in server.requests)
    assert first == second != third


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_address_that_fails_is_told_by_its_status_alone(products, status):
    with (
        answering((status, "text/plain", b"DOE^JOHN")) as server,
        pytest.raises(ServiceError, match=rf"^hook fails \(HTTP {status}\)$"),
    ):
        webhook(server.url).send(STUDY, products)


def test_an_address_that_is_away_is_told(products):
    with pytest.raises(ServiceError, match=r"^hook cannot be reached: connection refused$"):
        webhook(f"http://127.0.0.1:{free_port()}").send(STUDY, products)


def test_a_result_that_is_gone_is_bad(tmp_path):
    with pytest.raises(InputError, match="record of the result"):
        webhook("http://127.0.0.1:1").send(STUDY, tmp_path / "gone")
