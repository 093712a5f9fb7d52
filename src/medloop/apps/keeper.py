"""The process of a node that indexes, settles, sends, pulls and looks after what is kept."""

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from medloop.apps.bootstrap import choose_analyses
from medloop.apps.destinations import build_destinations
from medloop.apps.duties import Duty, keep_at
from medloop.apps.opening import opened
from medloop.apps.settings import Settings, read_settings_file
from medloop.apps.site import Site
from medloop.apps.sources import archive_of, listed_of, rules_of
from medloop.apps.syslog import forward
from medloop.store.job import tries_within
from medloop.store.offers import Offers
from medloop.store.retention import Rules, prune
from medloop.workflow.delivery import deliver
from medloop.workflow.describing import describe_settled
from medloop.workflow.indexing import LOOK_S, Indexing
from medloop.workflow.listing import Listing
from medloop.workflow.pull import Polling
from medloop.workflow.ranking import rank_earlier
from medloop.workflow.reissue import Press, issue_due
from medloop.workflow.watchdog import look_after
from medloop.workflow.watched import Folder, Watch

if TYPE_CHECKING:
    from medloop.store import Store
    from medloop.store.spool import Spool
    from medloop.workflow.reception import Reception

_SETTLE_S: Final = 0.25
_DELIVER_S: Final = 0.5
_ISSUE_S: Final = 0.5
_WATCH_S: Final = 5.0
_FOLDER_S: Final = 2.0
_RETENTION_S: Final = 3600.0
_OFFER_S: Final = 3600.0


def keep(settings: Settings, site: Site) -> None:
    """Do the duties of a node until interrupted.

    Raises
    ------
    UsageError
        If settings cannot be meant.
    ServiceError
        If the store cannot be opened.
    """
    name = keeper_name(settings)
    with opened(settings, site) as (store, spool, reception):
        duties = (
            *_of_arrival(spool, reception, settings),
            _of_metadata(store),
            _of_signing(store, site, name),
            *_of_delivery(store, site, name),
            *_of_folders(reception, site),
            *_of_pulling(reception, site),
            *_of_listing(reception, settings, site),
            *_of_upkeep(store, site),
        )
        stop = threading.Event()
        try:
            keep_at(duties, stop)
        finally:
            stop.set()


def keeper_name(settings: Settings) -> str:
    """Name the keeper of a node: the same after a restart, another for each node of a host."""
    file, _ = read_settings_file(os.environ)
    place = f"{settings.home.absolute()}\n{file.absolute()}"
    return f"{socket.gethostname()}-keeper-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def _of_arrival(spool: "Spool", reception: "Reception", settings: Settings) -> tuple[Duty, ...]:
    @cache
    def routing() -> "Reception":
        # A bundle that is damaged holds up what needs it, and not what arrives.
        return replace(reception, analyses=choose_analyses((), settings))

    indexing = Indexing(reception)

    def spare() -> None:
        spool.prepare()

    return (
        Duty("index", lambda: indexing.look(_now()), LOOK_S),
        Duty("settle", lambda: routing().settle(_now()), _SETTLE_S),
        Duty("spare segments", spare, _WATCH_S),
    )


def _of_metadata(store: "Store") -> Duty:
    since = [_now()]  # what settled before is read when somebody asks

    def describe() -> None:
        since[0] = describe_settled(store, since[0], now=_now())

    return Duty("metadata", describe, _FOLDER_S)


def _of_signing(store: "Store", site: Site, name: str) -> Duty:
    wanted = {each.name: each.analyses for each in site.destinations}
    press = Press(archive_of(store, site), _now, wanted, name)
    return Duty("signed reports", lambda: issue_due(store, press), _ISSUE_S)


def _of_delivery(store: "Store", site: Site, worker: str) -> tuple[Duty, ...]:
    destinations = build_destinations(site, store.root)
    known = tuple(destinations)
    tries = tries_within(timedelta(days=site.jobs.send_days))

    def to(name: str) -> Callable[[], int]:
        one = {name: destinations[name]}
        return lambda: deliver(store, one, _now, worker=worker, known=known, tries=tries)

    def offer() -> None:
        Offers(store.database).note(worker, known, now=_now())

    # What an earlier medloop noted for all nodes of this host, each of which notes its own now.
    Offers(store.database).note(f"{socket.gethostname()}-keeper", (), now=_now())
    offer()
    duties = [Duty(f"deliveries to {name}", to(name), _DELIVER_S) for name in known]
    if not known:
        lonely = Duty("deliveries", lambda: deliver(store, {}, _now, worker=worker), _WATCH_S)
        duties.append(lonely)
    return (*duties, Duty("offers", offer, _OFFER_S))


def _of_folders(reception: "Reception", site: Site) -> tuple[Duty, ...]:
    own = site.receive

    def look_into(path: Path) -> Callable[[], int]:
        watch = Watch(Folder(path, own.folders_after, own.folders_still_s), reception)
        return lambda: watch.poll(time.monotonic())

    return tuple(Duty(f"folder {path}", look_into(path), _FOLDER_S) for path in own.folders)


def _of_pulling(reception: "Reception", site: Site) -> tuple[Duty, ...]:
    rules = rules_of(site)
    if not rules:
        return ()
    polling = Polling(rules, reception)

    def poll() -> None:
        polling.poll(_now())

    return (Duty("pull", poll, _WATCH_S),)


def _of_listing(reception: "Reception", settings: Settings, site: Site) -> tuple[Duty, ...]:
    """List what stays in the PACS that is the archive."""
    found = listed_of(reception.store, site)
    if found is None:
        return ()
    archive, rule = found
    analyses = cache(lambda: choose_analyses((), settings))
    quiet_s, urgency = reception.quiet_s, reception.urgency
    listing = Listing(rule, archive, reception.store, analyses, quiet_s, urgency)
    return (Duty("listing", lambda: listing.poll(_now()), _WATCH_S),)


def _of_upkeep(store: "Store", site: Site) -> tuple[Duty, ...]:
    own = site.archive
    duties = [
        Duty("watchdog", lambda: look_after(store, now=_now()), _WATCH_S),
        Duty("urgency of earlier results", lambda: rank_earlier(store), _RETENTION_S),
    ]
    if site.audit.syslog:
        duties.append(Duty("audit repository", lambda: forward(store, site.audit), _WATCH_S))
    if own.keep_days or own.max_gb:
        rules = Rules(own.keep_days, int(own.max_gb * 1e9))

        def let_go() -> None:
            prune(store, rules, actor="node", now=_now())

        duties.append(Duty("retention", let_go, _RETENTION_S))
    return tuple(duties)


def _now() -> datetime:
    return datetime.now(UTC)
