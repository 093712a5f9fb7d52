"""The PACS that medloop.toml names, as what pulls from them."""

from datetime import date
from typing import TYPE_CHECKING

from medloop.apps.console import UsageError
from medloop.apps.credentials import client_context, pair_of, read_secret
from medloop.apps.peers import Retrieval
from medloop.apps.peers import Source as Described
from medloop.apps.site import Site
from medloop.core.retrieve import Wanted, days_of, period_of
from medloop.store import Store
from medloop.store.cache import Cache
from medloop.workflow.ports import Source
from medloop.workflow.pull import Rule
from medloop.workflow.remote import RemoteArchive
from medloop.workflow.stored import StoreArchive

if TYPE_CHECKING:  # needs an extra
    from medloop.dicom.web.source import WebPacs


def named_source(name: str, site: Site) -> Source:
    """Build the source of a name.

    Raises
    ------
    UsageError
        If there is none, or one of its files cannot be read.
    ServiceError
        If the extra that speaks its protocol is not installed.
    """
    for described in site.sources:
        if described.name == name:
            return build_source(described, site)
    known = ", ".join(each.name for each in site.sources)
    told = f"there are {known}" if known else "medloop.toml has no [[source]]"
    raise UsageError(f"no source {name!r}; {told}")


def build_source(described: Described, site: Site) -> Source:
    """Build one source; raises as `named_source`."""
    try:
        if described.retrieval is Retrieval.WADO:
            return _web(described)
        return _dimse(described, site)
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is not installed: pip install medloop[serve]") from None


def rules_of(site: Site) -> tuple[Rule, ...]:
    """Build what the node pulls by itself; raises as `named_source`."""
    own = site.archive.source
    return tuple(_rule(each, site) for each in site.sources if each.every and each.name != own)


def archive_of(store: Store, site: Site) -> StoreArchive:
    """Build where images are read: here, or in the PACS that is the archive.

    Raises as `named_source`.
    """
    if not site.archive.source:
        return StoreArchive(store)
    return StoreArchive(store, elsewhere=_remote(store, site)[0])


def listed_of(store: Store, site: Site) -> tuple[RemoteArchive, Rule] | None:
    """Build the PACS that is the archive, and what of it is listed; None where none is.

    Raises as `named_source`.
    """
    if not site.archive.source:
        return None
    archive, described = _remote(store, site)
    return archive, _rule(described, site)


def _remote(store: Store, site: Site) -> tuple[RemoteArchive, Described]:
    own = site.archive
    (described,) = (each for each in site.sources if each.name == own.source)
    cache = Cache(store.root / "cache", int(own.cache_gb * 2**30))
    return RemoteArchive(_web(described), cache), described


def _rule(described: Described, site: Site) -> Rule:
    wanted = Wanted(modality=described.modality)
    return Rule(
        build_source(described, site), period_of(described.every), described.days, wanted
    )


def wanted_days(text: str, *, today: date) -> tuple[date | None, date | None]:
    """Read days from the command line.

    Raises
    ------
    UsageError
        If they mean nothing.
    """
    try:
        return days_of(text, today=today)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _web(described: Described) -> "WebPacs":
    from medloop.dicom.web.source import Access, WebPacs

    secret, pair = read_secret(described.secret_file), pair_of(described)
    access = Access(described.user, secret, described.tls_authority, pair)
    return WebPacs(described.name, described.url, access, described.timeout_s)


def _dimse(described: Described, site: Site) -> Source:
    from medloop.dicom.net.landing import Here
    from medloop.dicom.net.query import Pacs

    own = site.dicom
    listening = None
    if own.tls_certificate and own.tls_key:
        from medloop.dicom.net.tls import server_context

        listening = server_context(own.tls_certificate, own.tls_key, own.tls_authority)
    return Pacs(
        described.name,
        described.host,
        described.port,
        described.ae_title,
        Here(own.ae_title, own.host, own.port, listening),
        is_moved=described.retrieval is Retrieval.MOVE,
        tls=client_context(described, f"source {described.name}") if described.tls else None,
        timeout_s=described.timeout_s,
    )
