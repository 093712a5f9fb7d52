"""How long pages take while many people use them: 20 users, a store of 10 000 studies.

    python -m benchmarks.pages [--studies 10000] [--users 20] [--rounds 5] [--pause 1.0]

A web server in a process of its own, as `medloop serve` runs it, and users in another, each
signed in. Each user goes through the pages again and again, in an order of their own: first
with a pause between two of them, as people make, then without any, which is as many requests
at once as there are users. Medians and 95 of 100, by page, in ms; what a page loads once and
keeps (style sheets, scripts) is left out.
"""

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
from sqlalchemy import insert
from tests.apps.web.browser.room import a_reading_room
from tests.peers import free_port, wait_until

from benchmarks.dicomweb import fill
from medloop.core.record import to_json
from medloop.store import Entry, Store, open_store, tables
from medloop.store.sessions import Sessions
from medloop.store.users import Role, Users

NAME = "medloop"  # of the cookie


def fill_jobs(store: Store, studies: int, now: datetime) -> None:
    """Put two jobs of each study, most of them done, results, deliveries and an audit log."""
    rng = np.random.default_rng(0)
    said = to_json(store.results.get(1).record)
    selection = '["' + '", "'.join(f"2.26.1.0.{n}" for n in range(120)) + '"]'
    with store.database.writing() as connection:
        for start in range(0, studies, 500):
            jobs, kept, sent = [], [], []
            for n in range(start, min(start + 500, studies)):
                for k, analysis in enumerate(("lung", "retina")):
                    number = 1000 + 2 * n + k
                    at = now - timedelta(minutes=float(rng.uniform(1, 60 * 24 * 30)))
                    state = _state(int(rng.integers(0, 100)))
                    took = timedelta(seconds=float(rng.gamma(3, 8)))
                    jobs.append(
                        _job(number, n, analysis, state, at, took) | {"selection": selection}
                    )
                    if state in ("done", "reviewed"):
                        kept.append(
                            {
                                "job_id": number,
                                "folder": f"2.26.{n}/{analysis}-{number}",
                                "products": '["result.json"]',
                                "record": said,
                                "kept": at + took,
                            }
                        )
                        sent.append(_delivery(number, at + took))
            connection.execute(insert(tables.jobs), jobs)
            connection.execute(insert(tables.results), kept)
            connection.execute(insert(tables.deliveries), sent)
    deeds = ("looked", "searched", "analyzed", "delivered")
    for start in range(0, studies, 1000):
        store.audit.append_all(
            [
                Entry(now, f"user{n % 20}", deeds[n % 4], f"2.26.{n}", {"by": "benchmark"})
                for n in range(start, start + 1000)
            ]
        )


def _state(chance: int) -> str:
    for limit, state in ((70, "done"), (85, "reviewed"), (92, "skipped"), (96, "failed")):
        if chance < limit:
            return state
    return "waiting"


def _job(
    number: int, study: int, analysis: str, state: str, at: datetime, took: timedelta
) -> dict[str, object]:
    return {
        "id": number,
        "study_uid": f"2.26.{study}",
        "analysis": analysis,
        "selection_key": f"{number}",
        "state": state,
        "reason": "slice gap 7.50 mm exceeds 5 mm" if state == "failed" else "",
        "attempts": 0,
        "claims": 1,
        "due": at,
        "lease": None,
        "worker": "worker1",
        "folder": "",
        "changed": at + took,
        "started": at,
    }


def _delivery(job: int, at: datetime) -> dict[str, object]:
    return {
        "job_id": job,
        "destination": "pacs",
        "state": "done",
        "reason": "",
        "attempts": 1,
        "claims": 1,
        "due": at,
        "lease": None,
        "worker": "keeper",
        "changed": at,
    }


def sign_in(store: Store, count: int, now: datetime) -> list[str]:
    """Add so many administrators, who see every page, and return their cookies."""
    users, sessions = Users(store.database), Sessions(store.database)
    made = [users.add(f"user{n}", Role.ADMINISTRATOR, now=now) for n in range(count)]
    return [sessions.begin(each, now=now, lasts=timedelta(hours=8)) for each in made]


@contextmanager
def served(home: Path) -> Iterator[str]:
    """Run the web server of a node as the supervisor does; yields its address."""
    port = free_port()
    settings = home.parent / "medloop.toml"
    settings.write_text(f"[web]\nport = {port}\nrequests_per_minute = 1000000\n")
    environment = {
        **os.environ,
        "MEDLOOP_HOME": str(home),
        "MEDLOOP_CONFIG": str(settings),
    }
    command = (sys.executable, "-m", "medloop", "serve", "--part", "web")
    with (home.parent / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: _answers(url), timeout_s=60)
            yield url
        finally:
            server.terminate()
            server.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2).is_success
    except httpx.HTTPError:
        return False


