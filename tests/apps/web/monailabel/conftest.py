"""A node with a chest CT on which two nodules are labeled."""

import pytest

from medloop.core.image import Volume
from medloop.store.users import Role
from tests.apps.web.jobs_done import a_ct, a_little_chest
from tests.apps.web.nodes import AWAY

BALLS = (((-20.0, 5.0, 30.0), 12.0), ((14.0, -9.0, 45.0), 10.0))


@pytest.fixture
def volume() -> Volume:
    return a_little_chest()


@pytest.fixture
def job(store, tmp_path, clock, volume):
    return a_ct(store, tmp_path / "ct", volume, BALLS, now=clock())


@pytest.fixture
def plugin(node, clock):
    """A function that returns a program of a user, with a token, from another machine."""

    def made(name: str, role: Role = Role.ANNOTATOR):
        users, tokens = node.context.users, node.context.tokens
        user = users.find(name) or users.add(name, role, now=clock())
        _, secret = tokens.issue(user, "test", now=clock(), lasts=None)
        return node.client(at=AWAY, Authorization=f"Bearer {secret}")

    return made
