"""Every route of the application, walked by those who may not; and what a walk leaves."""

import io
import re
from dataclasses import replace

import pytest
from fastapi.routing import APIRoute

from medloop.apps.logs import node_logging
from medloop.apps.web.app import PUBLIC
from medloop.apps.web.security import GRANTS, Guard
from medloop.store.users import Role
from tests.apps.web.nodes import AWAY, node_of
from tests.store.studies import a_study

STUDY = "1.2.840.99999.1.22222222"
PLANTED = ("Wang", "王", "P1-secret", "19600101", STUDY)
EMPTY = re.compile(
    rb"\A(?!.*(Wang|\xe7\x8e\x8b|P1-secret|19600101|1\.2\.840\.99999))", re.DOTALL
)


def guarded_routes(app):
    """Every route that asks who is there: its methods, path and permission."""
    for route in app.router.routes:
        if isinstance(route, APIRoute):
            guards = [d.call for d in route.dependant.dependencies if isinstance(d.call, Guard)]
            for method in sorted(route.methods) if guards else ():
                yield method, route.path, guards[0].permission


def filled(path):
    """Put the planted study wherever an address has a place for it."""
    return re.sub(r"\{[^}]*\}", STUDY, path)


@pytest.fixture
def node(context, clock, store, tmp_path):
    study = a_study(tmp_path / "files", STUDY)
    patient = replace(study.patient, identifier="P1-secret")
    store.receive(replace(study, patient=patient), now=clock())
    node = node_of(context, clock)
    node.context.users.add("somebody", Role.ADMINISTRATOR, now=clock())
    return node


def test_all_routes_but_the_public_ones_ask_who_is_there(node):
    routes = [route.path for route in node.app.router.routes]
    asking = {path for _, path, _ in guarded_routes(node.app)}
    assert set(routes) - asking <= PUBLIC
    assert len(asking) > 5


@pytest.mark.parametrize("credentials", [{}, {"Authorization": "Bearer medloop_no"}])
@pytest.mark.parametrize("at", [AWAY, ("127.0.0.1", 5000)])
def test_nobody_gets_a_byte_without_credentials(node, credentials, at):
    client = node.client(at=at, **credentials)
    for method, path, _ in guarded_routes(node.app):
        answer = client.request(method, filled(path), content=b"x")
        assert answer.status_code == 401, f"{method} {path}"
        assert EMPTY.match(answer.content), f"{method} {path}"


@pytest.mark.parametrize("role", Role)
def test_a_role_that_is_too_low_gets_no_byte(node, role):
    client = node.program(role)
    for method, path, permission in guarded_routes(node.app):
        if permission not in GRANTS[role]:
            answer = client.request(method, filled(path), content=b"x")
            assert answer.status_code == 403, f"{method} {path}"
            assert EMPTY.match(answer.content), f"{method} {path}"


def test_public_routes_say_nothing_of_patients(node):
    client = node.client(at=AWAY)
    for path in PUBLIC:
        for answer in (client.get(path), client.get(path, params={"next": STUDY})):
            assert answer.status_code != 500
            assert EMPTY.match(answer.content.replace(STUDY.encode(), b""))


def test_a_walk_leaves_no_patient_in_logs_or_metrics(node, tmp_path):
    out = io.StringIO()
    with node_logging(tmp_path / "logs", out):
        client = node.program(Role.ADMINISTRATOR)
        for method, path, _ in guarded_routes(node.app):
            query = {"PatientName": "Wang^Fang=王^芳", "PatientID": "P1-secret", "next": STUDY}
            client.request(method, filled(path), params=query, content=b"Wang P1-secret")
            client.request(method, filled(path))
        node.client(at=AWAY).post("/login", data={"name": "Wang", "password": "P1-secret"})
        metrics = client.get("/metrics").text
    assert out.getvalue().count("\n") > 10
    assert "/studies" in out.getvalue()
    for name in PLANTED:
        assert name not in out.getvalue()
        assert name not in metrics
