"""Certificates for tests of TLS: an authority, and whom it vouches for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="cryptography is not installed")
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, PEM files."""

    certificate: Path
    key: Path


def an_authority(folder: Path, *names: str) -> tuple[Path, dict[str, Identity]]:
    """Make an authority and one identity a name, each valid for 127.0.0.1 and localhost."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    pem = serialization.Encoding.PEM

    def named(name):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def builder(name, key, issuer):
        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=2))
        )

    root = ec.generate_private_key(ec.SECP256R1())
    no = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        False,
    )
    no |= dict.fromkeys(("key_agreement", "encipher_only", "decipher_only"), False)
    usage = x509.KeyUsage(**no, key_cert_sign=True, crl_sign=True)
    authority = (
        builder("authority", root, "authority")
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(root.public_key()), critical=False
        )
        .sign(root, hashes.SHA256())
    )
    (folder / "authority.pem").write_bytes(authority.public_bytes(pem))
    made = {}
    for name in names:
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.IPAddress(ip_address("127.0.0.1"))
        alternatives = x509.SubjectAlternativeName([x509.DNSName("localhost"), address])
        certificate = (
            builder(name, key, "authority")
            .add_extension(alternatives, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()),
                critical=False,
            )
            .sign(root, hashes.SHA256())
        )
        identity = Identity(folder / f"{name}.pem", folder / f"{name}.key")
        identity.certificate.write_bytes(certificate.public_bytes(pem))
        plain = serialization.NoEncryption()
        traditional = serialization.PrivateFormat.PKCS8
        identity.key.write_bytes(key.private_bytes(pem, traditional, plain))
        made[name] = identity
    return folder / "authority.pem", made
