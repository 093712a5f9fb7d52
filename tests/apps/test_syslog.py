"""The audit log reaches a repository: by TLS, whole, in order, also after an outage."""

import base64
import re
import socket
import ssl
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import medloop
from medloop.apps.atna import EVENTS, Origin, message
from medloop.apps.site import AuditSettings, SyslogSettings
from medloop.apps.syslog import PLACE, forward, frame
from medloop.core.errors import ServiceError
from medloop.store import Entry, open_store
from tests.apps.audit_messages import check, parsed
from tests.apps.web.nodes import NOON
from tests.certificates import an_authority
from tests.store.studies import a_study

ORIGIN = Origin("medloop", "node.example")


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return an_authority(tmp_path_factory.mktemp("tls"), "repository", "node")


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "home")
    yield opened
    opened.close()


class Repository:
    """What a repository of audit messages has read; `breaks` after so many bytes, once."""

    def __init__(self):
        self.bytes = b""
        self.breaks = None
        self.port = 0

    def messages(self) -> list[bytes]:
        """Split what came into frames as RFC 5425 says."""
        found, rest = [], self.bytes
        while rest:
            length, _, rest = rest.partition(b" ")
            found.append(rest[: int(length)])
            rest = rest[int(length) :]
        return found

    def subjects(self) -> list[str]:
        roots = [parsed(each.partition(b"\xef\xbb\xbf")[2]) for each in self.messages()]
        return [
            root.find("ParticipantObjectIdentification").get("ParticipantObjectID")
            for root in roots
        ]


@contextmanager
def a_repository(tls, *, port=0, asks_who=False):
    authority, known = tls
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(known["repository"].certificate, known["repository"].key)
    if asks_who:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
    repository, ends = Repository(), threading.Event()
    listener = socket.create_server(("127.0.0.1", port))
    listener.settimeout(0.02)
    repository.port = listener.getsockname()[1]

    def read(plain):
        plain.settimeout(5)
        with context.wrap_socket(plain, server_side=True) as secure:
            had = b""
            while chunk := secure.recv(4096):
                had += chunk
                if repository.breaks is not None and len(had) > repository.breaks:
                    repository.breaks = None
                    return  # without having read the rest, and without a word
            repository.bytes += had
            secure.unwrap().close()

    def serve():
        while not ends.is_set():
            try:
                plain, _ = listener.accept()
            except TimeoutError:
                continue
            try:
                read(plain)
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield repository
    finally:
        ends.set()
        thread.join()
        listener.close()


def settings_for(tls, port, *, identity=None):
    own = {"certificate": identity.certificate, "key": identity.key} if identity else {}
    return AuditSettings(syslog=SyslogSettings("127.0.0.1", port, authority=tls[0], **own))


def note(store, *subjects, action="looked", **details):
    store.audit.append_all([Entry(NOON, "li", action, each, details) for each in subjects])


def test_rows_arrive_once_and_in_order(store, tls):
    note(store, *(f"1.2.{n}" for n in range(450)))
    with a_repository(tls) as repository:
        settings = settings_for(tls, repository.port)
        assert forward(store, settings) == 450
        assert forward(store, settings) == 0
        note(store, "1.2.450")
        assert forward(store, settings) == 1
    assert repository.subjects() == [f"1.2.{n}" for n in range(451)]


def test_what_an_outage_kept_back_is_sent_afterwards(store, tls):
    note(store, "1.2.1")
    with a_repository(tls) as repository:
        port = repository.port
        forward(store, settings_for(tls, port))
    note(store, "1.2.2", "1.2.3")
    with pytest.raises(ServiceError, match="audit repository cannot be reached"):
        forward(store, settings_for(tls, port))
    with a_repository(tls, port=port) as again:
        assert forward(store, settings_for(tls, port)) == 2
    assert again.subjects() == ["1.2.2", "1.2.3"]


def test_what_was_under_way_when_the_connection_broke_is_sent_again(store, tls):
    note(store, *(f"1.2.{n}" for n in range(150)))
    with a_repository(tls) as repository:
        repository.breaks = 20_000
        settings = settings_for(tls, repository.port)
        with pytest.raises(ServiceError):
            forward(store, settings)
        assert forward(store, settings) == 150
    assert repository.subjects() == [f"1.2.{n}" for n in range(150)]


def test_a_repository_that_nobody_vouches_for_gets_nothing(store, tls, tmp_path):
    note(store, "1.2.1")
    other = an_authority(tmp_path / "other", "repository")
    with a_repository(other) as repository:
        with pytest.raises(ServiceError):
            forward(store, settings_for(tls, repository.port))
        assert repository.bytes == b""


