"""What every router is given."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from medloop.apps.settings import Settings
from medloop.apps.site import Site
from medloop.apps.web.limits import Rates
from medloop.store import Entry, Store
from medloop.store.audit import Audit
from medloop.store.sessions import Sessions, Tokens
from medloop.store.users import Users

REPEATED = timedelta(minutes=5)


class Kept(Protocol):
    """What became of one object: outcome is stored, known, conflict or refused."""

    @property
    def uid(self) -> str:
        """SOP Instance UID, empty if it could not be read."""

    @property
    def sop_class(self) -> str:
        """SOP Class UID, empty if it could not be read."""

    @property
    def outcome(self) -> str:
        """What became of it."""

    @property
    def reason(self) -> str:
        """Why, if it was not stored."""


class Inlet(Protocol):
    """Where objects go that come in by the web."""

    def store_now(self, objects: Sequence[bytes | Path], source: str) -> Sequence[Kept]:
        """Keep whole DICOM objects durably and index them."""


@dataclass(frozen=True, slots=True)
class Trail:
    """The audit log as routers write it: every deed, and now and then that one looked."""

    audit: Audit
    now: Callable[[], datetime]
    _seen: dict[tuple[str, str, str], datetime] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def did(
        self, actor: str, action: str, subject: str, details: Mapping[str, str] | None = None
    ) -> None:
        """Write down one deed."""
        self.audit.append(Entry(self.now(), actor, action, subject, details or {}))

    def saw(self, actor: str, subject: str, action: str = "looked") -> None:
        """Write down that somebody was given data of a study.

        A study is opened in hundreds of requests: the same deed within five minutes stands
        there once.
        """
        now, key = self.now(), (actor, action, subject)
        with self._lock:
            last = self._seen.get(key)
            if last is not None and now - last < REPEATED:
                return
            fresh = {k: at for k, at in self._seen.items() if now - at < REPEATED}
            self._seen.clear()
            self._seen.update(fresh)
            self._seen[key] = now
        self.did(actor, action, subject)


@dataclass(frozen=True, slots=True)
class Context:
    """The node as the web server sees it; made once, by `make_context`.

    `is_insecure` says that a person asked for a server which is open beyond this machine.
    """

    store: Store
    site: Site
    reception: Inlet
    now: Callable[[], datetime]
    users: Users
    sessions: Sessions
    tokens: Tokens
    trail: Trail
    rates: Rates
    settings: Settings
    is_insecure: bool = False


def utc_now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)


def make_context(
    store: Store,
    site: Site,
    reception: Inlet,
    *,
    now: Callable[[], datetime] = utc_now,
    settings: Settings | None = None,
    is_insecure: bool = False,
) -> Context:
    """Put together what routers are given; without `settings`, those of the store's folder."""
    return Context(
        store=store,
        site=site,
        reception=reception,
        now=now,
        users=Users(store.database),
        sessions=Sessions(store.database),
        tokens=Tokens(store.database),
        trail=Trail(store.audit, now),
        rates=Rates(site.web.requests_per_minute, now),
        settings=settings or Settings(home=store.root),
        is_insecure=is_insecure,
    )
