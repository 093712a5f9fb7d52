"""A result is sent as ORU^R01, and the receiver's answer is understood."""

import asyncio
import socket
import ssl
import threading
import time
from base64 import b64decode
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

pytest.importorskip("hl7", reason="hl7 is not installed")
import hl7
from hl7.mllp import start_hl7_server

from medloop.apps.notify.mllp import MllpReceiver
from medloop.apps.notify.oru import CHARACTER_SETS, Envelope, message_of, text
from medloop.core.errors import InputError, ServiceError
from tests.apps.notify.results import SECRETS, STUDY, a_result_folder
from tests.certificates import an_authority
from tests.dicom.written import a_result_folder as a_dicom_folder
from tests.dicom.written import uids
from tests.peers import LOOPBACK, free_port

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def products(tmp_path):
    return a_result_folder(tmp_path)


def receiver(port, **more) -> MllpReceiver:
    facts = {"timeout_s": 10.0, "now": lambda: NOW} | more
    return MllpReceiver("ris", LOOPBACK, port, **facts)


@contextmanager
def a_server(got, *, ack="AA", about=None, encoding="utf-8", tls=None):
    """The server of the library hl7, in a loop of its own."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    ports = []
    is_up = threading.Event()

    async def process(reader, writer):
        try:
            message = await reader.readmessage()
            got.append(message)
            answer = message.create_ack(ack)
            if about:
                answer.segment("MSA")[2] = about
            writer.writemessage(answer)
            await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async def serve():
        server = await start_hl7_server(process, LOOPBACK, 0, encoding=encoding, ssl=tls)
        ports.append(server.sockets[0].getsockname()[1])
        is_up.set()
        await stop.wait()
        server.close()
        await server.wait_closed()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 5)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert is_up.wait(10)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@contextmanager
def a_listener(answer):
    """A peer that says these bytes to whoever connects, and closes; None: that is silent."""
    listener = socket.create_server((LOOPBACK, 0))
    done = threading.Event()

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            if answer is None:
                done.wait(10)
            else:
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        done.set()
        thread.join()
        listener.close()


def test_the_receiver_reads_who_what_and_how_sure(products):
    got = []
    with a_server(got) as port:
        to = Envelope("RIS", "Ward 7", own_facility="Node")
        receiver(port, envelope=to).send(STUDY, products)
    (message,) = got
    header = [str(message.segment("MSH")[n]) for n in (3, 4, 5, 6, 7, 9, 11, 12, 18)]
    assert header == [
        *("MEDLOOP", "Node", "RIS", "Ward 7", "20260302000000+0000"),
        *("ORU^R01^ORU_R01", "P", "2.5.1", "UNICODE UTF-8"),
    ]
    patient = message.segment("PID")
    assert message.unescape(str(patient[3])) == "P|1^7"
    assert str(patient[5]) == "Wang^XiaoDong^M^Jr^Dr^^^A~王^小东^^^^^^I"
    assert (str(patient[7]), str(patient[8])) == ("19600101", "F")
    request = message.segment("OBR")
    assert str(request[4]) == "LUNG^Automated image analysis: lung^99MEDLOOP"
    assert (message.unescape(str(request[18])), str(request[25])) == ("A&1", "P")
    rows = [
        (*(str(row[n]) for n in (2, 3, 4)), message.unescape(str(row[5])), str(row[6]))
        for row in message.segments("OBX")
    ]
    px = "{pixels}^{pixels}^UCUM"
    assert rows == [
        ("HD", "113014^DICOM Study^DCM", "", "2.25.6", ""),
        ("TX", "Lung-RADS^Lung-RADS^99MEDLOOP", "", "4A", ""),
        (
            "CWE",
            "ICDR^International Clinical Diabetic Retinopathy severity grade^99MEDLOOP",
            "",
            "312904009^Moderate nonproliferative diabetic retinopathy^SCT",
            "",
        ),
        (
            "CWE",
            "GRADABLE^Image quality suffices for grading^99MEDLOOP",
            "",
            "373066001^Yes^SCT",
            "",
        ),
        ("NM", "FOVEA-PX-0^Center of fovea, pixel [0]^99MEDLOOP", "", "1.5", px),
        ("NM", "FOVEA-PX-1^Center of fovea, pixel [1]^99MEDLOOP", "", "2", px),
        ("TX", "121106^Comment^DCM", "", "slice gap of 2 mm | guessed  from places", ""),
        ("CWE", "121071^Finding^DCM", "1", "27925004^Nodule^SCT", ""),
        ("CWE", "363698007^Finding Site^SCT", "1", "39607008^Lung^SCT", ""),
        ("NM", "122157^Probability^DCM", "1", "0.7", "1^1^UCUM"),
        ("NM", "118565006^Volume^SCT", "1", "1523600", "mm3^mm3^UCUM"),
    ]
    for number, row in enumerate(message.segments("OBX"), start=1):
        assert str(row[1]) == str(number)
        assert (str(row[11]), str(row[18])) == ("P", "medloop lung 1.2")


def test_a_second_delivery_has_the_same_identity(products, tmp_path):
    first = hl7.parse(message_of(STUDY, products, Envelope(), now=NOW))
    again = hl7.parse(message_of(STUDY, products, Envelope(), now=datetime.now(UTC)))
    other = replace(STUDY, uid="2.25.7")
    third = hl7.parse(message_of(other, products, Envelope(), now=NOW))
    names = [str(each.segment("MSH")[10]) for each in (first, again, third)]
    assert names[0] == names[1] != names[2]


def test_the_structured_report_is_named_where_there_is_one(tmp_path, products):
    folder = a_dicom_folder(tmp_path / "dicom")
    (folder / "result.json").write_bytes((products / "result.json").read_bytes())
    message = hl7.parse(message_of(STUDY, folder, Envelope(), now=NOW))
    rows = {str(row[3]): str(row[5]) for row in message.segments("OBX")}
    assert rows["^SR Instance UID"] == uids(folder)["sr.dcm"]


def test_the_report_goes_along_where_it_is_wanted(products):
    message = hl7.parse(message_of(STUDY, products, Envelope(has_report=True), now=NOW))
    last = message.segments("OBX")[-1]
    assert str(last[2]) == "ED"
    assert b64decode(str(last[5]).rpartition("^")[2]) == b"%PDF-1.4\n"


@pytest.mark.parametrize("encoding", sorted(set(CHARACTER_SETS) - {"utf-8"}))
def test_each_encoding_is_named_as_the_receiver_reads_it(products, encoding):
    got = []
    plain = replace(STUDY, patient=replace(STUDY.patient, name="Wang^Fang"))
    envelope = Envelope(encoding=encoding)
    with a_server(got, encoding=encoding) as port:
        receiver(port, envelope=envelope).send(plain, products)
    assert str(got[0].segment("MSH")[18]) == CHARACTER_SETS[encoding]


def test_a_chinese_name_travels_in_gb18030_and_is_refused_where_it_cannot(products):
    got = []
    with a_server(got, encoding="gb18030") as port:
        receiver(port, envelope=Envelope(encoding="gb18030")).send(STUDY, products)
    assert "王^小东" in str(got[0].segment("PID")[5])
    with pytest.raises(InputError, match=r"^the message cannot be written in iso8859-1$"):
        receiver(1, envelope=Envelope(encoding="iso8859-1")).send(STUDY, products)


@pytest.mark.parametrize("ack", ["AE", "AR", "CR"])
def test_what_is_not_accepted_is_a_failure_with_its_code(products, ack):
    with (
        a_server([], ack=ack) as port,
        pytest.raises(ServiceError, match=rf"^ris does not accept the message \({ack}\)$"),
    ):
        receiver(port).send(STUDY, products)


def test_the_acknowledgment_of_another_message_is_none(products):
    with (
        a_server([], about="other") as port,
        pytest.raises(ServiceError, match=r"^ris acknowledges another message$"),
    ):
        receiver(port).send(STUDY, products)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "ended without an acknowledgment"),
        (b"\x0bMSH|^~\\&|", "ended without an acknowledgment"),
        (b"HTTP/1.1 400 Bad Request\x1c\r", "answers with something else than a block"),
        (b"\x0bWang^XiaoDong\x1c\r", "answers with something else than an acknowledgment"),
        (b"\x0bMSH|^~\\&|x\rPID|1\r\x1c\r", "answers with something else than an acknowledg"),
        (
            b"\x0bMSH|^~\\&|x\rMSA|Wang|1\r\x1c\r",
            r"does not accept the message \(no known code",
        ),
        (b"\x0b" + b"x" * (1 << 20), "answers with more than 1 MiB"),
    ],
)
def test_nonsense_is_no_acknowledgment(products, answer, told):
    with (
        a_listener(answer) as port,
        pytest.raises(ServiceError, match=f"^ris {told}") as caught,
    ):
        receiver(port).send(STUDY, products)
    assert [secret for secret in SECRETS if secret in str(caught.value)] == []


def test_a_receiver_that_is_away_is_told(products):
    with pytest.raises(ServiceError, match=r"^ris cannot be reached: connection refused$"):
        receiver(free_port()).send(STUDY, products)
    with pytest.raises(ServiceError, match=r"^ris cannot be reached"):
        replace(receiver(1), host="ris.invalid").send(STUDY, products)


def test_a_silent_receiver_is_not_waited_for_longer_than_the_timeout(products):
    started = time.monotonic()
    with (
        a_listener(None) as port,
        pytest.raises(ServiceError, match="ris did not answer in time"),
    ):
        receiver(port, timeout_s=0.3).send(STUDY, products)
    assert time.monotonic() - started < 3


def test_messages_travel_by_tls_where_both_sides_show_who_they_are(products, tmp_path):
    authority, them = an_authority(tmp_path / "tls", "ris", "medloop")
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(them["ris"].certificate, them["ris"].key)
    theirs.verify_mode = ssl.CERT_REQUIRED
    theirs.load_verify_locations(authority)
    mine = ssl.create_default_context(cafile=authority)
    mine.load_cert_chain(them["medloop"].certificate, them["medloop"].key)
    got = []
    with a_server(got, tls=theirs) as port:
        receiver(port, tls=mine).send(STUDY, products)
        with pytest.raises(
            ServiceError, match="ris cannot be trusted: CERTIFICATE_VERIFY_FAIL"
        ):
            receiver(port, tls=ssl.create_default_context()).send(STUDY, products)
    assert len(got) == 1


@pytest.mark.parametrize("value", ["a|b^c&d~e\\f", "\\F\\", "王", "", "|||"])
def test_what_is_escaped_is_read_back(value):
    message = hl7.parse(f"MSH|^~\\&|x\rNTE|1||{text(value)}\r")
    assert message.unescape(str(message.segment("NTE")[3])) == value


def test_no_text_can_begin_a_segment():
    assert text("a\rPID|1\n\x0b\x1c") == "a PID\\F\\1   "
