"""Somebody who manages, as a browser that has signed in, and somebody who only reads."""

from datetime import timedelta

import pytest

from medloop.store.users import Role


class Browser:
    """A browser with a session: gets pages, sends forms with the session's field."""

    def __init__(self, node, role: Role):
        self.node = node
        users = node.context.users
        self.user = users.find(f"b-{role}") or users.add(f"b-{role}", role, now=node.clock())
        secret = node.context.sessions.begin(
            self.user, now=node.clock(), lasts=timedelta(hours=9)
        )
        self.client = node.client(Accept="text/html", Cookie=f"medloop={secret}")
        found = node.context.sessions.find(secret, now=node.clock(), idle=timedelta(hours=1))
        self.csrf = found.csrf

    def page(self, path: str, code: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == code, answer.text
        return answer.text

    def send(self, path: str, **fields: object):
        return self.client.post(path, data={"csrf": self.csrf, **fields})

    def done(self, path: str, **fields: object) -> str:
        """Send a form that leads on, and return the page it leads to."""
        answer = self.send(path, **fields)
        assert answer.status_code == 303, answer.text
        return self.page(answer.headers["location"])


@pytest.fixture
def chief(node) -> Browser:
    return Browser(node, Role.ADMINISTRATOR)


@pytest.fixture
def reader(node) -> Browser:
    return Browser(node, Role.READER)


@pytest.fixture
def deeds(store):
    """What the audit log has, as (action, subject)."""
    return lambda: [(entry.action, entry.subject) for entry in store.audit.entries()]
