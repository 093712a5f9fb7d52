"""What clients are told when something is wrong, and what no answer lacks."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from medloop.apps.site import Site, WebSettings
from medloop.apps.web.context import make_context
from medloop.apps.web.headers import CONTENT_POLICY
from medloop.apps.web.limits import allow_large_body
from medloop.apps.web.security import Permission, require
from medloop.core.errors import InputError, ServiceError, UnsuitableError
from tests.apps.web.nodes import NoInlet, node_of

FAULTS = {
    "input": InputError("slice gap 3 mm exceeds 2 mm"),
    "unsuitable": UnsuitableError("no CT here"),
    "service": ServiceError("disk is full"),
    "bug": RuntimeError("Zhang^Wei"),
}
MEGABYTE = 1 << 20


class Body(BaseModel):
    number: int


def failing(_context):
    routes = APIRouter(dependencies=[])
    may = Depends(require(Permission.READ))

    @routes.get("/fails/{how}")
    def fails(how: str, _who: Annotated[object, may]) -> None:
        raise FAULTS[how]

    @routes.post("/json")
    def takes(body: Body, _who: Annotated[object, may]) -> int:
        return body.number

    @routes.post("/raw")
    async def raw(request: Request, _who: Annotated[object, may]) -> int:
        return len(await request.body())

    @routes.post("/large", dependencies=[Depends(allow_large_body(2))])
    async def large(request: Request, _who: Annotated[object, may]) -> int:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
        return size

    return routes


@pytest.fixture
def node(store, clock):
    site = Site(web=WebSettings(max_body_mb=1))
    return node_of(make_context(store, site, NoInlet(), now=clock), clock, (failing,))


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ("input", 400, "slice gap 3 mm exceeds 2 mm"),
        ("unsuitable", 422, "no CT here"),
        ("service", 503, "disk is full"),
        ("bug", 500, "something went wrong here (incident "),
    ],
)
def test_an_error_says_what_is_wrong_and_what_to_do(node, how, status, said):
    answer = node.client().get(f"/fails/{how}")
    assert answer.status_code == status
    told = answer.json()
    assert told["error"].startswith(said)
    assert told["advice"]
    page = node.client(Accept="text/html").get(f"/fails/{how}")
    assert page.status_code == status
    assert page.headers["content-type"].startswith("text/html")
    assert said in page.text


def test_a_bug_is_logged_by_its_incident_without_values(node, caplog):
    answer = node.client().get("/fails/bug")
    incident = answer.json()["error"].split()[-1].strip("()")
    (record,) = [each for each in caplog.records if "incident" in each.getMessage()]
    assert incident in record.getMessage()
    assert "GET /fails/{how}" in record.getMessage()
    assert "Zhang" not in answer.text + record.getMessage()


def test_a_value_that_is_refused_is_not_repeated(node):
    answer = node.client().post("/json", json={"number": "Zhang^Wei"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("body.number: ")
    assert "Zhang" not in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"]
)
def test_an_address_that_is_none_is_told_as_such(node, path):
    answer = node.client().get(path)
    assert answer.status_code == 404
    assert "worklist" in answer.json()["advice"]


def test_a_page_of_an_error_runs_no_markup_from_the_request(node):
    page = node.client(Accept="text/html").get("/fails/<script>")
    assert "<script>" not in page.text


@pytest.mark.parametrize("path", ["/fails/bug", "/nowhere", "/healthz", "/fails/input"])
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_no_answer_lacks_safe_headers(node, path, accept):
    headers = node.client(Accept=accept).get(path).headers
    assert headers["content-security-policy"] == CONTENT_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in headers


def test_the_policy_allows_no_inline_script_and_no_frame():
    rules = dict(rule.split(" ", 1) for rule in CONTENT_POLICY.split("; "))
    assert rules["script-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert "unsafe" not in CONTENT_POLICY


def in_pieces(size):
    """A body that does not say how long it is."""
    yield from (bytes(100_000) for _ in range(size // 100_000))


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_refused(node, announced):
    client = node.client()
    content = bytes(2 * MEGABYTE) if announced else in_pieces(2 * MEGABYTE)
    answer = client.post("/raw", content=content)
    assert answer.status_code == 413
    assert "larger than 1 MB" in answer.json()["error"]
    assert client.post("/raw", content=bytes(MEGABYTE)).json() == MEGABYTE


def test_json_that_is_too_large_is_refused(node):
    content = b'{"number": 1, "more": "' + bytes(2 * MEGABYTE) + b'"}'
    headers = {"Content-Type": "application/json"}
    assert node.client().post("/json", content=content, headers=headers).status_code == 413


def test_an_upload_may_be_larger_up_to_its_own_limit(node):
    client = node.client()
    assert client.post("/large", content=in_pieces(1_800_000)).json() == 1_800_000
    assert client.post("/large", content=in_pieces(3 * MEGABYTE)).status_code == 413
