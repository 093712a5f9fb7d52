"""``medloop worker``: processes that do jobs, each keeping its networks; and their keeper."""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.apps.console import Exit, say
from medloop.apps.opening import opened_store
from medloop.apps.settings import Settings
from medloop.apps.supervisor import GIVEN_UP, Child, new_life, stop_with_supervisor, supervise
from medloop.core.errors import ServiceError
from medloop.store import Store
from medloop.store.steering import give_back
from medloop.workflow.watchdog import look_after

if TYPE_CHECKING:  # who only supervises has no use for what analyzes
    from medloop.core.finding import Result
    from medloop.core.study import Case
    from medloop.workflow.heartbeat import Pulse
    from medloop.workflow.ports import Archive


@dataclass(frozen=True, slots=True)
class Working:
    """How a worker works: who gets which analyses' results, how long runs may take, its name.

    `archive` says where images are read, if not in the store.

    With a `life`, its name, it is a process of a supervisor: a run that takes too long or is
    canceled ends the process, which is then started again.
    """

    destinations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pulse: "Pulse | None" = None
    life: str = ""
    archive: "Callable[[Store], Archive] | None" = None

    @classmethod
    def of_site(cls, life: str) -> "Working":
        """Read the site's settings; `life` is the name of a supervised process.

        Raises
        ------
        UsageError
            If the settings cannot be meant.
        """
        from medloop.apps.site import load_site
        from medloop.apps.sources import archive_of
        from medloop.workflow.heartbeat import Pulse

        site = load_site()
        jobs = site.jobs
        minutes = {name: 60.0 * value for name, value in jobs.timeouts_min.items()}
        pulse = Pulse(limit_s=60.0 * jobs.timeout_min, limits_s=minutes)
        destinations = {each.name: each.analyses for each in site.destinations}
        return cls(destinations, pulse, life, partial(archive_of, site=site))


def work(settings: Settings, *, once: bool, working: Working | None = None) -> Exit:
    """Do the jobs of the store as they come, or with `once` until none is due.

    Each job is done with the versions of the bundles that are in use when it begins.

    Raises
    ------
    ServiceError
        With `once`, if the database cannot be reached or there is no room for results.
    """
    from medloop.apps.current import Current
    from medloop.workflow.heartbeat import Pulse
    from medloop.workflow.lightbox import lightbox_of
    from medloop.workflow.products import Makers, write_products
    from medloop.workflow.stored import StoreArchive
    from medloop.workflow.worker import Bench
    from medloop.workflow.worker import work as run_jobs

    working = working or Working()
    if working.life:
        stop_with_supervisor()
    current = Current(settings)
    analyses = current.analyses()
    makers = Makers.real()
    pulse = working.pulse or Pulse()
    if working.life:
        pulse = replace(pulse, end=_exit)

    with opened_store(settings) as store:
        lightbox = lightbox_of(store.root)

        def write(case: "Case", result: "Result", folder: Path) -> None:
            write_products(case, result, folder, language=settings.language, makers=makers)
            with suppress(ServiceError):  # whoever opens it first prepares it then
                lightbox.prepare(case)

        bench = Bench(
            working.life or new_life("worker"),
            (working.archive or StoreArchive)(store),
            write,
            destinations=working.destinations,
            pulse=pulse,
        )
        handled = run_jobs(store, analyses, bench, once=once, renewed=current.analyses)
        say(f"{handled} handled; {_told(store)}")
        say(str(store.results_folder))
    return Exit.DONE


def supervise_workers(settings: Settings, count: int, *, once: bool) -> Exit:
    """Keep `count` worker processes alive; with `once` until none of them finds a due job.

    Raises
    ------
    ServiceError
        If the database cannot be reached at first.
    """
    with opened_store(settings) as store:
        children = worker_children(settings, count, once=once)
        lost = keep_workers(store, children, threading.Event())
        say(_told(store))
        say(str(store.results_folder))
    return Exit.TROUBLE if lost else Exit.DONE


def worker_children(settings: Settings, count: int, *, once: bool = False) -> tuple[Child, ...]:
    """Describe the worker processes of one machine, for `supervise`."""

    def command(life: str) -> tuple[str, ...]:
        alone = (sys.executable, "-m", "medloop", "worker", "--alone", life)
        return (*alone, "--once") if once else alone

    return tuple(
        Child(f"worker{n}", command, settings.environment, is_finite=once)
        for n in range(1, count + 1)
    )


def keep_workers(store: Store, children: tuple[Child, ...], stop: threading.Event) -> int:
    """Supervise processes; jobs of those that die are taken back at once and counted.

    Returns how many were given up, as `supervise` does.
    """
    return supervise(
        children,
        stop=stop,
        died=lambda life, how: worker_died(store, life, how),
        stopped=lambda life, _how: worker_stopped(store, life),
    )


def worker_died(store: Store, life: str, how: str) -> None:
    """Note that a process is gone: what it ran is tried again, or quarantined."""
    look_after(store, now=_now(), worker=life, reason=how)


def worker_stopped(store: Store, life: str) -> None:
    """Note that a process was told to stop: what it ran waits, and was not tried."""
    give_back(store, life, now=_now())


def _exit(_reason: str) -> None:
    os._exit(GIVEN_UP)


def _told(store: Store) -> str:
    counts = store.jobs.counts()
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"in the store: {told or 'no jobs'}"


def _now() -> datetime:
    return datetime.now(UTC)
