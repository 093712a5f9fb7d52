"""Names for what we write: the same input and the same weights always make the same UIDs."""

import hashlib
import uuid

from medloop.core.finding import Provenance

# Implementation Class UID of every file meta header (PS3.7 D.3.3.2).
IMPLEMENTATION_UID = "2.25.118603899679479080281088664538284791214"
IMPLEMENTATION_NAME = "MEDLOOP"


def uid_from(*parts: str) -> str:
    """Make a UUID-derived UID (PS3.5 B.2) from the SHA-256 of `parts`."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def result_uid(provenance: Provenance, role: str) -> str:
    """Name one object of a result; `role` is ``"seg"``, ``"sr series"``, ``"label 3"``, ...

    The time at which a result was made plays no part, so a second run names the same objects.
    Each signed version of it has names of its own.
    """
    weights = (
        f"{w.bundle} {w.version} {w.sha256}"
        + ("" if w.precision == "fp32" else f" {w.precision}")
        for w in provenance.weights
    )
    signed = provenance.attested
    version = (f"reading {signed.reading}", signed.statement) if signed else ()
    return uid_from(
        provenance.input_sha256,
        *provenance.inputs,
        f"{provenance.analysis} {provenance.version}",
        *weights,
        *version,
        role,
    )
