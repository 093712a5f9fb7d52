"""The sections of medloop.toml: strict, with defaults that are safe."""

from dataclasses import fields

import pytest

from medloop.apps.console import UsageError
from medloop.apps.loopback import is_loopback
from medloop.apps.peers import DicomDestination, FolderDestination
from medloop.apps.settings import SECTIONS, load_settings
from medloop.apps.site import Site, load_site

WHOLE = """
language = "zh"

[dicom]
ae_title = "NODE"
accept = ["CT1", "PACS@10.0.0.5", "@10.1.0.0/16"]

[web]
host = "0.0.0.0"
port = 8443
tls_certificate = "tls/node.pem"
tls_key = "/etc/tls/node.key"

[receive]
quiet_s = 5
folders = ["in"]

[users]
password_min = 14
[users.openid]
issuer = "https://login.example"
client_id = "medloop"
roles = { radiology = "reader", it = "administrator" }

[audit.syslog]
host = "log.example"

[[destination]]
kind = "dicom"
name = "pacs"
host = "10.0.0.5"
port = 104
ae_title = "PACS"
commitment = true

[[destination]]
kind = "folder"
name = "share"
path = "out"

[[source]]
name = "pacs"
host = "10.0.0.5"
ae_title = "PACS"
retrieval = "move"
"""


def load(tmp_path, text):
    file = tmp_path / "medloop.toml"
    file.write_text(text, encoding="utf-8")
    return load_site({"MEDLOOP_CONFIG": str(file)})


def test_a_whole_file_is_read(tmp_path):
    site = load(tmp_path, WHOLE)
    assert site.dicom.accept == ("CT1", "PACS@10.0.0.5", "@10.1.0.0/16")
    assert site.web.has_tls
    assert site.web.tls_certificate == tmp_path / "tls/node.pem"
    assert str(site.web.tls_key) == "/etc/tls/node.key"
    assert site.receive.quiet_s == 5.0
    assert site.receive.folders == (tmp_path / "in",)
    assert site.users.openid.roles["it"] == "administrator"
    assert site.audit.syslog.port == 6514
    assert site.destinations == (
        DicomDestination("pacs", "10.0.0.5", 104, "PACS", commitment=True),
        FolderDestination("share", tmp_path / "out"),
    )
    assert site.sources[0].retrieval == "move"


def test_the_settings_of_every_command_pass_over_the_sections(tmp_path):
    (tmp_path / "medloop.toml").write_text(WHOLE, encoding="utf-8")
    settings = load_settings({"MEDLOOP_CONFIG": str(tmp_path / "medloop.toml")})
    assert settings.language == "zh"


def test_both_readers_of_the_file_know_the_same_sections():
    plural = {"destinations": "destination", "sources": "source"}
    assert {plural.get(field.name, field.name) for field in fields(Site)} == set(SECTIONS)


def test_without_a_file_nothing_listens_beyond_this_machine(tmp_path):
    site = load_site({"XDG_CONFIG_HOME": str(tmp_path)})
    assert site == Site()
    assert is_loopback(site.web.host)
    assert is_loopback(site.dicom.host)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web = 1", r"\[web\] must be a table"),
        ("[web]\ncolor = 1", r"\[web\]: unknown key 'color'; known are host, port"),
        ("[web]\nport = '80'", r"\[web\]: port must be a whole number, got str"),
        ("[web]\nport = true", "port must be a whole number, got bool"),
        ("[web]\nport = 70000", r"\[web\]: port 70000 is not between"),
        ("[web]\ntls_key = 'a'", "certificate and its key belong together"),
        ("[web]\nmax_body_mb = 0", "max_body_mb 0 is not above 0"),
        ("[web]\nurl = 'node.example'", "url must start with https://"),
        ("[dicom]\naccept = 'a'", "accept must be a list, got str"),
        ("[dicom]\naccept = [1]", "accept must be text, got int"),
        ("[dicom]\nae_title = 'A TITLE THAT IS TOO LONG'", "ae_title must have 1 to 16"),
        ("[dicom]\ntls_authority = 'a'", "tls_authority needs tls_certificate"),
        ("[receive]\nquiet_s = 'x'", "quiet_s must be a number"),
        ("[receive]\nquiet_s = -1", "quiet_s -1 is not above 0"),
        ("[users]\npassword_min = 4", "password_min 4 is below 8"),
        ("[users.openid]\nissuer = 'https://a'", "openid needs client_id"),
        ("[users.openid]\nissuer = 'http://a'\nclient_id = 'b'", "issuer must be an https"),
        (
            "[users.openid]\nissuer = 'http://127.0.0.1.a.example'\nclient_id = 'b'",
            "issuer must be an https",
        ),
        (
            "[users.openid]\nissuer = 'https://a'\nclient_id = 'b'\nroles = {x = 'king'}",
            "no role 'king'; there are viewer",
        ),
        (
            "[users.openid]\nissuer = 'https://a'\nclient_id = 'b'\nroles = 1",
            "roles must be a table",
        ),
        ("[[destination]]\nname = 'a'", "needs kind: one of dicom, dicomweb, folder"),
        ("[[destination]]\nkind = 'fax'\nname = 'a'", "needs kind: one of"),
        ("[[destination]]\nkind = 'folder'\nname = 'a'", "of kind folder needs path"),
        ("[[destination]]\nkind = 'folder'\nname = 'a'\npath = ''", "path must be a path"),
        ("[[destination]]\nkind = 'folder'\nname = 'a'\npath = 'b'\nport = 1", "unknown key"),
        ("[destination]\nkind = 'folder'", r"must be written \[\[destination\]\]"),
        ("destination = [1]", "needs kind"),
        ("source = [1]", r"\[\[source\]\] must be a table"),
        ("[[source]]\nname = 'a'\nretrieval = 'wado'", "by wado needs url"),
        ("[[source]]\nname = 'a'", "by get needs host and ae_title"),
        ("[organization]\nname = 'a\\b'", "no backslash"),
        (f"[organization]\nname = '{'x' * 65}'", "64 characters at most"),
        ("[[source]]\nname = 'a'\nretrieval = 'x'", "one of move, get, wado, got 'x'"),
        (
            "[[source]]\nname = 'a'\nhost = 'b'\nae_title = 'c'\n" * 2,
            "two sources are named 'a'",
        ),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(tmp_path, text, said):
    with pytest.raises(UsageError, match=said) as refused:
        load(tmp_path, text)
    assert "\n" not in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_an_organization_has_a_name(tmp_path):
    assert load(tmp_path, "").organization.name == ""
    said = '[organization]\nname = "First Hospital 第一医院"'
    assert load(tmp_path, said).organization.name == "First Hospital 第一医院"
