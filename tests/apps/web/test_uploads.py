"""Files brought by the web are in the store when they are answered, and can be followed."""

import io
import zipfile

import pytest
from PIL import Image

from medloop.apps.site import Site, WebSettings
from medloop.apps.web import uploads
from medloop.apps.web.context import make_context
from medloop.core.errors import UnsuitableError
from medloop.core.study import StudyUid
from medloop.store.spool import Spool
from medloop.store.users import Role
from medloop.workflow.reception import Reception
from tests.apps.web.nodes import node_of
from tests.dicom.slices import SERIES_UID, a_slice, save
from tests.workflow.cases import a_study

STUDY = SERIES_UID + ".1"


class Nobody:
    name = "nobody"

    def select(self, study):
        raise UnsuitableError("suits nothing")


@pytest.fixture
def reception(store, tmp_path, clock):
    spool = Spool(tmp_path / "spool", reserve_bytes=0)
    yield Reception(store, spool, quiet_s=5.0, now=clock)
    spool.close()


@pytest.fixture
def site():
    return Site(web=WebSettings(max_upload_mb=1))


@pytest.fixture
def node(store, site, reception, clock):
    context = make_context(store, site, reception, now=clock)
    return node_of(context, clock, (uploads.router,))


@pytest.fixture
def reader(node):
    return node.program(Role.READER)


def a_dicom(tmp_path, depth=0.0):
    return save(a_slice((0, 0, depth), PatientID="P1"), tmp_path / "made.dcm").read_bytes()


def a_picture():
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (1, 2, 3)).save(file, format="PNG")
    return file.getvalue()