def test_the_node_shows_who_it_is(store, tls):
    note(store, "1.2.1")
    with a_repository(tls, asks_who=True) as repository:
        with pytest.raises(ServiceError):
            forward(store, settings_for(tls, repository.port))
        settings = settings_for(tls, repository.port, identity=tls[1]["node"])
        assert forward(store, settings) == 1


def test_without_a_repository_nothing_is_sent(store):
    note(store, "1.2.1")
    assert forward(store, AuditSettings()) == 0


@pytest.mark.parametrize("kept", ["", "{}", '{"row": 1, "hash": "another"}', '{"row": 9}'])
def test_a_forgotten_place_sends_all_again(store, tls, kept):
    note(store, "1.2.1", "1.2.2")
    (store.root / PLACE).write_text(kept, encoding="utf-8")
    with a_repository(tls) as repository:
        assert forward(store, settings_for(tls, repository.port)) == 2


def test_the_patient_of_a_study_goes_to_the_repository_only(store, tls, tmp_path):
    study = a_study(tmp_path / "files", "1.2.840.7")
    store.receive(study, now=NOON)
    note(store, study.uid)
    with a_repository(tls) as repository:
        forward(store, settings_for(tls, repository.port))
    root = parsed(repository.messages()[0].partition(b"\xef\xbb\xbf")[2])
    check(root)
    objects = root.findall("ParticipantObjectIdentification")
    told = [
        (each.get("ParticipantObjectTypeCodeRole"), each.get("ParticipantObjectID"))
        for each in objects
    ]
    assert told == [("3", study.uid), ("1", "P1")]


def test_an_envelope_is_one_of_rfc_5424():
    whole = frame("<é/>".encode(), NOON, Origin("med loop", "näht.example"))
    length, _, sent = whole.partition(b" ")
    assert int(length) == len(sent)
    head, bom, content = sent.partition(b"\xef\xbb\xbf")
    pattern = rb"<85>1 2026-03-01T12:00:00.000\+00:00 n_ht.example med_loop - DICOM\+RFC3881 - "
    assert re.fullmatch(pattern, head)
    assert bom
    assert content == "<é/>".encode()


@pytest.mark.parametrize(
    "action", [*EVENTS, "users add", "quarantined", "backed up", "job retried"]
)
@pytest.mark.parametrize("subject", ["1.2.840.5", "li", ""])
def test_every_kind_of_row_is_a_message_of_the_schema(action, subject):
    entry = Entry(NOON, "Dr. 李", action, subject, {"address": "10.0.0.1", "by": "<web>"})
    check(parsed(message(entry, ORIGIN, patient="P1")))


@given(text=st.text(), details=st.dictionaries(st.text(min_size=1), st.text(), max_size=2))
def test_whatever_a_caller_calls_itself_the_message_can_be_read(text, details):
    entry = Entry(NOON, text, "sent", text, details)
    root = parsed(message(entry, ORIGIN))
    assert root.tag == "AuditMessage"


def test_signing_in_says_from_where_and_whether_it_went_well():
    entry = Entry(NOON, "li", "was refused to sign in", "li", {"address": "10.0.0.1"})
    root = parsed(message(entry, ORIGIN))
    event = root.find("EventIdentification")
    assert event.find("EventID").get("csd-code") == "110114"
    assert event.find("EventTypeCode").get("csd-code") == "110122"
    assert event.get("EventOutcomeIndicator") == "4"
    person = root.find("ActiveParticipant")
    assert person.get("UserID") == "li"
    assert person.get("NetworkAccessPointID") == "10.0.0.1"
    detail = root.find("ParticipantObjectIdentification/ParticipantObjectDetail")
    assert base64.b64decode(detail.get("value")) == b"10.0.0.1"


def test_what_failed_is_told_as_failed():
    entry = Entry(NOON, "worker", "delivered", "1.2.840.5", {"outcome": "failed"})
    event = parsed(message(entry, ORIGIN)).find("EventIdentification")
    assert event.get("EventOutcomeIndicator") == "4"


def test_every_deed_that_the_node_writes_down_by_name_is_known_by_name():
    source = Path(medloop.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in source.rglob("*.py"))
    about_patients = ("retrieved", "searched", "stored", "pulled", "delivered", "study removed")
    for action in about_patients:
        assert f'"{action}"' in text
        assert action in EVENTS
