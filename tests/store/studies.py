"""Studies whose files exist, for tests of the store."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from medloop.core.study import (
    Content,
    Instance,
    Patient,
    Series,
    SeriesUid,
    SopUid,
    Study,
    StudyUid,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def an_instance(folder: Path, uid: str, content: bytes = b"") -> Instance:
    content = content or uid.encode()
    path = folder / f"{uid}-{len(content)}"
    path.write_bytes(content)
    return Instance(SopUid(uid), "1.2.840", path, hashlib.sha256(content).hexdigest())


def a_series(folder: Path, uid: str, count: int = 2, *, first: int = 0, **facts) -> Series:
    instances = tuple(an_instance(folder, f"{uid}.{n}") for n in range(first, first + count))
    facts = {"modality": "CT", "description": "胸部", "content": Content.VOLUME} | facts
    return Series(SeriesUid(uid), instances=instances, source="scans/1", **facts)


def a_study(folder: Path, uid: str = "1.2", *series: Series) -> Study:
    """A study with a patient; two series of two instances unless told."""
    folder.mkdir(parents=True, exist_ok=True)
    series = series or (a_series(folder, f"{uid}.1"), a_series(folder, f"{uid}.2"))
    patient = Patient("Wang^Fang=王^芳", "P1", "19600101", "F")
    return Study(StudyUid(uid), "scan", series, patient, "20260228", "Thorax", "A1")
