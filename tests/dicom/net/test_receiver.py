"""Real senders reach the receiver; what it acknowledges is in the spool as it was sent."""

import logging
import shutil
import socket
import subprocess
import threading
import time
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import DataElement, config, dcmread
from pydicom.data import get_testdata_file
from pydicom.datadict import tag_for_keyword
from pydicom.uid import CTImageStorage, JPEGLSNearLossless
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from medloop.core.errors import ServiceError
from medloop.dicom.arrival import is_same_object, read_arrival
from tests.dicom.net.inlets import a_receiver, associate, store
from tests.dicom.slices import a_slice, pixels, save
from tests.peers import wait_until


@pytest.fixture
def desk(tmp_path):
    with a_receiver(tmp_path) as made:
        yield made


def dcmtk(program: str, *arguments: object) -> subprocess.CompletedProcess:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"dcmtk's {program} is not installed")
    command = [found, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, text=True)


def send(port: int, *paths: Path, options: tuple = ()) -> subprocess.CompletedProcess:
    return dcmtk("storescu", "-aec", "MEDLOOP", *options, "127.0.0.1", port, *paths)


def a_file(folder: Path, n: int = 0, **tags) -> Path:
    piece = a_slice((0, 0, float(n)), array=pixels(n, rows=64, columns=64), **tags)
    piece.PatientName = "Secret^Name"
    return save(piece, folder / f"{n}.dcm")


def test_an_echo_is_answered(desk):
    answer = dcmtk("echoscu", "-aec", "MEDLOOP", "127.0.0.1", desk.port)
    assert answer.returncode == 0, answer.stderr


def test_an_object_is_spooled_as_it_was_sent(desk, tmp_path):
    sent = a_file(tmp_path)
    answer = send(desk.port, sent)
    assert answer.returncode == 0, answer.stderr
    (kept,) = desk.objects()
    (tmp_path / "kept.dcm").write_bytes(kept)
    assert is_same_object(sent, tmp_path / "kept.dcm")
    assert read_arrival(tmp_path / "kept.dcm") == read_arrival(sent)


def test_one_line_tells_of_an_association(desk, tmp_path):
    send(desk.port, a_file(tmp_path, 1), a_file(tmp_path, 2), options=("-aet", "CT1"))
    wait_until(lambda: desk.visits)
    (visit,) = desk.visits
    said = (visit.caller, visit.address, visit.stored, visit.refused, visit.ended)
    assert said == ("CT1", "127.0.0.1", 2, 0, "released")


def test_compressed_objects_stay_as_they_were_sent(desk, tmp_path):
    plain = dcmread(get_testdata_file("JPEGLSNearLossless_08.dcm"))
    plain.StudyInstanceUID, plain.SeriesInstanceUID = "1.2.3", "1.2.4"
    plain.save_as(tmp_path / "sent.dcm", enforce_file_format=True)
    assert plain.file_meta.TransferSyntaxUID == JPEGLSNearLossless
    answer = send(desk.port, tmp_path / "sent.dcm", options=("-xu",))
    assert answer.returncode == 0, answer.stderr
    (kept,) = desk.objects()
    (tmp_path / "kept.dcm").write_bytes(kept)
    back = dcmread(tmp_path / "kept.dcm")
    assert back.PixelData == plain.PixelData
    assert back.file_meta.TransferSyntaxUID == plain.file_meta.TransferSyntaxUID


@pytest.mark.parametrize(
    "sop_class",
    [
        "1.2.840.10008.5.1.4.1.1.66.4",  # segmentation
        "1.2.840.10008.5.1.4.1.1.88.33",  # comprehensive SR
        "1.2.840.10008.5.1.4.1.1.481.3",  # RT structure set
        "1.3.6.1.4.1.9590.1",  # private
    ],
)
def test_every_storage_class_is_taken(desk, sop_class):
    assert store(desk.port, _sendable(a_slice(SOPClassUID=sop_class))) == 0x0000
    assert len(desk.objects()) == 1


def _sendable(dataset):
    save(dataset, Path("/dev/null"))
    return dataset


def test_many_associations_at_once_lose_nothing(desk, tmp_path):
    folders = [tmp_path / str(n) for n in range(6)]
    for n, folder in enumerate(folders):
        folder.mkdir()
        for k in range(5):
            a_file(folder, 10 * n + k)
    answers = []

    def run(folder: Path) -> None:
        answers.append(send(desk.port, *folder.iterdir()).returncode)

    threads = [threading.Thread(target=run, args=(folder,)) for folder in folders]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert answers == [0] * 6
    assert len(desk.objects()) == 30


def test_a_full_disk_refuses_with_the_right_status_and_the_next_is_taken(tmp_path):
    room = []

    def open_object(source: str):
        if not room:
            raise ServiceError("spool is full")
        return desk.spool.open(source)

    with a_receiver(tmp_path, inlet={"open": open_object}) as desk:
        assert store(desk.port, _sendable(a_slice())) == 0xA700
        room.append(True)
        assert store(desk.port, _sendable(a_slice())) == 0x0000
        assert len(desk.objects()) == 1
    assert sorted((each.stored, each.refused) for each in desk.visits) == [(0, 1), (1, 0)]


def test_an_object_over_the_limit_is_refused(tmp_path):
    large = a_slice(array=pixels(rows=512, columns=512))
    with a_receiver(tmp_path, max_object_bytes=100_000) as desk:
        assert store(desk.port, _sendable(large)) == 0xA700
        assert store(desk.port, _sendable(a_slice())) == 0x0000
        assert len(desk.objects()) == 1


