"""A store on each engine there is."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import pytest

from medloop.store import Store, open_store


def _postgres_programs() -> Path | None:
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in candidates if (folder / "initdb").exists()), None)


class Server:
    """A PostgreSQL server of our own in a folder, reached by a socket."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user: dict[str, str] = {}
        created = subprocess.check_output(["mktemp", "-d"], text=True)  # noqa: S607
        self.folder = Path(created.strip())
        if os.geteuid() == 0:  # the server refuses to run as root
            self._user = {"user": "nobody", "group": "nogroup"}
            shutil.chown(self.folder, "nobody", "nogroup")
        self._data = str(self.folder / "data")
        options = ("-U", "medloop", "--auth=trust", "--no-sync", "-E", "UTF8")
        self._call("initdb", "-D", self._data, *options)
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://medloop@/postgres?host={self.folder}"

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        log = str(self.folder / "log")
        self._call("pg_ctl", "-D", self._data, "-o", options, "-w", "-l", log, "start")

    def stop(self, *, mode: str = "immediate") -> None:
        self._call("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _call(self, program: str, *options: str) -> None:
        command = [str(self._programs / program), *options]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._user)


def postgres_server() -> Server:
    """Start a server, or skip by name where there is none."""
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL server is not installed")
    if find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    return Server(programs)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a server that all tests share."""
    server = postgres_server()
    yield server.url
    server.remove()


def _new_database(server: str, name: str, *, template: str = "template1") -> str:
    psycopg = import_module("psycopg")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def sqlite_model(tmp_path_factory) -> Path:
    """A migrated database without rows, to copy: migrating takes longer than most tests."""
    folder = tmp_path_factory.mktemp("model")
    open_store(folder).close()
    return folder / "medloop.db"


@pytest.fixture(scope="session")
def postgres_model(postgres, tmp_path_factory) -> str:
    url = _new_database(postgres, "model")
    open_store(tmp_path_factory.mktemp("model"), url).close()
    return "model"


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request) -> str:
    return request.param


@pytest.fixture
def empty_url(request, engine, tmp_path) -> str:
    """URL of a database without tables."""
    if engine == "sqlite":
        return f"sqlite:///{tmp_path / 'store' / 'medloop.db'}"
    return _new_database(request.getfixturevalue("postgres"), f"test_{uuid4().hex}")


@pytest.fixture
def url(request, engine, tmp_path) -> str:
    """URL of a database that is up to date."""
    if engine == "sqlite":
        (tmp_path / "store").mkdir()
        model = request.getfixturevalue("sqlite_model")
        shutil.copyfile(model, tmp_path / "store" / "medloop.db")
        return f"sqlite:///{tmp_path / 'store' / 'medloop.db'}"
    model = request.getfixturevalue("postgres_model")
    server = request.getfixturevalue("postgres")
    return _new_database(server, f"test_{uuid4().hex}", template=model)


@pytest.fixture
def store(tmp_path, url) -> Iterator[Store]:
    opened = open_store(tmp_path / "store", url)
    yield opened
    opened.close()


@pytest.fixture
def embedded(tmp_path, sqlite_model) -> Iterator[Store]:
    """A store as it is by default: SQLite in its folder."""
    (tmp_path / "store").mkdir()
    shutil.copyfile(sqlite_model, tmp_path / "store" / "medloop.db")
    opened = open_store(tmp_path / "store")
    yield opened
    opened.close()


def wait_for(condition, *, timeout_s: float = 20.0) -> None:
    """Wait until another process has done something."""
    ends = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends, "nothing happened"
        time.sleep(0.01)
