"""Opening the store, alone or with the way in to it, as commands and processes of a node do."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from medloop.apps.settings import Settings
from medloop.core.errors import ServiceError

if TYPE_CHECKING:  # ``medloop --help`` needs no database
    from medloop.apps.site import Site
    from medloop.store import Store
    from medloop.store.spool import Spool
    from medloop.workflow.reception import Reception


@contextmanager
def opened_store(settings: Settings) -> "Iterator[Store]":
    """Open the store; it is closed after the block.

    Results from before results had an urgency get one, so many at a time.

    Raises
    ------
    ServiceError
        If it cannot be opened.
    """
    from medloop.store import open_store
    from medloop.workflow.ranking import rank_earlier

    store = open_store(settings.home, settings.database or None)
    try:
        with suppress(ServiceError):  # the next who opens it goes on
            rank_earlier(store)
        yield store
    finally:
        store.close()


@contextmanager
def opened(settings: Settings, site: "Site") -> "Iterator[tuple[Store, Spool, Reception]]":
    """Open what every way in needs; it is closed after the block.

    Raises
    ------
    ServiceError
        If the store cannot be opened.
    """
    from medloop.store.spool import Spool
    from medloop.workflow.reception import Reception

    own = site.receive
    with opened_store(settings) as store:
        reserve = int(own.reserve_gb * 2**30)
        spool = Spool(store.root / "spool", flush=own.flush, reserve_bytes=reserve)
        try:
            urgency = site.jobs.priority
            yield store, spool, Reception(store, spool, quiet_s=own.quiet_s, urgency=urgency)
        finally:
            spool.close()
