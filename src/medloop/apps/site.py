"""What one site's node is told: the sections of medloop.toml, one frozen dataclass each.

The plain keys of the same file are `settings.Settings`. Paths that are relative start at the
folder of the file. A secret is never in the file: it stands in a file of its own.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from medloop.apps.console import UsageError
from medloop.apps.loopback import is_loopback
from medloop.apps.peers import Destination, Retrieval, Source, read_destination
from medloop.apps.sections import read_section, require_pair, require_port, require_positive
from medloop.apps.settings import read_settings_file
from medloop.core.flush import Flush
from medloop.workflow.after import After

T = TypeVar("T")
_LOCAL: Final = "127.0.0.1"
ROLES: Final = ("viewer", "reader", "annotator", "administrator", "service")


@dataclass(frozen=True, slots=True)
class DicomSettings:
    """The DICOM listener.

    `accept` lists who may call: ``AE``, ``AE@address``, ``@address`` or ``@network/bits``;
    empty lets everybody in. With `tls_authority` a caller must show a certificate it signed.
    """

    ae_title: str = "MEDLOOP"
    host: str = _LOCAL
    port: int = 11112
    accept: tuple[str, ...] = ()
    max_associations: int = 32
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_authority: Path | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.ae_title.strip()) <= 16 or "\\" in self.ae_title:
            raise UsageError("ae_title must have 1 to 16 characters and no backslash")
        require_port(self.port)
        require_positive(max_associations=self.max_associations)
        require_pair(self.tls_certificate, self.tls_key)
        if self.tls_authority and not self.tls_certificate:
            raise UsageError("tls_authority needs tls_certificate and tls_key")


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The web server: page, DICOMweb, uploads.

    `url` is how browsers reach it, needed behind a proxy and for OpenID Connect.
    `fetch_niivue` lets it fetch what shows volumes in 3-D, where that is missing.
    """

    host: str = _LOCAL
    port: int = 8080
    url: str = ""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    max_body_mb: int = 8
    max_upload_mb: int = 4096
    requests_per_minute: int = 6000
    fetch_niivue: bool = True

    def __post_init__(self) -> None:
        require_port(self.port)
        require_positive(
            max_body_mb=self.max_body_mb,
            max_upload_mb=self.max_upload_mb,
            requests_per_minute=self.requests_per_minute,
        )
        require_pair(self.tls_certificate, self.tls_key)
        if self.url and not self.url.startswith(("https://", "http://")):
            raise UsageError("url must start with https:// or http://")

    @property
    def has_tls(self) -> bool:
        """Whether the server itself speaks TLS."""
        return self.tls_certificate is not None

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it through TLS, its own or a proxy's."""
        return self.has_tls or self.url.startswith("https://")


@dataclass(frozen=True, slots=True)
class ReceiveSettings:
    """How studies come in: when one counts as whole, folders to watch, room to keep free.

    A file in a watched folder is read when it has not changed for `folders_still_s`. `flush`
    says when an object is acknowledged: when it is on the disk, or when the kernel has it.
    """

    quiet_s: float = 15.0
    folders: tuple[Path, ...] = ()
    folders_after: After = After.MOVE
    folders_still_s: float = 5.0
    max_object_mb: int = 4096
    reserve_gb: float = 2.0
    flush: Flush = Flush.EACH

    def __post_init__(self) -> None:
        require_positive(
            quiet_s=self.quiet_s,
            folders_still_s=self.folders_still_s,
            max_object_mb=self.max_object_mb,
        )
        if self.reserve_gb < 0:
            raise UsageError(f"reserve_gb {self.reserve_gb:g} is below 0")


@dataclass(frozen=True, slots=True)
class OpenIdSettings:
    """Sign-in by OpenID Connect: the provider, and which claim names the role.

    `roles` maps values of `claim` to roles of ours; whoever has none of them stays outside.
    """

    issuer: str
    client_id: str
    client_secret_file: Path | None = None
    claim: str = "roles"
    roles: Mapping[str, str] = field(default_factory=dict)
    name_claim: str = "preferred_username"
    scopes: str = "openid profile"
    authority: Path | None = None

    def __post_init__(self) -> None:
        issuer = urlsplit(self.issuer)
        is_safe = issuer.scheme == "https" or is_loopback(issuer.hostname or "")
        if not is_safe or not issuer.hostname:
            raise UsageError("issuer must be an https:// address")
        unknown = sorted(set(self.roles.values()) - set(ROLES))
        if unknown:
            raise UsageError(f"roles: no role {unknown[0]!r}; there are {', '.join(ROLES)}")


@dataclass(frozen=True, slots=True)
class UserSettings:
    """Passwords and sessions; `openid` adds a provider."""

    password_min: int = 12
    session_idle_min: int = 30
    session_hours: int = 12
    tries: int = 5
    token_days: int = 365
    openid: OpenIdSettings | None = None

    def __post_init__(self) -> None:
        require_positive(
            session_idle_min=self.session_idle_min,
            session_hours=self.session_hours,
            tries=self.tries,
            token_days=self.token_days,
        )
        if self.password_min < 8:
            raise UsageError(f"password_min {self.password_min} is below 8")


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """How long what arrived is kept; 0 keeps it for ever.

    With the name of a source, the studies stay in that PACS: they are listed here, and what
    is analyzed is fetched into a cache.
    """

    keep_days: int = 0
    max_gb: float = 0.0
    source: str = ""
    cache_gb: float = 20.0

    def __post_init__(self) -> None:
        if self.keep_days < 0 or self.max_gb < 0:
            raise UsageError("keep_days and max_gb may not be below 0")
        require_positive(cache_gb=self.cache_gb)


