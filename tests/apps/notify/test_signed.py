"""What a reader signed is told as what it is: preliminary, final, or final with an addendum."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("hl7", reason="hl7 is not installed")
pytest.importorskip("httpx", reason="httpx is not installed")
pytest.importorskip("fhir.resources", reason="fhir.resources is not installed")
from medloop.apps.notify.fhir import FhirServer, Release, report_of
from medloop.apps.notify.oru import Envelope, message_of
from medloop.apps.notify.webhook import Webhook
from medloop.core.attestation import Attestation, Meaning
from medloop.core.record import from_json, from_record, to_json, to_record
from tests.answering import answering
from tests.apps.notify.results import STUDY, a_result_folder

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
MEANINGS = (
    (Meaning.PRELIMINARY, "P", "preliminary"),
    (Meaning.FINAL, "F", "final"),
    (Meaning.ADDENDUM, "C", "appended"),
)


def signed_folder(folder, meaning, *, name="", version=2, amends=False):
    """The result of all tests, signed."""
    products = a_result_folder(folder)
    file = products / "result.json"
    result = from_record(from_json(file.read_text("utf-8"))).result
    signed = Attestation(
        1, version, meaning, "dr.li", AT, "en", "ab" * 32, "One nodule.", "Former smoker."
    )
    signed = replace(signed, name=name, amends=amends)
    made = replace(result.provenance, attested=signed)
    record = to_record(replace(result, provenance=made), STUDY, "ct")
    file.write_text(to_json(record), encoding="utf-8")
    return products


@pytest.mark.parametrize(("meaning", "state", "_status"), MEANINGS)
def test_hl7_says_how_far_a_report_holds_and_who_interpreted(tmp_path, meaning, state, _status):
    said = message_of(STUDY, signed_folder(tmp_path, meaning), Envelope(), now=AT)
    segments = [line.split("|") for line in said.split("\r") if line]
    (request,) = [each for each in segments if each[0] == "OBR"]
    rows = [each for each in segments if each[0] == "OBX"]
    assert (request[25], request[32]) == (state, "dr.li")
    assert {each[11] for each in rows} == {state}
    written = {each[3].split("^")[1]: each[5] for each in rows}
    assert written["Conclusion"] == "One nodule."
    assert written["Addendum Document"] == "Former smoker."


def test_hl7_reports_of_one_job_have_one_order_number_and_messages_of_their_own(tmp_path):
    names = ("lung-5", "lung-5-reading1-v1", "lung-5-reading1-v2", "lung-55-2-reading9-v1")
    said = [
        message_of(STUDY, made.rename(made.with_name(name)), Envelope(), now=AT)
        for name in names
        if (made := signed_folder(tmp_path, Meaning.FINAL))
    ]
    lines = [line.split("|") for each in said for line in each.split("\r") if line]
    orders = [each[3] for each in lines if each[0] == "OBR"]
    assert len(set(orders[:3])) == 1
    assert orders[3] != orders[0]
    assert len({each[9] for each in lines if each[0] == "MSH"}) == len(names)


@pytest.mark.parametrize("release", list(Release))
@pytest.mark.parametrize(("meaning", "_state", "status"), MEANINGS)
def test_fhir_says_how_far_a_report_holds(tmp_path, meaning, _state, status, release):
    said = json.loads(report_of(STUDY, signed_folder(tmp_path, meaning), release))
    assert said["status"] == status
    assert said["resultsInterpreter"] == [{"display": "dr.li"}]
    assert said["conclusion"] == "One nodule.\n\nFormer smoker."
    assert said["issued"].startswith("2026-03-02T09:00:00")


def test_a_webhook_tells_a_report_from_a_result(tmp_path):
    with answering((204, "text/plain", b"")) as server:
        hook = Webhook("hook", server.url, lambda _uid: "study-1")
        hook.send(STUDY, signed_folder(tmp_path, Meaning.FINAL))
    said = json.loads(server.requests[0].body)
    assert (said["event"], said["meaning"], said["number"]) == ("report", "final", 2)


@pytest.mark.parametrize(
    ("name", "in_hl7", "in_fhir"),
    [
        ("Li^Ming=李^明", "dr.li&Li&Ming", "Li Ming"),
        ("=李^明", "dr.li&李&明", "李 明"),
        ("Li Ming", "dr.li&Li Ming", "Li Ming"),
    ],
)
def test_who_signed_is_named_as_a_person(tmp_path, name, in_hl7, in_fhir):
    products = signed_folder(tmp_path, Meaning.FINAL, name=name)
    said = message_of(STUDY, products, Envelope(), now=AT)
    (request,) = [each.split("|") for each in said.split("\r") if each.startswith("OBR")]
    assert request[32] == in_hl7
    report = json.loads(report_of(STUDY, products, Release.R4))
    assert report["resultsInterpreter"] == [{"display": in_fhir}]


class Holding:
    """A FHIR server that holds what it gets by its identifiers, as R4 says it must."""

    def __init__(self):
        self.held = []

    def __call__(self, request):
        said = json.loads(request.body)
        names = {(each["system"], each["value"]) for each in said["identifier"]}
        asked = request.headers.get("if-none-exist") or urlsplit(request.path).query
        name = tuple(unquote(asked).removeprefix("identifier=").split("|"))
        assert name in names, "a report is asked for by what it calls itself"
        found = [n for n, (known, _) in enumerate(self.held) if name in known]
        if found and request.method == "PUT":
            self.held[found[0]] = (names, said)
        elif not found:
            self.held.append((names, said))
        return (200 if found else 201, "application/fhir+json", b"{}")

    @property
    def states(self):
        return [said["status"] for _, said in self.held]


def test_versions_of_a_report_are_one_resource_on_a_fhir_server(tmp_path):
    holding, seen = Holding(), []
    with answering(holding) as server:
        ehr = FhirServer("ehr", server.url, timeout_s=10.0)
        own = a_result_folder(tmp_path)
        ehr.send(STUDY, own.rename(own.with_name("lung-5")))
        for number, (meaning, _, _) in enumerate(MEANINGS, start=1):
            made = signed_folder(tmp_path, meaning, version=number)
            made = made.rename(made.with_name(f"lung-5-reading1-v{number}"))
            for _ in range(2):  # a delivery may come twice
                ehr.send(STUDY, made)
            seen.append(holding.states)
    model = "preliminary"  # what the analysis said stays as it was
    assert seen == [[model, "preliminary"], [model, "final"], [model, "appended"]]
    last = holding.held[1][1]
    assert {each["value"] for each in last["identifier"]} == {
        f"{STUDY.uid}/lung-5-reading1",
        f"{STUDY.uid}/lung-5-reading1-v3",
    }


@pytest.mark.parametrize(
    ("amends", "states"), [(False, ("appended", "final")), (True, ("amended", "amended"))]
)
def test_a_report_that_was_changed_after_it_was_final_is_amended(tmp_path, amends, states):
    products = signed_folder(tmp_path, Meaning.ADDENDUM, amends=amends)
    said = json.loads(report_of(STUDY, products, Release.R4))
    assert (said["status"], said["contained"][0]["status"]) == states


def test_reports_of_two_readers_are_two_resources(tmp_path):
    holding = Holding()
    with answering(holding) as server:
        for reading in (1, 2):
            made = signed_folder(tmp_path, Meaning.FINAL, version=1)
            made = made.rename(made.with_name(f"lung-5-reading{reading}-v1"))
            FhirServer("ehr", server.url, timeout_s=10.0).send(STUDY, made)
    assert holding.states == ["final", "final"]
