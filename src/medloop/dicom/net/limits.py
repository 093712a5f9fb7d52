"""Who may call the receiver, and how much it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final

from medloop.core.errors import InputError

MAX_PDU: Final = 256 * 1024  # bytes of one P-DATA-TF (PS3.8 D.1)
MAX_ANY_PDU: Final = 1024 * 1024  # bytes of a PDU of any type: associations may be longer

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Caller:
    """One line of the list of who may call; None stands for any."""

    ae_title: str | None
    network: Network | None


@dataclass(frozen=True, slots=True)
class Listening:
    """Where and how to listen.

    `accept` lists who may call: ``AE``, ``AE@address``, ``@address`` or ``@network/bits``;
    empty lets everybody in. With `tls_authority` a caller must show a certificate it signed.
    `peers` maps AE titles to host and port, for reports of storage commitment; whoever is not
    in it gets them on the association that asked.
    """

    ae_title: str = "MEDLOOP"
    host: str = "127.0.0.1"
    port: int = 11112
    accept: Sequence[str] = ()
    max_associations: int = 32
    max_object_bytes: int = 4 << 30
    idle_s: float = 60.0
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_authority: Path | None = None
    peers: Mapping[str, tuple[str, int]] = field(default_factory=dict)


def read_callers(lines: Sequence[str]) -> tuple[Caller, ...]:
    """Read the list of who may call.

    Raises
    ------
    InputError
        If a line means nothing.
    """
    return tuple(_caller(line) for line in lines)


def may_call(callers: Sequence[Caller], ae_title: str, address: str) -> bool:
    """Whether an AE title at an address is on the list; an empty list has everybody."""
    if not callers:
        return True
    return any(
        each.ae_title in (None, ae_title.strip()) and _is_in(address, each.network)
        for each in callers
    )


def may_connect(callers: Sequence[Caller], address: str) -> bool:
    """Whether anybody on the list may call from an address."""
    return not callers or any(_is_in(address, each.network) for each in callers)


def _caller(line: str) -> Caller:
    title, at, network = line.strip().partition("@")
    title = title.strip()
    if len(title) > 16 or "\\" in title or not (title or network):
        raise InputError(f"no AE title, AE@address or @network: {line!r}")
    try:
        return Caller(title or None, ip_network(network.strip(), strict=False) if at else None)
    except ValueError as error:
        raise InputError(f"no address or network: {network!r}") from error


def _is_in(address: str, network: Network | None) -> bool:
    if network is None:
        return True
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped in network
    return found in network
