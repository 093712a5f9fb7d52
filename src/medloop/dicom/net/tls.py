"""TLS with mutual authentication (PS3.15 B.9: BCP 195)."""

import ssl
from pathlib import Path

from medloop.core.errors import InputError


def server_context(certificate: Path, key: Path, authority: Path | None) -> ssl.SSLContext:
    """Make what a listener needs; with an authority, callers show a certificate of it.

    Raises
    ------
    InputError
        If a file cannot be read or is no certificate or key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, certificate, key)
    if authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(authority)
        except (OSError, ssl.SSLError) as error:
            raise InputError(
                f"TLS authority {authority} cannot be used: {_said(error)}"
            ) from error
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        pair = f"TLS certificate {certificate} or key {key}"
        raise InputError(f"{pair} cannot be used: {_said(error)}") from error


def _said(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error.strerror or type(error).__name__)
