"""A server in a thread, and what there is to read in it."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import uvicorn

from medloop.apps.web.context import Context
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.store import Entry, JobState, Store, end_job
from medloop.store.users import Role
from tests.apps.web.jobs_done import a_ct, a_photograph
from tests.peers import free_port, wait_until

PASSWORD = "tulip marble ocean"  # noqa: S105 - of users that live for one test
BALLS = (((-20.0, 6.0, 30.0), 14.0), ((18.0, -4.0, 50.0), 8.0))


@dataclass(frozen=True)
class Room:
    """Where the server is, and what it shows: numbers of jobs and a study by name."""

    url: str
    context: Context
    facts: Mapping[str, str]

    def address(self, path: str) -> str:
        return self.url + path.format(**self.facts)

    def enter(self, page, role: Role = Role.READER) -> None:
        """Sign in by the page, as a person does."""
        page.goto(f"{self.url}/login")
        page.get_by_label("Name").fill(f"a-{role}")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/login" not in url)

    def session(self, role: Role) -> dict[str, object]:
        """A cookie of a user who has signed in, for a context of the browser."""
        user = self.context.users.find(f"a-{role}")
        assert user is not None
        secret = self.context.sessions.begin(
            user, now=self.context.now(), lasts=timedelta(hours=1)
        )
        return {"name": "medloop", "value": secret, "url": self.url}


def a_reading_room(store: Store, folder: Path, *, now: datetime) -> Mapping[str, str]:
    """Let a CT and a photograph be done, and a job fail."""
    ct = a_ct(store, folder / "ct", a_chest(), BALLS, now=now)
    photo = a_photograph(store, folder / "eye", an_eye(), now=now)
    store.jobs.add(ct.study, "hippocampus", list(ct.selection), now=now)
    failed = store.jobs.claim("w1", ["hippocampus"], now=now)
    assert failed is not None
    entry = Entry(now, "w1", "failed", ct.study, {})
    end_job(store, failed, JobState.FAILED, entry, reason="slice gap 3.00 mm exceeds 2 mm")
    return {
        "study": ct.study,
        "ct": str(ct.id),
        "photo": str(photo.id),
        "photo_study": photo.study,
        "failed": str(failed.id),
    }


def a_chest(slices: int = 14) -> Volume:
    """Air in soft tissue, with a ball of tissue for each nodule."""
    affine = np.array(
        [[0, 0, 2.0, -64.0], [0, 2.0, 0, -48.0], [5.0, 0, 0, 10.0], [0, 0, 0, 1.0]]
    )
    grid = Grid((slices, 48, 64), affine, "2.25.816")
    places = grid.to_world(
        np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1).astype(float)
    )
    noise = np.random.default_rng(0).normal(0, 15, grid.shape)
    array = np.where(np.hypot(places[..., 0] / 55, places[..., 1] / 42) < 1, -850, 40) + noise
    for center, diameter in BALLS:
        array[((places - np.array(center)) ** 2).sum(-1) <= (diameter / 2) ** 2] = 60
    return Volume(array.astype(np.int16), grid, "HU")


def an_eye(size: int = 240) -> np.ndarray:
    """A drawn fundus: a red disc with a bright spot and dark vessels."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    inside = (np.hypot(x, y) < 0.47)[..., None]
    base = np.stack([150 - 60 * np.hypot(x, y), 70 - 40 * np.hypot(x, y), 40 + 0 * x], -1)
    base[np.hypot(x + 0.15, y) < 0.06] = (230, 190, 120)
    base[np.abs(y - 0.3 * np.sin(6 * x)) < 0.006] *= 0.5
    return (base * inside).clip(0, 255).astype(np.uint8)


@contextmanager
def serving(app, port: int = 0) -> Iterator[str]:
    """Serve an application on loopback while the block runs; yields its address."""
    port = port or free_port()
    options = uvicorn.Config(app, port=port, log_level="error", lifespan="off")
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
