"""A node that speaks DICOMweb, with objects of many kinds; and the same over a real socket."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from pydicom.uid import JPEGLSLossless, RLELossless

from medloop.apps.web import dicomweb
from medloop.apps.web.context import make_context
from medloop.store.spool import Spool
from medloop.workflow.reception import Reception
from tests.apps.web.nodes import Node, node_of
from tests.dicom.web import objects
from tests.peers import free_port

ALL = {
    "CT 1": objects.in_file(objects.ct(1)),
    "CT 2": objects.in_file(objects.ct(2)),
    "CT 3, RLE": objects.in_file(objects.compressed(objects.ct(3), RLELossless)),
    "CT 4, JPEG-LS": objects.in_file(objects.compressed(objects.ct(4), JPEGLSLossless)),
    "CT 5, implicit": objects.in_file(objects.ct(5), "1.2.840.10008.1.2"),
    "photograph": objects.in_file(objects.photograph()),
    "frames": objects.in_file(objects.many_frames()),
    "masks": objects.in_file(objects.masks()),
    "report": objects.in_file(objects.report()),
    "other": objects.in_file(
        objects.another_study(
            1,
            PatientName="Meier^Änne",
            PatientID="P_2",
            StudyDate="20251231",
            StudyTime="235959",
            AccessionNumber="a100",
            StudyDescription="Brain [contrast]",
        )
    ),
}


@pytest.fixture
def reception(store, tmp_path, clock) -> Reception:
    return Reception(store, Spool(tmp_path / "spool", reserve_bytes=0), now=clock)


@pytest.fixture
def web(store, site, clock, reception) -> Node:
    """The node with nothing in it."""
    context = make_context(store, site, reception, now=clock)
    return node_of(context, clock, (dicomweb.router,))


@pytest.fixture
def filled(web, reception) -> Node:
    """The node with everything in it."""
    reception.store_now(tuple(ALL.values()), "test")
    return web


@dataclass(frozen=True)
class Served:
    """A node behind a socket."""

    node: Node
    url: str


@pytest.fixture
def served(filled) -> Iterator[Served]:
    """The node at a port of this machine."""
    port = free_port()
    options = uvicorn.Config(filled.app, port=port, log_level="error", lifespan="off")
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run)
    thread.start()
    ends = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < ends, "the server did not start"
        time.sleep(0.01)
    yield Served(filled, f"http://127.0.0.1:{port}/dicom-web")
    server.should_exit = True
    thread.join()
