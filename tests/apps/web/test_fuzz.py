"""Malformed requests crash nothing and open nothing."""

import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn

from medloop.apps.web.context import make_context
from medloop.store.spool import Spool
from medloop.store.users import Role
from medloop.workflow.reception import Reception
from tests.apps.web.browser.room import BALLS, a_chest
from tests.apps.web.fuzz import Peer, fuzz, garble
from tests.apps.web.jobs_done import a_ct
from tests.apps.web.nodes import node_of
from tests.dicom.web import objects
from tests.peers import free_port


@contextmanager
def listening(app):
    """Let the application listen on a free port of this machine."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="critical", lifespan="off", access_log=False)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    ends = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < ends, "the server does not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def peer(store, site, clock, tmp_path):
    """A node with one object and one result that is being read, that listens."""
    reception = Reception(store, Spool(tmp_path / "spool", reserve_bytes=0), now=clock)
    scan = objects.ct(1)
    reception.store_now((objects.in_file(scan),), "test")
    node = node_of(make_context(store, site, reception, now=clock), clock)
    token = node.program(Role.ADMINISTRATOR).headers["Authorization"].split()[1]
    job = a_ct(store, tmp_path / "ct", a_chest(4), BALLS[:1], now=clock())
    name = f"a-{Role.ADMINISTRATOR}"
    reading = store.readings.open(job.id, name, now=clock())
    places = {
        "job": str(job.id),
        "number": str(reading.id),
        "model": "lung",
        "study": scan.StudyInstanceUID,
        "series": scan.SeriesInstanceUID,
        "instance": scan.SOPInstanceUID,
    }
    with listening(node.app) as url:
        peer = Peer(url, token, (str(scan.PatientName).encode(),), places)
        with peer.session:
            yield peer


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of schemathesis and what it uses
def test_no_request_breaks_the_node_or_opens_it(peer):
    known = {"Authorization": f"Bearer {peer.token}"}
    description = peer.session.get(f"{peer.url}/api/openapi.json", headers=known).json()
    seen = fuzz(peer, description, requests_wanted=400)
    assert seen.total() >= 300
    assert seen[401] > 50
    assert seen[200] > 50


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of schemathesis and what it uses
def test_what_is_no_http_any_more_breaks_nothing(peer):
    said = garble(peer, count=300)
    assert said.total() > 250
    assert said[b"400"] > 50
    assert b"500" not in said
