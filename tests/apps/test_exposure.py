"""What listens beyond this machine, and when that is refused."""

from pathlib import Path

import pytest

from medloop.apps.console import UsageError
from medloop.apps.exposure import check_certificates, check_exposed
from medloop.apps.loopback import is_loopback
from medloop.apps.site import DicomSettings, OpenIdSettings, Site, UserSettings, WebSettings

ANY = "0.0.0.0"  # noqa: S104
PROXY = "https://node.example/"
TLS = {"tls_certificate": Path("a"), "tls_key": Path("b")}
OPENID = UserSettings(openid=OpenIdSettings("https://login.example", "medloop"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_what_is_this_machine(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("site", "has_users"),
    [
        (Site(), False),
        (Site(web=WebSettings(host=ANY, **TLS)), True),
        (Site(web=WebSettings(host=ANY, **TLS), users=OPENID), False),
        (Site(dicom=DicomSettings(host=ANY, accept=("CT1",))), False),
        (Site(dicom=DicomSettings(host=ANY, **TLS, tls_authority=Path("c"))), False),
        (Site(dicom=DicomSettings(host=ANY, **TLS, accept=("CT1",))), False),
        (Site(web=WebSettings(url=PROXY)), True),
        (Site(web=WebSettings(url="http://localhost:8080/")), False),
    ],
)
def test_what_is_fenced_may_listen(site, has_users):
    check_exposed(site, has_users)


@pytest.mark.parametrize(
    ("site", "has_users", "said"),
    [
        (Site(web=WebSettings(host=ANY)), True, "no TLS"),
        (Site(web=WebSettings(host=ANY, **TLS)), False, "no users"),
        (Site(web=WebSettings(host="::")), False, "no users.*; the web has no TLS"),
        (Site(web=WebSettings(host="node.example")), True, "no TLS"),
        (Site(dicom=DicomSettings(host=ANY)), True, "nor a list of them"),
        (Site(dicom=DicomSettings(host=ANY, **TLS)), True, "callers' certificates"),
        (Site(web=WebSettings(url=PROXY)), False, "no users"),
        (Site(web=WebSettings(url="http://node.example/")), True, "no TLS"),
    ],
)
def test_what_is_open_may_listen_only_if_a_person_says_so(site, has_users, said, caplog):
    with pytest.raises(UsageError, match=said):
        check_exposed(site, has_users)
    check_exposed(site, has_users, is_insecure=True)
    assert "open to the network as asked" in caplog.text


def test_being_open_to_whoever_is_at_the_machine_is_said(caplog):
    check_exposed(Site(), has_users=False)
    assert "whoever is at this machine may do everything" in caplog.text


def test_a_certificate_that_is_not_there_is_named_before_anything_starts(tmp_path):
    pytest.importorskip("pynetdicom")
    pair = {"tls_certificate": tmp_path / "node.pem", "tls_key": tmp_path / "node.key"}
    check_certificates(Site())
    with pytest.raises(UsageError, match=r"\[web\]: .*node\.pem .* No such file") as caught:
        check_certificates(Site(web=WebSettings(**pair)))
    assert "\n" not in str(caught.value)
    for file in pair.values():
        file.write_text("no certificate", encoding="utf-8")
    with pytest.raises(UsageError, match=r"\[dicom\]: .*node\.key cannot be used"):
        check_certificates(Site(dicom=DicomSettings(**pair)))