@dataclass(frozen=True, slots=True)
class JobSettings:
    """How jobs are done: by how many processes, for how long at most, and which go first.

    `timeouts_min` are by analysis; `priority` by analysis or modality (the highest counts).
    Results are offered to a destination that is away for `send_days`.
    """

    workers: int = 1
    timeout_min: float = 15.0
    timeouts_min: Mapping[str, float] = field(default_factory=dict)
    priority: Mapping[str, int] = field(default_factory=dict)
    send_days: int = 3

    def __post_init__(self) -> None:
        require_positive(timeout_min=self.timeout_min, **self.timeouts_min)
        if self.workers < 0 or self.send_days < 0:
            raise UsageError("workers and send_days may not be below 0")


@dataclass(frozen=True, slots=True)
class OrganizationSettings:
    """Whose node it is: `name` stands in signed reports, and in their SR (LO, PS3.5 6.2)."""

    name: str = ""

    def __post_init__(self) -> None:
        if len(self.name) > 64 or "\\" in self.name or not self.name.isprintable():
            raise UsageError("name must have 64 characters at most, in one line, no backslash")


@dataclass(frozen=True, slots=True)
class ReadingSettings:
    """How results are read: by how many readers apart, and how well they must agree.

    `readers_of` is by analysis. Labels whose readers agree less than `kappa_min` are trained
    on once they are adjudicated.
    """

    readers: int = 1
    readers_of: Mapping[str, int] = field(default_factory=dict)
    kappa_min: float = 0.6

    def __post_init__(self) -> None:
        require_positive(readers=self.readers, **self.readers_of)
        if not -1 <= self.kappa_min <= 1:
            raise UsageError(f"kappa_min {self.kappa_min:g} is not between -1 and 1")

    def wanted(self, analysis: str) -> int:
        """Say how many readers read each result of an analysis."""
        return self.readers_of.get(analysis, self.readers)


@dataclass(frozen=True, slots=True)
class SyslogSettings:
    """An audit repository that speaks syslog over TLS (RFC 5425)."""

    host: str
    port: int = 6514
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        require_port(self.port)
        require_pair(self.certificate, self.key)


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Who else keeps the audit trail (IHE ATNA)."""

    source: str = "medloop"
    syslog: SyslogSettings | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """All sections, each with its defaults where the file is silent."""

    dicom: DicomSettings = DicomSettings()
    web: WebSettings = WebSettings()
    receive: ReceiveSettings = ReceiveSettings()
    users: UserSettings = UserSettings()
    archive: ArchiveSettings = ArchiveSettings()
    jobs: JobSettings = field(default_factory=JobSettings)
    audit: AuditSettings = AuditSettings()
    reading: ReadingSettings = field(default_factory=ReadingSettings)
    organization: OrganizationSettings = OrganizationSettings()
    destinations: tuple[Destination, ...] = ()
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        for what, peers in (("destination", self.destinations), ("source", self.sources)):
            names = [peer.name for peer in peers]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise UsageError(f"two {what}s are named {twice[0]!r}")
        if self.archive.source and not any(
            each.name == self.archive.source and each.retrieval is Retrieval.WADO and each.every
            for each in self.sources
        ):
            named = self.archive.source
            raise UsageError(f"[archive] source {named!r} is no [[source]] by wado with every")


def load_site(environment: Mapping[str, str] | None = None) -> Site:
    """Read the sections of the settings file; without a file, all defaults.

    Raises
    ------
    UsageError
        If the file cannot be read, or holds a section, key or value that means nothing.
    """
    file, values = read_settings_file(os.environ if environment is None else environment)
    try:
        return site_of(values, file.parent)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None


def site_of(values: Mapping[str, object], base: Path) -> Site:
    """Build a site of a parsed file; paths start at `base`. Raises as `load_site` does."""

    def section(name: str, kind: type[T]) -> T:
        return read_section(kind, values.get(name, {}), f"[{name}]", base)

    return Site(
        dicom=section("dicom", DicomSettings),
        web=section("web", WebSettings),
        receive=section("receive", ReceiveSettings),
        users=section("users", UserSettings),
        archive=section("archive", ArchiveSettings),
        jobs=section("jobs", JobSettings),
        audit=section("audit", AuditSettings),
        reading=section("reading", ReadingSettings),
        organization=section("organization", OrganizationSettings),
        destinations=tuple(
            read_destination(table, base) for table in _tables(values, "destination")
        ),
        sources=tuple(
            read_section(Source, table, "[[source]]", base)
            for table in _tables(values, "source")
        ),
    )


def _tables(values: Mapping[str, object], name: str) -> list[object]:
    tables = values.get(name, [])
    if not isinstance(tables, list):
        raise UsageError(f"{name} must be written [[{name}]], once for each")
    return tables
