"""Kill worker processes at random moments; every job must end, once, and nothing be half-done.

python -m tests.soak.kills --kills 200 --seed 1
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from medloop.apps.supervisor import Child
from medloop.apps.workers import keep_workers
from medloop.core.study import StudyUid
from medloop.store import JobState, Store, open_store
from medloop.store.verify import verify
from medloop.workflow.intake import gather
from medloop.workflow.reception import queue
from tests.soak.quick_worker import USUAL, Moody

TERMINAL = (JobState.DONE, JobState.SKIPPED, JobState.FAILED)


@dataclass
class Figures:
    """What came of one run."""

    kills: int = 0
    seconds: float = 0.0
    states: Counter[str] = field(default_factory=Counter)
    quarantined: int = 0
    crashes: int = 0
    problems: list[str] = field(default_factory=list)


def fill(store: Store, folder: Path, count: int, *, brightness: int = USUAL) -> list[StudyUid]:
    """Let studies of one picture each arrive and wait for their analysis."""
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        image = np.full((16 + n % 64, 16 + n // 64, 3), brightness, np.uint8)
        image[:2] = 5
        cv2.imwrite(str(folder / f"{brightness}-{n}.png"), image)
    uids = []
    for study in gather([folder], scratch=folder).studies:
        store.receive(study, now=datetime.now(UTC))
        queue(store, study, [Moody()], now=datetime.now(UTC))
        uids.append(study.uid)
    return uids


@contextmanager
def workers(store: Store, url: str, count: int) -> Iterator[None]:
    """Keep worker processes alive while the block runs, as a node does."""
    (store.root / "pids").mkdir(exist_ok=True)

    def command(life: str) -> tuple[str, ...]:
        program = (sys.executable, "-m", "tests.soak.quick_worker")
        return (*program, life, str(store.root), url)

    children = tuple(Child(f"worker{n}", command) for n in range(count))
    stop = threading.Event()
    keeper = threading.Thread(target=keep_workers, args=(store, children, stop))
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def alive(store: Store) -> list[int]:
    """Name the worker processes that have begun to work."""
    found = []
    for path in (store.root / "pids").iterdir():
        with suppress(ProcessLookupError, FileNotFoundError):
            os.kill(int(path.name), 0)
            if Path(f"/proc/{path.name}/stat").read_text().split()[2] != "Z":
                found.append(int(path.name))
    return sorted(found)


def kill_workers(
    root: Path, url: str = "", *, kills: int, jobs: int, seed: int, count: int = 2
) -> Figures:
    """Kill workers at random moments while they have work, then let them finish.

    Returns what was found; `problems` is empty if every promise was kept.
    """
    rng = np.random.default_rng(seed)
    figures = Figures()
    started = time.monotonic()
    store = open_store(root, url or None)
    fill(store, root.parent / "pictures", jobs)
    with workers(store, url, count):
        while figures.kills < kills:
            time.sleep(float(rng.uniform(0.0, 0.4)))
            found = alive(store)
            if not found:
                continue
            if not store.jobs.all(state=JobState.WAITING):
                fill(store, root.parent / f"more{figures.kills}", jobs, brightness=USUAL + 1)
            with suppress(ProcessLookupError):
                os.kill(int(rng.choice(found)), signal.SIGKILL)
                figures.kills += 1
        wait_for(lambda: all(job.state in TERMINAL for job in store.jobs.all()), timeout_s=180)
    judge(store, figures)
    store.close()
    figures.seconds = time.monotonic() - started
    return figures


def judge(store: Store, figures: Figures) -> None:
    """Look whether every job ended once, with a result that is whole."""
    found = store.jobs.all()
    figures.states = Counter(job.state.value for job in found)
    figures.crashes = sum(job.crashes for job in found)
    figures.quarantined = sum(job.reason.startswith("quarantined") for job in found)
    analyzed = Counter(
        entry.details["job"]
        for entry in store.audit.entries()
        if entry.action == "analyzed" and entry.details["outcome"] == "done"
    )
    for job in found:
        if job.state not in TERMINAL:
            figures.problems.append(f"job {job.id} is {job.state}")
        elif job.state is JobState.FAILED and not job.reason.startswith("quarantined"):
            figures.problems.append(f"job {job.id} failed: {job.reason}")
        if analyzed[str(job.id)] != (job.state is JobState.DONE):
            figures.problems.append(f"job {job.id} has {analyzed[str(job.id)]} results")
    figures.problems += verify(store)


def wait_for(condition: Callable[[], bool], *, timeout_s: float) -> None:
    """Wait until something has happened; raises `TimeoutError`."""
    ends = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError(f"nothing happened in {timeout_s:g} s")
        time.sleep(0.1)


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = kill_workers(
            Path(folder) / "store", kills=options.kills, jobs=options.jobs, seed=options.seed
        )
    print(
        f"{figures.kills} kills in {figures.seconds:.0f} s: {dict(figures.states)}, "
        f"{figures.crashes} runs lost, {figures.quarantined} quarantined, "
        f"{len(figures.problems)} promises broken"
    )
    for problem in figures.problems[:20]:
        print(f"  {problem}")
    return 1 if figures.problems else 0


if __name__ == "__main__":
    sys.exit(main())
