"""A web server in the test's own process, and clients that are somebody."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from medloop.apps.web.app import create_app
from medloop.apps.web.context import Context
from medloop.store.users import Role

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it would rather have another httpx
    from starlette.testclient import TestClient

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = ("127.0.0.1", 50000)
AWAY = ("192.0.2.7", 50000)


class Clock:
    """The time, which passes when a test says so."""

    def __init__(self, now: datetime = NOON):
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)


class NoInlet:
    """An inlet that keeps nothing."""

    def store_now(self, objects: list[bytes | Path], source: str) -> tuple[()]:
        return ()


@dataclass(frozen=True)
class Node:
    """The application, and ways to come to it."""

    context: Context
    clock: Clock
    app: object

    def client(self, *, at=HERE, base_url="http://127.0.0.1", **headers: str) -> TestClient:
        """Return a browser or program; `headers` use _ for -."""
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        return TestClient(
            self.app,
            base_url=base_url,
            client=at,
            headers=sent,
            raise_server_exceptions=False,
            follow_redirects=False,
        )

    def program(self, role: Role, *, at=AWAY) -> TestClient:
        """Return a program with a token of a new user of the role."""
        users = self.context.users
        user = users.find(f"a-{role}") or users.add(f"a-{role}", role, now=self.clock())
        _, secret = self.context.tokens.issue(user, "test", now=self.clock(), lasts=None)
        return self.client(at=at, Authorization=f"Bearer {secret}")


def node_of(
    context: Context, clock: Clock, routers: tuple[Callable, ...] | None = None
) -> Node:
    """Build the application, with other routers if some are given."""
    app = create_app(context) if routers is None else create_app(context, routers)
    return Node(context, clock, app)
