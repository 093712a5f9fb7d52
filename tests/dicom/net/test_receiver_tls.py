"""With TLS only who shows a certificate of the site's own authority gets in."""

import datetime as dt
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from medloop.core.errors import InputError
from medloop.dicom.net.tls import server_context
from tests.dicom.net.inlets import a_receiver

x509 = pytest.importorskip("cryptography.x509")
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402


@dataclass(frozen=True)
class Identity:
    certificate: Path
    key: Path


def issue(folder: Path, name: str, *, by: tuple | None = None) -> tuple[Identity, tuple]:
    """A certificate and its key, signed by itself or by another."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer, signer = by or (subject, key)
    today = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
    files = Identity(folder / f"{name}.crt", folder / f"{name}.key")
    files.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files, (subject, key)


@pytest.fixture
def site(tmp_path):
    authority, signer = issue(tmp_path, "authority")
    _, other = issue(tmp_path, "stranger-authority")
    return {
        "authority": authority,
        "node": issue(tmp_path, "node", by=signer)[0],
        "scanner": issue(tmp_path, "scanner", by=signer)[0],
        "stranger": issue(tmp_path, "stranger", by=other)[0],
    }


@pytest.fixture
def desk(site, tmp_path):
    files = {
        "tls_certificate": site["node"].certificate,
        "tls_key": site["node"].key,
        "tls_authority": site["authority"].certificate,
    }
    with a_receiver(tmp_path, **files) as made:
        yield made


def echo(port: int, *options: object) -> int:
    found = shutil.which("echoscu")
    if found is None:
        pytest.skip("dcmtk's echoscu is not installed")
    command = [found, "-aec", "MEDLOOP", "-to", "5", *map(str, options), "127.0.0.1", str(port)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


def with_certificate(who: Identity, authority: Identity) -> tuple:
    return ("+tls", who.key, who.certificate, "+cf", authority.certificate)


def test_a_certificate_of_the_authority_opens(desk, site):
    assert echo(desk.port, *with_certificate(site["scanner"], site["authority"])) == 0


def test_without_or_with_a_strange_certificate_nobody_gets_in(desk, site):
    assert echo(desk.port) != 0
    assert echo(desk.port, "+tla", "+cf", site["authority"].certificate) != 0
    assert echo(desk.port, *with_certificate(site["stranger"], site["authority"])) != 0
    assert echo(desk.port, *with_certificate(site["scanner"], site["authority"])) == 0


def test_a_caller_that_never_shakes_hands_keeps_nobody_out(desk, site):
    with socket.create_connection(("127.0.0.1", desk.port)):
        assert echo(desk.port, *with_certificate(site["scanner"], site["authority"])) == 0


def test_a_key_of_another_certificate_is_bad_input(site):
    with pytest.raises(InputError, match=r"TLS certificate .* or key"):
        server_context(site["node"].certificate, site["scanner"].key, None)


def test_a_file_that_is_missing_is_bad_input(site, tmp_path):
    with pytest.raises(InputError, match="authority"):
        server_context(site["node"].certificate, site["node"].key, tmp_path / "none")
