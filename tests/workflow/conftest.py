"""A store on disk, migrated once and copied."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from medloop.store import Store, open_store


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    open_store(folder).close()
    return folder / "medloop.db"


@pytest.fixture
def store(tmp_path, model) -> Iterator[Store]:
    (tmp_path / "store").mkdir()
    shutil.copyfile(model, tmp_path / "store" / "medloop.db")
    opened = open_store(tmp_path / "store")
    yield opened
    opened.close()
