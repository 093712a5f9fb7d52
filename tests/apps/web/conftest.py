"""A node with an embedded store."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from medloop.apps.site import Site
from medloop.apps.web.context import make_context
from medloop.store import Store, open_store
from tests.apps.web.nodes import Clock, Node, NoInlet, node_of


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """A migrated database without rows, to copy."""
    folder = tmp_path_factory.mktemp("model")
    open_store(folder).close()
    return folder / "medloop.db"


@pytest.fixture
def store(tmp_path, empty_store) -> Iterator[Store]:
    (tmp_path / "store").mkdir()
    shutil.copyfile(empty_store, tmp_path / "store" / "medloop.db")
    opened = open_store(tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def context(store, site, clock):
    return make_context(store, site, NoInlet(), now=clock)


@pytest.fixture
def node(context, clock) -> Node:
    return node_of(context, clock)
