"""What medloop.toml names as destinations becomes what sends to them."""

import tomllib

import pytest

pytest.importorskip("pynetdicom", reason="pynetdicom is not installed")
pytest.importorskip("httpx", reason="httpx is not installed")
pytest.importorskip("hl7", reason="hl7 is not installed")
from medloop.apps.console import UsageError
from medloop.apps.destinations import COMMITMENTS, build_destinations
from medloop.apps.notify.fhir import FhirServer, Release
from medloop.apps.notify.mllp import MllpReceiver
from medloop.apps.notify.oru import CHARACTER_SETS, Envelope
from medloop.apps.notify.webhook import Webhook
from medloop.apps.peers import ENCODINGS, OBJECTS
from medloop.apps.site import Site, site_of
from medloop.dicom.net.sender import DicomNode
from medloop.dicom.objects import ORDER
from medloop.dicom.web.client import StowServer
from medloop.dicom.web.source import Access
from medloop.workflow.dispatch import FolderDestination
from tests.certificates import an_authority

WHOLE = """
[dicom]
ae_title = "NODE"
[web]
url = "https://node.example"
[[destination]]
kind = "dicom"
name = "pacs"
host = "pacs.example"
port = 104
ae_title = "PACS"
commitment = true
objects = ["sr", "report"]
tls = true
tls_authority = "authority.pem"
tls_certificate = "medloop.pem"
tls_key = "medloop.key"
[[destination]]
kind = "dicomweb"
name = "vna"
url = "https://vna.example/dicom-web"
user = "node"
secret_file = "secret"
timeout_s = 5
[[destination]]
kind = "folder"
name = "share"
path = "share"
[[destination]]
kind = "webhook"
name = "hook"
url = "https://hook.example"
secret_file = "secret"
[[destination]]
kind = "hl7"
name = "ris"
host = "ris.example"
port = 2575
application = "RIS"
facility = "Ward"
encoding = "gb18030"
report = true
[[destination]]
kind = "fhir"
name = "ehr"
url = "https://ehr.example/fhir"
release = "R5"
identifiers = "urn:ward"
secret_file = "secret"
"""


def a_site(folder, text=WHOLE) -> Site:
    return site_of(tomllib.loads(text), folder)


def test_each_kind_is_built_as_it_is_described(tmp_path):
    an_authority(tmp_path, "medloop")
    (tmp_path / "secret").write_text("s3cret\n")
    built = build_destinations(a_site(tmp_path), tmp_path)
    pacs = built["pacs"]
    assert isinstance(pacs, DicomNode)
    assert pacs.tls is not None
    assert (pacs.calling, pacs.objects, pacs.commitment) == ("NODE", ("sr", "report"), True)
    assert pacs.ledger == tmp_path / COMMITMENTS
    assert built["vna"] == StowServer(
        "vna", "https://vna.example/dicom-web", Access("node", "s3cret"), timeout_s=5
    )
    assert built["share"] == FolderDestination(tmp_path / "share")
    hook = built["hook"]
    assert isinstance(hook, Webhook)
    assert (hook.secret, hook.page) == ("s3cret", "https://node.example")
    assert hook.hashed("1.2.3") == hook.hashed("1.2.3") != "1.2.3"
    ris = built["ris"]
    assert isinstance(ris, MllpReceiver)
    assert ris.envelope == Envelope("RIS", "Ward", encoding="gb18030", has_report=True)
    assert built["ehr"] == FhirServer(
        "ehr", "https://ehr.example/fhir", Access("", "s3cret"), Release.R5, "urn:ward"
    )
    assert "s3cret" not in repr(built)


@pytest.mark.parametrize("name", ["pacs", "vna"])
def test_a_file_that_is_missing_is_told_at_the_start(tmp_path, name):
    start = WHOLE.index(f'name = "{name}"')
    table = "[[destination]]\n" + WHOLE[WHOLE.rindex("kind", 0, start) :].partition("[[")[0]
    with pytest.raises(UsageError, match="No such file"):
        build_destinations(a_site(tmp_path, table), tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("objects = ['dose']", "no 'dose'; there are photograph, seg"),
        ("timeout_s = 0", "timeout_s 0 is not above 0"),
        ("commitment_s = -1", "commitment_s -1 is not above 0"),
        ("tls_key = 'a'", "certificate and its key belong together"),
    ],
)
def test_a_value_that_means_nothing_is_told(tmp_path, line, said):
    table = (
        "[[destination]]\nkind = 'dicom'\nname = 'a'\nhost = 'b'\nport = 104\nae_title = 'C'\n"
    )
    with pytest.raises(UsageError, match=said):
        a_site(tmp_path, table + line)


def test_what_may_be_written_in_settings_is_what_the_parts_know():
    assert sorted(ENCODINGS) == sorted(CHARACTER_SETS)
    assert OBJECTS == ORDER
