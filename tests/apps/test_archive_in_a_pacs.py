"""A node whose archive is the PACS: studies stay there, and their results come to be there."""

import pytest
from pydicom import dcmread

from medloop.apps.demo import write_photographs
from tests.nodes import node, pacs_section
from tests.peers import orthanc, wait_until

pytestmark = pytest.mark.slow
for extra in ("fastapi", "pynetdicom", "uvicorn", "argon2", "skimage", "dicomweb_client"):
    pytest.importorskip(extra)

SETTINGS = """
[receive]
quiet_s = 1
[archive]
source = "archive"
[[source]]
name = "archive"
retrieval = "wado"
url = "{url}"
every = "2 s"
days = "19000101-"
"""


def test_a_study_of_the_pacs_is_analyzed_and_stays_there(tmp_path):
    eye = write_photographs(tmp_path / "eye")[1]
    dated = dcmread(eye)
    dated.StudyDate = "20260101"
    dated.save_as(eye)
    with orthanc(tmp_path) as pacs:
        pacs.upload(eye.read_bytes())
        settings = SETTINGS.format(url=pacs.dicomweb)
        settings += pacs_section("pacs", pacs.dicom_port, pacs.aet)
        with node(tmp_path / "node", settings) as running:

            def kinds():
                found = pacs.get("/series?expand")
                return sorted(each["MainDicomTags"]["Modality"] for each in found)

            wait_until(lambda: "SR" in kinds(), timeout_s=240)
            wait_until(
                lambda: "done" in running.run("jobs", "list", "--state", "done").stdout,
                timeout_s=60,
            )
            jobs = running.run("jobs", "list").stdout.splitlines()
            assert kinds().count("SR") == 1
            assert running.stop() == 0
            assert running.run("verify").stdout == ""
            kept = running.home / "archive"
            pixels = eye.read_bytes()[-100_000:]
            assert all(
                pixels not in path.read_bytes() for path in kept.rglob("*") if path.is_file()
            )
            assert any((running.home / "cache").rglob("*"))
            assert [line.split()[1] for line in jobs if "retina" in line] == ["done"]
        assert "has a bug" not in running.said()
