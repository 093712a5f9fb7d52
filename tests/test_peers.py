"""The peers that other tests rely on are what they claim to be."""

import shutil
import subprocess

import pytest

from tests.dicom.slices import a_slice, save
from tests.peers import Node, Orthanc, dcmqrscp, is_listening, orthanc, storescp, wait_until

pytestmark = pytest.mark.slow


def send(peer: Orthanc | Node, port: int, *files) -> subprocess.CompletedProcess:
    if shutil.which("storescu") is None:
        pytest.skip("dcmtk's storescu is not installed")
    command = ["storescu", "-aec", peer.aet, peer.host, str(port), *map(str, files)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def a_file(tmp_path):
    dataset = a_slice(PatientID="p1", PatientName="x", StudyDate="", StudyTime="", StudyID="")
    return dataset, save(dataset, tmp_path / "slice.dcm")


def test_orthanc_keeps_what_it_was_sent_through_a_power_cut(tmp_path):
    dataset, file = a_file(tmp_path)
    with orthanc(tmp_path, modalities={"MEDLOOP": 11112}) as pacs:
        assert send(pacs, pacs.dicom_port, file).returncode == 0
        assert pacs.instances() == {dataset.SOPInstanceUID: dataset.SOPClassUID}
        pacs.kill()
        assert not is_listening(pacs.dicom_port)
        pacs.start()
        assert pacs.get("/dicom-web/studies")[0]["0020000D"]["Value"] == [
            dataset.StudyInstanceUID
        ]
        pacs.clear()
        assert pacs.instances() == {}
    assert not is_listening(pacs.dicom_port)
    assert not is_listening(pacs.http_port)


def test_orthanc_asks_for_credentials_where_it_is_told_to(tmp_path):
    httpx = pytest.importorskip("httpx")
    with orthanc(tmp_path, credentials=("node", "secret")) as pacs:
        assert pacs.get("/statistics")["CountInstances"] == 0
        assert httpx.get(pacs.url + "/statistics", trust_env=False).status_code == 401


def test_storescp_has_what_it_was_sent(tmp_path):
    _, file = a_file(tmp_path)
    with storescp(tmp_path) as node:
        assert send(node, node.port, file).returncode == 0
        wait_until(node.received)
    with storescp(tmp_path, "--refuse", aet="REFUSING") as node:
        assert send(node, node.port, file).returncode != 0


def test_dcmqrscp_finds_what_it_was_sent(tmp_path):
    dataset, file = a_file(tmp_path)
    with dcmqrscp(tmp_path, modalities={"MEDLOOP": 11112}) as node:
        assert send(node, node.port, file).returncode == 0
        asked = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID"]
        found = subprocess.run(
            ["findscu", "-S", "-aec", node.aet, node.host, str(node.port), *asked],  # noqa: S607
            check=True,
            capture_output=True,
            text=True,
        )
    assert dataset.StudyInstanceUID in found.stdout + found.stderr
