"""``medloop serve``: a node beside a PACS, a few processes under one supervisor.

Any of them may be killed at any moment and is started again; what the others hold is on disk.
"""

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import Final

from medloop.apps.console import Exit, UsageError, say
from medloop.apps.destinations import COMMITMENTS
from medloop.apps.exposure import check_certificates, check_exposed
from medloop.apps.logs import node_logging, node_process
from medloop.apps.opening import opened, opened_store
from medloop.apps.ports import require_free
from medloop.apps.settings import Settings
from medloop.apps.site import Site, load_site
from medloop.apps.supervisor import Child, stop_with_supervisor
from medloop.apps.workers import keep_workers, worker_children

RECEIVER, WEB, KEEPER = "receiver", "web", "keeper"
PARTS: Final = (RECEIVER, KEEPER, WEB)


def serve(settings: Settings, *, workers: int | None = None, is_insecure: bool = False) -> Exit:
    """Run a node until it is told to stop.

    Raises
    ------
    UsageError
        If settings cannot be meant, or something would be open that should not.
    ServiceError
        If the store cannot be opened.
    """
    site = load_site()
    _require_extra()
    check_certificates(site)
    from medloop.store.users import Users

    count = site.jobs.workers if workers is None else workers
    # An interrupt is how a polite kill arrives; for a node, the usual end.
    with suppress(KeyboardInterrupt), opened_store(settings) as store:
        has_users = bool(Users(store.database).all())
        with node_logging(settings.home):
            check_exposed(site, has_users, is_insecure=is_insecure)
        require_free("dicom", site.dicom.host, site.dicom.port)
        require_free("web", site.web.host, site.web.port)
        say(f"DICOM {site.dicom.ae_title} at {site.dicom.host}:{site.dicom.port}")
        say(f"web {_address(site)}")
        sys.stdout.flush()
        children = (
            *(_child(part, settings, is_insecure=is_insecure) for part in PARTS),
            *worker_children(settings, count),
        )
        with node_process(settings.home), suppress(KeyboardInterrupt):
            keep_workers(store, children, threading.Event())
    return Exit.DONE


def serve_part(part: str, settings: Settings, *, is_insecure: bool = False) -> Exit:
    """Be one process of a node."""
    act: Callable[[Settings, Site], None]
    if part == RECEIVER:
        act = _receive
    elif part == KEEPER:
        from medloop.apps.keeper import keep as act
    else:

        def act(settings: Settings, site: Site) -> None:
            _answer_web(settings, site, is_insecure=is_insecure)

    with node_process(settings.home), suppress(KeyboardInterrupt):
        stop_with_supervisor()
        act(settings, load_site())
    return Exit.DONE


def _receive(settings: Settings, site: Site) -> None:
    from medloop.dicom.net import receiver
    from medloop.dicom.net.commitment import Ledger
    from medloop.dicom.net.limits import Listening
    from medloop.workflow.receiving import inlet

    own = site.dicom
    listening = Listening(
        ae_title=own.ae_title,
        host=own.host,
        port=own.port,
        accept=own.accept,
        max_associations=own.max_associations,
        max_object_bytes=site.receive.max_object_mb << 20,
        tls_certificate=own.tls_certificate,
        tls_key=own.tls_key,
        tls_authority=own.tls_authority,
        peers=_callers(site),
    )
    with opened(settings, site) as (store, _, reception):
        ledger = Ledger(store.root / COMMITMENTS)
        receiver.serve(listening, inlet(reception, ledger=ledger))


def _answer_web(settings: Settings, site: Site, *, is_insecure: bool) -> None:
    import uvicorn

    from medloop.apps.niivue import install_if_possible
    from medloop.apps.web.app import create_app
    from medloop.apps.web.context import make_context
    from medloop.apps.web.patience import CONNECTIONS, PatientProtocol

    web = site.web
    with opened(settings, site) as (store, _, reception):
        if web.fetch_niivue:
            fetching = threading.Thread(target=install_if_possible, args=(store.root,))
            fetching.daemon = True
            fetching.start()
        context = make_context(
            store, site, reception, settings=settings, is_insecure=is_insecure
        )
        app = create_app(context)
        uvicorn.run(
            app,
            host=web.host,
            port=web.port,
            ssl_certfile=web.tls_certificate,
            ssl_keyfile=web.tls_key,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            http=PatientProtocol,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=10,
        )


def _callers(site: Site) -> Mapping[str, tuple[str, int]]:
    """AE titles of which the settings say where they listen."""
    from medloop.apps.peers import DicomDestination

    return {
        each.ae_title: (each.host, each.port)
        for each in site.destinations
        if isinstance(each, DicomDestination)
    }


def _child(part: str, settings: Settings, *, is_insecure: bool) -> Child:
    command: tuple[str, ...] = (sys.executable, "-m", "medloop", "serve", "--part", part)
    if is_insecure:
        command = (*command, "--insecure")
    return Child(part, lambda _life: command, settings.environment)


def _address(site: Site) -> str:
    web = site.web
    return web.url or f"{'https' if web.has_tls else 'http'}://{web.host}:{web.port}/"


def _require_extra() -> None:
    """Say what to install, before processes are started that would say it again and again."""
    for name in ("argon2", "fastapi", "pynetdicom", "uvicorn"):
        if find_spec(name) is None:
            raise UsageError(f"{name} is not installed: pip install medloop[serve]")
