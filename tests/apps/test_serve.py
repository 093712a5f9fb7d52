"""A whole node: a study comes in by C-STORE, and its results are in the PACS soon after."""

import json

import pytest

from medloop.apps.demo import write_photographs
from tests.nodes import PARTS, Node, node, pacs_section, send
from tests.peers import LOOPBACK, free_port, orthanc, wait_until

httpx = pytest.importorskip("httpx")
pytestmark = pytest.mark.slow
for extra in ("fastapi", "pynetdicom", "uvicorn", "argon2", "skimage"):
    pytest.importorskip(extra)


@pytest.fixture(scope="module")
def eye(tmp_path_factory):
    return write_photographs(tmp_path_factory.mktemp("eye"))[1]


def modalities(pacs):
    return sorted(each["MainDicomTags"]["Modality"] for each in pacs.get("/series?expand"))


def test_results_are_in_the_pacs_though_every_part_was_killed(tmp_path, eye):
    port = free_port()
    with orthanc(tmp_path, modalities={"MEDLOOP": port}) as pacs:
        settings = "[receive]\nquiet_s = 1\n" + pacs_section("pacs", pacs.dicom_port, pacs.aet)
        with node(tmp_path / "node", settings, dicom_port=port) as running:
            send(eye, running)
            for part in PARTS:
                assert running.kill(part), f"{part}: {running.said()[-2000:]}"
            wait_until(lambda: "SR" in modalities(pacs), timeout_s=240)
            wait_until(
                lambda: "done" in running.run("jobs", "list", "--state", "done").stdout,
                timeout_s=60,
            )
            running.wait_until_up()
            assert httpx.get(f"{running.url}/healthz").json()["status"] == "alive"
            assert modalities(pacs).count("SR") == 1
            assert running.stop() == 0
            assert running.run("verify").returncode == 0
        assert "Traceback" not in running.said()
        said = running.said().splitlines()
        logged = [line for line in said if not line.startswith(("DICOM ", "web "))]
        assert logged
        assert all("said" in json.loads(line) for line in logged)


def test_a_node_needs_users_and_tls_to_listen_beyond_this_machine(tmp_path):
    open_node = Node(tmp_path, settings="")
    open_node.write_settings()
    file = tmp_path / "medloop.toml"
    file.write_text(file.read_text().replace("[web]\n", '[web]\nhost = "0.0.0.0"\n'))
    refused = open_node.run("serve")
    assert refused.returncode == 2
    assert "refusing to listen beyond this machine" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_said_in_one_line_and_the_node_goes_on(tmp_path):
    with node(tmp_path / "first") as first:
        taken = first.dicom_port
        other = Node(tmp_path / "second", dicom_port=taken)
        other.write_settings()
        said = other.run("serve", "--part", "receiver")
        assert said.returncode == 1
        assert f"cannot listen on {LOOPBACK}:{taken}" in said.stderr
