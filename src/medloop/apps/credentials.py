"""What proves who we are to others: secrets and certificates, read from files."""

import os
import ssl
from pathlib import Path

from medloop.apps.console import UsageError
from medloop.apps.peers import (
    DicomDestination,
    DicomwebDestination,
    FhirDestination,
    Hl7Destination,
    Source,
)

Certified = DicomDestination | DicomwebDestination | Hl7Destination | FhirDestination | Source


def read_secret(file: Path | None, variable: str = "") -> str:
    """Read the first line of a file, or without one a variable; empty if there is neither.

    Raises
    ------
    UsageError
        If the file cannot be read.
    """
    if file is None:
        return os.environ.get(variable, "")
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "is no text"
        raise UsageError(f"{file}: {said}") from None


def pair_of(peer: Certified) -> tuple[Path, Path] | None:
    """Return our certificate towards a peer with its key, if it is to see one."""
    if peer.tls_certificate and peer.tls_key:
        return peer.tls_certificate, peer.tls_key
    return None


def client_context(peer: Certified, name: str) -> ssl.SSLContext:
    """Prepare TLS towards a peer, named so in messages: who vouches for it, and our pair.

    Raises
    ------
    UsageError
        If a file cannot be used.
    """
    pair = pair_of(peer)
    try:
        context = ssl.create_default_context(cafile=peer.tls_authority)
        if pair:
            context.load_cert_chain(*pair)
    except (OSError, ssl.SSLError) as error:
        said = error.strerror or type(error).__name__
        raise UsageError(f"{name}: TLS files cannot be used: {said}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