def _set_raw(piece, keyword: str, text: str) -> None:
    piece[keyword] = DataElement(
        tag_for_keyword(keyword), "UI", text, validation_mode=config.IGNORE
    )


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (lambda piece: delattr(piece, "StudyInstanceUID"), 0xC000),
        (lambda piece: delattr(piece, "SeriesInstanceUID"), 0xC000),
        (lambda piece: _set_raw(piece, "SeriesInstanceUID", "../../etc/passwd"), 0xC000),
    ],
)
def test_an_object_without_its_names_is_refused_in_one_line(desk, caplog, spoil, status):
    piece = a_slice(PatientName="Secret^Name")
    spoil(piece)
    assert store(desk.port, _sendable(piece)) == status
    assert desk.objects() == []
    lines = [r.getMessage() for r in caplog.records if r.name.startswith("medloop")]
    assert len(lines) == 1
    assert "Secret" not in lines[0]


def test_a_data_set_of_another_object_than_the_request_is_refused(desk):
    piece = _sendable(a_slice())
    association = associate(desk.port, CTImageStorage)
    request = C_STORE()
    request.MessageID, request.Priority = 7, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CTImageStorage, "1.2.3"
    request.DataSet = BytesIO(encode(piece, is_implicit_vr=False, is_little_endian=True))
    context = association.accepted_contexts[0].context_id
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, context)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    assert (answer.Status, answer.MessageIDBeingRespondedTo) == (0xA900, 7)
    association.release()
    assert desk.objects() == []


def test_a_wrong_called_title_is_rejected(desk, caplog):
    answer = dcmtk("echoscu", "-aec", "SOMEBODY", "127.0.0.1", desk.port)
    assert answer.returncode != 0
    assert "Called AE Title Not Recognized" in answer.stderr
    said = [each.getMessage() for each in caplog.records if each.name.startswith("medloop")]
    assert said == ["association rejected: 'ECHOSCU' calls us 'SOMEBODY'"]


@pytest.mark.parametrize(
    ("accept", "is_in"),
    [
        (("CT1",), True),
        (("CT1@127.0.0.1",), True),
        (("@127.0.0.0/8",), True),
        (("CT2", "CT1@10.0.0.0/8"), False),
        (("CT2@127.0.0.1",), False),
    ],
)
def test_only_callers_on_the_list_get_in(tmp_path, caplog, accept, is_in):
    with a_receiver(tmp_path, accept=accept) as desk:
        answer = dcmtk("echoscu", "-aet", "CT1", "-aec", "MEDLOOP", "127.0.0.1", desk.port)
        assert (answer.returncode == 0) is is_in
    said = [each.getMessage() for each in caplog.records if each.name.startswith("medloop")]
    if is_in:
        assert said == []
    else:
        assert [each.ended for each in desk.visits] == ["rejected"]
        assert said == ["association rejected: 'CT1' at 127.0.0.1 is not on the list"]


def test_an_address_that_is_on_no_line_is_not_even_heard(tmp_path, caplog):
    with a_receiver(tmp_path, accept=("CT1@10.0.0.0/8",)) as desk:
        assert not associate(desk.port, title="CT1").is_established
    assert desk.visits == []
    assert "connection refused: 127.0.0.1 is not on the list" in caplog.messages


def test_no_more_associations_than_the_limit(tmp_path):
    with a_receiver(tmp_path, max_associations=2) as desk:
        held = [associate(desk.port) for _ in range(3)]
        assert [each.is_established for each in held] == [True, True, False]
        held[0].release()
        wait_until(lambda: _gets_in(desk.port))
        held[1].release()


def _gets_in(port: int) -> bool:
    association = associate(port)
    is_in = association.is_established
    association.release()
    return is_in


def test_a_sender_that_goes_away_leaves_nothing_behind(desk, tmp_path):
    before = threading.active_count() + 1  # who notes associations starts with the first
    for _ in range(3):
        association = associate(desk.port, CTImageStorage)
        association.dul.socket.socket.close()
        association.kill()
    wait_until(lambda: threading.active_count() <= before)
    wait_until(lambda: len(desk.visits) == 3)
    assert {each.ended for each in desk.visits} == {"aborted"}
    assert store(desk.port, _sendable(a_slice())) == 0x0000


@pytest.mark.slow
def test_a_caller_that_says_nothing_is_sent_away(tmp_path):
    with a_receiver(tmp_path, idle_s=0.5) as desk:
        association = associate(desk.port)
        began = time.monotonic()
        wait_until(lambda: not association.is_established, timeout_s=10)
        assert time.monotonic() - began < 5
        with socket.create_connection(("127.0.0.1", desk.port)) as half:
            half.sendall(b"\x01\x00\x00\x00\x01\x00")  # a PDU that never comes to its end
            half.settimeout(10)
            assert half.recv(100) == b""
        association.kill()


def test_nothing_in_the_log_names_a_patient(desk, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    piece = a_slice(PatientName="Secret^Name", PatientID="SECRET1")
    _set_raw(piece, "StudyInstanceUID", "secret")
    store(desk.port, _sendable(piece))
    send(desk.port, a_file(tmp_path))
    out = capfd.readouterr()
    theirs = [r for r in caplog.records if r.threadName != "MainThread"]
    text = " ".join([*(r.getMessage() for r in theirs), out.out, out.err])
    assert "secret" not in text.lower()
