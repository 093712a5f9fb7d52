"""A whole node takes in studies by every way at once: pulled, from a folder, uploaded."""

import io

import pytest
from PIL import Image
from pydicom.uid import generate_uid

from tests.dicom.slices import a_slice, save, stack
from tests.nodes import node
from tests.peers import LOOPBACK, free_port, orthanc, wait_until

httpx = pytest.importorskip("httpx")
pytestmark = pytest.mark.slow
for extra in ("fastapi", "pynetdicom", "uvicorn", "argon2"):
    pytest.importorskip(extra)


def source(pacs):
    return f"""
[[source]]
name = "archive"
retrieval = "move"
host = "{LOOPBACK}"
port = {pacs.dicom_port}
ae_title = "{pacs.aet}"
every = "10 s"
days = "20260101-"
"""


def a_picture(shade):
    file = io.BytesIO()
    Image.new("RGB", (50, 60), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


def test_studies_come_in_by_rule_by_folder_and_by_upload(tmp_path):
    inbox, port = tmp_path / "inbox", free_port()
    inbox.mkdir()
    with orthanc(tmp_path, modalities={"MEDLOOP": port}) as pacs:
        for piece in stack(range(5), StudyInstanceUID="1.2.7", StudyDate="20260101"):
            piece.SOPInstanceUID = generate_uid()
            pacs.upload(save(piece, tmp_path / "made.dcm").read_bytes())
        receive = f'[receive]\nquiet_s = 5\nfolders = ["{inbox}"]\nfolders_still_s = 1\n'
        with node(tmp_path / "node", receive + source(pacs), dicom_port=port) as running:
            save(a_slice(StudyInstanceUID="1.2.8"), inbox / "ct.dcm")
            (inbox / "eye.png").write_bytes(a_picture(1))
            sent = [("files", ("eye.png", a_picture(2)))]
            answer = httpx.post(f"{running.url}/api/uploads", files=sent, timeout=60)
            assert answer.json()["files"][0]["outcome"] == "stored"

            def are_routed():
                page = httpx.get(f"{running.url}/api/studies", timeout=60).json()
                routed = [s for s in page["studies"] if s["is_settled"] and s["jobs"]]
                return len(routed) == 4

            wait_until(are_routed, timeout_s=120)
            pulled = httpx.get(f"{running.url}/api/studies/1.2.7", timeout=60).json()
            assert pulled["instances"] == 5
            assert sorted(p.name for p in (inbox / "done").iterdir()) == ["ct.dcm", "eye.png"]
            assert running.stop() == 0
        assert "Traceback" not in running.said()