def pages(facts: Mapping[str, str]) -> dict[str, str]:
    """Name the pages that users go through."""
    return {
        "worklist": "/",
        "worklist, page 100": "/?page=100",
        "study": f"/studies/{facts['study']}",
        "reading page": f"/read/{facts['ct']}",
        "reading JSON": f"/api/readings/{facts['reading']}",
        "scene": f"/api/jobs/{facts['ct']}/scene",
        "preview": f"/api/jobs/{facts['ct']}/preview.jpg",
        "models": "/models",
        "jobs": "/jobs",
        "jobs that failed": "/jobs?state=failed",
        "audit trail": "/audit",
        "audit trail of one user": "/audit?actor=user7",
        "destinations": "/destinations",
        "system": "/system",
    }


async def walk(
    url: str, cookie: str, walked: Mapping[str, str], rounds: int, pause_s: float
) -> dict[str, list[float]]:
    """Be one user: go through the pages and note how long each took, in ms."""
    rng = random.Random(cookie)  # noqa: S311 - an order of pages, no secret
    took: dict[str, list[float]] = {name: [] for name in walked}
    headers = {"Accept": "text/html", "Accept-Encoding": "gzip", "Cookie": f"{NAME}={cookie}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=120) as client:
        await asyncio.sleep(rng.uniform(0, pause_s))
        for _ in range(rounds):
            for name in rng.sample(sorted(walked), len(walked)):
                began = time.perf_counter()
                answer = await client.get(walked[name])
                took[name].append((time.perf_counter() - began) * 1000)
                if answer.status_code != 200:
                    raise SystemExit(f"{walked[name]} answers {answer.status_code}")
                await asyncio.sleep(rng.uniform(0.5, 1.5) * pause_s)
    return took


async def many(
    url: str, cookies: list[str], walked: Mapping[str, str], rounds: int, pause_s: float
) -> dict[str, list[float]]:
    """Be all users at once."""
    found = await asyncio.gather(
        *(walk(url, each, walked, rounds, pause_s) for each in cookies)
    )
    return {name: sorted(ms for each in found for ms in each[name]) for name in walked}


def tell(title: str, took: Mapping[str, list[float]], seconds: float) -> None:
    """Print a table."""
    every = sorted(ms for each in took.values() for ms in each)
    print(f"\n{title}: {len(every)} requests, {len(every) / seconds:.0f} a second")
    for name, each in (*took.items(), ("all", every)):
        if each:
            p95 = each[min(int(len(each) * 0.95), len(each) - 1)]
            print(f"  {name:<26} median {statistics.median(each):7.1f} ms   95 % {p95:7.1f} ms")


def begin_reading(url: str, cookie: str, job: str) -> str:
    """Open a reading as the page does, and return its number."""
    with httpx.Client(base_url=url, cookies={NAME: cookie}) as client:
        csrf = client.get("/api/me").json()["csrf"]
        asked = {"purpose": "read"}
        answer = client.post(
            f"/api/jobs/{job}/reading", json=asked, headers={"x-csrf-token": csrf}
        )
        return str(answer.raise_for_status().json()["id"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two pages")
    options = parser.parse_args()
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        store = open_store(home)
        facts = dict(a_reading_room(store, Path(scratch), now=now))
        fill(store, options.studies)
        fill_jobs(store, options.studies, now)
        cookies = sign_in(store, options.users, now)
        store.close()
        with served(home) as url:
            facts["reading"] = begin_reading(url, cookies[0], facts["ct"])
            walked = _there(url, cookies[0], pages(facts))
            for title, pause_s in (("with pauses", options.pause), ("without pauses", 0.0)):
                began = time.perf_counter()
                took = asyncio.run(many(url, cookies, walked, options.rounds, pause_s))
                seconds = time.perf_counter() - began
                tell(f"{options.users} users {title}", took, seconds)


def _there(url: str, cookie: str, walked: Mapping[str, str]) -> dict[str, str]:
    """Leave out what this node does not offer, and say so; each page is opened once before."""
    found = {}
    with httpx.Client(base_url=url, cookies={NAME: cookie}, timeout=120) as client:
        for name, path in walked.items():
            began = time.perf_counter()
            answer = client.get(path, headers={"Accept": "text/html"})
            took = (time.perf_counter() - began) * 1000
            size = len(answer.content) / 1000
            print(f"{name}: {answer.status_code}, {size:.1f} kB, first {took:.0f} ms")
            if answer.status_code == 200:
                found[name] = path
    return found


if __name__ == "__main__":
    main()
