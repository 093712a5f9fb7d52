"""A store that holds a study with a result, for tests of upkeep."""

from datetime import datetime, timedelta
from pathlib import Path

from medloop.core.edit import Action, Edit
from medloop.core.record import to_json, to_record
from medloop.core.study import SopUid
from medloop.store import Entry, Job, JobState, Kept, Store, end_job
from medloop.store.reading import SIGNED, Meaning, Version
from tests.store.studies import NOON, a_study
from tests.workflow.cases import a_case, a_result

LATER = NOON + timedelta(days=1)


def with_result(store: Store, folder: Path, uid: str = "1.2", *, at: datetime = NOON) -> Job:
    """Let a study arrive, and be analyzed."""
    store.receive(a_study(folder, uid), now=at)
    store.jobs.add(uid, "retina", (SopUid(f"{uid}.1.0"),), now=at)
    job = store.jobs.claim("w1", ["retina"], now=at)
    case = a_case()
    record = to_record(a_result(case), case.study, "eye")
    place = f"{uid}/retina-{job.id}"
    products = store.results_folder / place
    products.mkdir(parents=True)
    (products / "result.json").write_text(to_json(record), encoding="utf-8")
    (products / "report.html").write_text("<p>report</p>", encoding="utf-8")
    kept = Kept(job.id, place, ("result.json", "report.html"), record, at)
    entry = Entry(at, "w1", "analyzed", uid, {})
    return end_job(store, job, JobState.DONE, entry, kept=kept)


def corrected(store: Store, job: Job, *, at: datetime = NOON) -> tuple[int, str]:
    """Let a reader draw a mask; returns the reading and the mask's hash."""
    reading = store.readings.open(job.id, "li", now=at)
    sha256 = store.archive.put(f"a mask of {job.id}".encode())
    after = {"sha256": sha256, "segments": []}
    edit = Edit(0, Action.MASK, "", None, after, 1.0, 1, at)
    store.readings.append(reading.id, edit, expected=0, now=at)
    return reading.id, sha256


def signed(store: Store, reading: int, *, at: datetime = NOON) -> Version:
    """Let the reader sign a preliminary report, whose files stand beside the result."""
    job = store.jobs.get(store.readings.get(reading).job)
    folder = f"{job.study}/{job.analysis}-{job.id}-v1"
    (store.results_folder / folder).mkdir(parents=True)
    (store.results_folder / folder / SIGNED).write_bytes(b"{}")
    record = store.archive.put(b"{}")
    version = Version(0, Meaning.PRELIMINARY, "li", at, "en", "", folder, record, (SIGNED,))
    return store.readings.sign(reading, version)
