"""A result is created as DiagnosticReport on a FHIR server, once."""

import json
from base64 import b64decode
from dataclasses import replace

import pytest

pytest.importorskip("httpx", reason="httpx is not installed")
pytest.importorskip("fhir.resources", reason="fhir.resources is not installed")
from fhir.resources.diagnosticreport import DiagnosticReport as OfR5
from fhir.resources.R4B.diagnosticreport import DiagnosticReport as OfR4

from medloop.apps.notify.fhir import FhirServer, Release, report_of
from medloop.core.errors import InputError, ServiceError
from medloop.core.study import Patient
from medloop.dicom.web.source import Access
from tests.answering import answering
from tests.apps.notify.results import SECRETS, STUDY, a_result_folder
from tests.peers import free_port

CREATED = (201, "application/fhir+json", b"{}")


@pytest.fixture
def products(tmp_path):
    return a_result_folder(tmp_path)


def server_at(url, **more) -> FhirServer:
    return FhirServer("ehr", url, **({"timeout_s": 10.0} | more))


@pytest.mark.parametrize(("release", "model"), [(Release.R4, OfR4), (Release.R5, OfR5)])
def test_a_report_is_valid_and_says_what_was_found(products, release, model):
    with answering(CREATED) as server:
        server_at(server.url + "/fhir/", release=release, identifiers="urn:ward").send(
            STUDY, products
        )
    (request,) = server.requests
    assert request.path == "/fhir/DiagnosticReport"
    said = json.loads(request.body)
    model.model_validate(said)
    assert said["status"] == "preliminary"
    assert said["subject"]["identifier"] == {"system": "urn:ward", "value": "P|1^7"}
    assert (said["effectiveDateTime"], said["issued"][:19]) == (
        "2026-02-28",
        "2026-03-01T12:30:05",
    )
    study = said["imagingStudy" if release is Release.R4 else "study"]
    assert study[0]["identifier"]["value"] == "urn:oid:2.25.6"
    observations = said["contained"]
    assert [each["reference"] for each in said["result"]] == [
        f"#{each['id']}" for each in observations
    ]
    graded = observations[1]
    assert graded["valueCodeableConcept"]["coding"][0] == {
        "system": "http://snomed.info/sct",
        "code": "312904009",
        "display": "Moderate nonproliferative diabetic retinopathy",
    }
    nodule = observations[-1]
    assert nodule["valueCodeableConcept"]["coding"][0]["code"] == "27925004"
    probability, volume = nodule["component"][1:]
    assert probability["valueQuantity"]["value"] == 0.7
    assert volume["valueQuantity"] == {
        "value": 1_523_600.0,
        "unit": "mm3",
        "system": "http://unitsofmeasure.org",
        "code": "mm3",
    }
    assert nodule["device"]["display"] == "medloop lung 1.2 (lung_nodules 3 sha256 ab)"


def test_a_report_is_created_only_where_there_is_none_of_its_name(products):
    with answering((200, "application/fhir+json", b"{}")) as server:
        for _ in range(2):
            server_at(server.url).send(STUDY, products)
    conditions = {each.headers["if-none-exist"] for each in server.requests}
    (identifier,) = json.loads(server.requests[0].body)["identifier"]
    assert conditions == {f"identifier={identifier['system']}|{identifier['value']}"}
    assert all(each.path == "/DiagnosticReport" for each in server.requests)  # no patient in it


def test_a_study_without_a_patient_has_no_subject(products):
    stranger = replace(STUDY, patient=Patient(), date="")
    said = json.loads(report_of(stranger, products, Release.R5))
    OfR5.model_validate(said)
    assert "subject" not in said
    assert "effectiveDateTime" not in said


def test_the_report_goes_along_where_it_is_wanted(products):
    plain = json.loads(report_of(STUDY, products, Release.R4))
    assert "presentedForm" not in plain
    (form,) = json.loads(report_of(STUDY, products, Release.R4, has_report=True))[
        "presentedForm"
    ]
    assert b64decode(form["data"]) == b"%PDF-1.4\n"


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "refuses us (HTTP 401)"), (422, "fails (HTTP 422)"), (503, "fails (HTTP 503)")],
)
def test_a_server_that_fails_is_told_by_its_status_alone(products, status, told):
    with (
        answering((status, "application/json", b"Wang")) as server,
        pytest.raises(ServiceError) as caught,
    ):
        server_at(server.url, access=Access("", "t0ken")).send(STUDY, products)
    assert str(caught.value) == f"ehr {told}"
    assert server.requests[0].headers["authorization"] == "Bearer t0ken"


def test_a_server_that_is_away_is_told(products):
    with pytest.raises(ServiceError, match=r"^ehr cannot be reached: connection refused$"):
        server_at(f"http://127.0.0.1:{free_port()}").send(STUDY, products)


def test_what_fhir_does_not_allow_is_bad_and_quotes_nobody(products):
    unmeasured = (
        (products / "result.json").read_text().replace('"mm3"', '"' + "\x7f " * 3 + '"')
    )
    (products / "result.json").write_text(unmeasured)
    with pytest.raises(InputError) as caught:
        report_of(STUDY, products, Release.R4)
    assert [secret for secret in SECRETS if secret in str(caught.value)] == []