def a_zip(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def send(client, *files):
    return client.post("/api/uploads", files=[("files", each) for each in files])


def test_each_file_of_a_form_has_its_answer(reader, tmp_path):
    answer = send(
        reader,
        ("a.dcm", a_dicom(tmp_path)),
        ("eye.png", a_picture()),
        ("letter.txt", b"Dear colleague"),
        ("b.zip", a_zip(one=a_dicom(tmp_path, 2.0), two=b"")),
    )
    assert answer.status_code == 200
    told = answer.json()
    assert [(file["name"], file["outcome"]) for file in told["files"]] == [
        ("a.dcm", "stored"),
        ("eye.png", "stored"),
        ("letter.txt", "refused"),
        ("b.zip", "partly"),
    ]
    assert STUDY in told["studies"]
    assert len(told["studies"]) == 2


def test_what_came_twice_is_known_and_other_bytes_are_a_conflict(reader, tmp_path):
    content = a_dicom(tmp_path)
    send(reader, ("a", content))
    other = content.replace(b"P1", b"P2")
    again = send(reader, ("a", content), ("b", other)).json()
    assert [file["outcome"] for file in again["files"]] == ["known", "conflict"]


def test_where_a_study_stands_is_told_and_whether_it_has_grown(
    reader, store, reception, clock, tmp_path
):
    first = a_dicom(tmp_path)
    new = send(reader, ("a", first)).json()["standing"][STUDY]
    assert new == {"grown": True, "state": "arriving", "is_signed": False}
    clock.passes(seconds=6)
    Reception(store, reception.spool, [Nobody()], quiet_s=5.0, now=clock).settle(clock())
    known = send(reader, ("a.zip", a_zip(a=first, b=a_picture()))).json()
    assert known["standing"][STUDY] == {"grown": False, "state": "skipped", "is_signed": False}
    (picture,) = set(known["studies"]) - {STUDY}
    assert known["standing"][picture]["grown"]
    other = save(a_slice((0, 0, 5.0), SOPInstanceUID="1.2.3.4"), tmp_path / "b").read_bytes()
    assert send(reader, ("a", first), ("b", other)).json()["standing"][STUDY]["grown"]


def test_an_upload_can_be_followed_to_its_jobs(node, reader, store, reception, clock, tmp_path):
    send(reader, ("a", a_dicom(tmp_path)))
    first = reader.get(f"/api/studies/{STUDY}").json()
    assert (first["is_settled"], first["instances"], first["newest_jobs"]) == (False, 1, [])
    clock.passes(seconds=6)
    Reception(store, reception.spool, [Nobody()], quiet_s=5.0, now=clock).settle(clock())
    then = reader.get(f"/api/studies/{STUDY}").json()
    assert (then["is_settled"], then["jobs"]) == (True, {"skipped": 1})
    assert then["newest_jobs"][0]["reason"] == "suits nothing"


def test_lists_come_in_pages_the_newest_first(reader, tmp_path, clock):
    for number in range(3):
        clock.passes(seconds=1)
        piece = a_slice(StudyInstanceUID=f"1.2.{number}", SOPInstanceUID=f"1.2.{number}.1")
        send(reader, ("a", save(piece, tmp_path / "made.dcm").read_bytes()))
    page = reader.get("/api/studies", params={"limit": 2}).json()
    assert (page["total"], [s["uid"] for s in page["studies"]]) == (3, ["1.2.2", "1.2.1"])
    rest = reader.get("/api/studies", params={"limit": 2, "offset": 2}).json()
    assert [s["uid"] for s in rest["studies"]] == ["1.2.0"]


def test_jobs_are_listed_by_study_and_state(reader, store, clock):
    for uid in ("2.25.1", "2.25.2"):
        store.catalog.add(a_study(uid), now=clock())
        store.jobs.add(StudyUid(uid), "retina", [f"{uid}.0"], now=clock())
    store.jobs.refuse(StudyUid("2.25.1"), "lung", "no CT", now=clock())

    def asked(**params):
        page = reader.get("/api/jobs", params=params).json()
        return page["total"], [(job["study"], job["analysis"]) for job in page["jobs"]]

    assert asked(study="2.25.1") == (2, [("2.25.1", "lung"), ("2.25.1", "retina")])
    assert asked(state="skipped") == (1, [("2.25.1", "lung")])
    assert asked(limit=1, offset=1) == (3, [("2.25.2", "retina")])


def test_whoever_may_not_send_cannot_and_nothing_is_kept(node, store, tmp_path):
    assert send(node.program(Role.VIEWER), ("a", a_dicom(tmp_path))).status_code == 403
    node.context.users.add("somebody", Role.READER, now=node.clock())
    assert send(node.client(), ("a", a_dicom(tmp_path))).status_code == 401
    assert store.catalog.studies() == ()


def test_an_upload_over_the_limit_is_refused_and_leaves_nothing(reader, store):
    answer = send(reader, ("big", bytes(2 << 20)))
    assert answer.status_code == 413
    assert [path for path in (store.root / "uploads").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"anything", "multipart/form-data", 422),
        (b"anything", "multipart/form-data; boundary=b", 422),
        (b"--b\r\n\r\nno end", "multipart/form-data; boundary=b", 422),
        (b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--", "form", 422),
    ],
)
def test_what_is_no_form_with_files_is_refused_in_one_line(reader, body, kind, status):
    kind = "multipart/form-data; boundary=b" if kind == "form" else kind
    answer = reader.post("/api/uploads", content=body, headers={"content-type": kind})
    assert answer.status_code in (status, 400)
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\a", "/etc/x", "a\nb", "n" * 1000, "\ufeffx", "."]
)
def test_names_of_files_lead_nowhere(reader, store, tmp_path, name):
    before = {path for path in tmp_path.rglob("*") if "store" not in path.parts}
    answer = send(reader, (name, a_picture()))
    assert answer.status_code in (200, 422)
    told = answer.json().get("files", [])
    assert all("/" not in file["name"] and len(file["name"]) <= 200 for file in told)
    after = {path for path in tmp_path.rglob("*") if "store" not in path.parts}
    assert after == before


def test_uploads_and_looks_stand_in_the_audit(reader, store, tmp_path):
    send(reader, ("a", a_dicom(tmp_path)))
    reader.get(f"/api/studies/{STUDY}")
    entries = [(each.action, each.subject) for each in store.audit.entries()]
    assert ("stored", STUDY) in entries
    assert ("looked", STUDY) in entries


def test_no_study_is_404(reader):
    assert reader.get("/api/studies/1.2.3").status_code == 404
