"""The page of destinations."""

import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from medloop.apps.probes import probe
from medloop.apps.site import site_of
from medloop.core.record import to_record
from medloop.core.study import SopUid, StudyUid
from medloop.store import Entry, JobState, Kept, end_job
from tests.apps.web.nodes import NOON
from tests.peers import free_port
from tests.store.studies import a_study
from tests.workflow.cases import a_case, a_result

STUDY = StudyUid("1.2.77")
# pynetdicom leaves a socket to the garbage collector that never was connected.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed .*socket:ResourceWarning")


class Answering(BaseHTTPRequestHandler):
    """Answers 200 to those with the token, else 401."""

    def do_GET(self):
        is_known = self.headers.get("Authorization") == "Bearer open"
        self.send_response(200 if is_known else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}/dicom-web"
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def site(tmp_path, server):
    """A PACS that is away, a server that knows us and one that does not, a folder."""
    (tmp_path / "token").write_text("open\n", encoding="utf-8")
    web = {"kind": "dicomweb", "url": server}
    away = {"host": "127.0.0.1", "port": free_port(), "ae_title": "PACS"}
    described = [
        {"kind": "dicom", "name": "pacs", "timeout_s": 1.0, **away},
        {"name": "web", "secret_file": "token", **web},
        {"name": "strange", **web},
        {"kind": "hl7", "name": "ris", "host": "127.0.0.1", "port": away["port"]},
        {"kind": "folder", "name": "share", "path": str(tmp_path)},
        {"kind": "folder", "name": "gone", "path": str(tmp_path / "gone")},
    ]
    return site_of({"destination": described}, tmp_path)


@pytest.fixture
def failed(store, tmp_path):
    """A store whose one job did not reach `pacs`, but `share`."""
    store.receive(a_study(tmp_path / "files", STUDY), now=NOON)
    store.jobs.add(STUDY, "retina", (SopUid("1.2.77.1"),), now=NOON)
    job = store.jobs.claim("w1", ["retina"], now=NOON)
    case = a_case()
    kept = Kept(job.id, "f", (), to_record(a_result(case), case.study, "eye"), NOON)
    entry = Entry(NOON, "keeper", "delivered", STUDY, {})
    end_job(store, job, JobState.SENDING, entry, kept=kept, destinations=("pacs", "share"))
    claimed = store.deliveries.claim("keeper", "pacs", now=NOON)
    store.deliveries.fail(claimed, "pacs does not answer", entry)
    store.deliveries.complete(store.deliveries.claim("keeper", "share", now=NOON), entry)
    return job.id


@pytest.mark.parametrize(
    ("name", "is_well", "said"),
    [
        ("pacs", False, "does not answer at 127.0.0.1"),
        ("web", True, "HTTP 200"),
        ("strange", False, "refuses us (HTTP 401)"),
        ("ris", False, "cannot be reached: connection refused"),
        ("share", True, ""),
        ("gone", False, "no folder that can be written"),
    ],
)
def test_each_kind_is_asked_in_its_own_way(site, tmp_path, name, is_well, said):
    (described,) = [each for each in site.destinations if each.name == name]
    answer = probe(described, site, tmp_path)
    assert answer.is_well is is_well
    assert said in answer.said


def test_the_answer_stands_beside_the_destination(chief, deeds):
    text = chief.done("/destinations/probe", name="web")
    assert re.search(r"answers \(HTTP, .*HTTP 200", text, re.DOTALL)
    assert "does not answer as it should" in chief.done("/destinations/probe", name="strange")
    assert deeds() == [("destination asked", "web"), ("destination asked", "strange")]
    assert chief.send("/destinations/probe", name="nobody").status_code == 404


def test_what_failed_stands_there_and_is_sent_again(store, failed, chief, deeds):
    text = chief.page("/destinations")
    assert "pacs does not answer" in text
    assert "Send all 1 again" in text
    (delivery,) = store.deliveries.failed("pacs", limit=9)
    assert "It is sent again." in chief.done("/destinations/retry", delivery=delivery.id)
    assert store.jobs.get(failed).state is JobState.SENDING
    assert deeds()[-1] == ("delivery retried", "pacs")
    assert chief.send("/destinations/retry", delivery=delivery.id).status_code == 400


def test_all_that_failed_is_sent_again_at_once(store, failed, chief):
    chief.done("/destinations/retry", name="pacs")
    assert store.deliveries.failed("pacs", limit=9) == ()
    assert chief.send("/destinations/retry", name="nobody").status_code == 404


def test_a_destination_that_settings_no_longer_name_is_still_shown(store, failed, chief, node):
    store.deliveries.abandon((), now=NOON)
    with store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET destination = 'old' WHERE id = 1")
    text = chief.page("/destinations")
    assert "no longer in the settings file" in text


def test_a_reader_looks_and_sends_nothing(failed, reader):
    assert "Send again" not in reader.page("/destinations")
    assert reader.send("/destinations/retry", name="pacs").status_code == 403
