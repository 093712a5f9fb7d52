"""How long DICOMweb takes: searches among 10 000 studies, metadata of 600 slices.

    python -m benchmarks.dicomweb [--studies 10000] [--slices 600] [--repeats 9]

Whole requests, from the route to the last byte, in one process; medians. A bare request to the
same application stands beside them, to tell the machine's own pace.
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from tests.dicom.web import objects

from medloop.apps.site import Site
from medloop.apps.web import dicomweb, health
from medloop.apps.web.app import create_app
from medloop.apps.web.context import make_context
from medloop.store import Store, open_store, tables
from medloop.store.spool import Spool
from medloop.workflow.reception import Reception

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERIES, INSTANCES = 3, 5  # of each study in the index
SEARCHES = {
    "a day, 100 studies": "studies?StudyDate=20250601&limit=100",
    "newest 100 studies": "studies?limit=100",
    "one patient by number": "studies?PatientID=P004711",
    "a name that begins so": "studies?PatientName=WANG0471*",
    "a name with it inside": "studies?PatientName=*0471*",
    "a Chinese name": "studies?PatientName=王四七*",
    "a modality in a month": "studies?ModalitiesInStudy=MR&StudyDate=20250601-20250630",
    "an accession number": "studies?AccessionNumber=A04711",
    "nobody": "studies?PatientName=nobody*",
    "a study ID": "studies?StudyID=S04711",
    "series of a study": "studies/2.26.4711/series",
    "instances of a study": "studies/2.26.4711/instances",
    "CT series anywhere": "series?Modality=CT&limit=100",
    "RTSTRUCT series anywhere": "series?Modality=RTSTRUCT",
    "series of a request": "series?RequestAttributesSequence.RequestedProcedureID=R04711",
    "a series by its UID": "series?SeriesInstanceUID=2.26.4711.1",
    "an instance by its UID": "instances?SOPInstanceUID=2.26.4711.1.3",
}


def fill(store: Store, count: int) -> None:
    """Put rows of so many studies into the index."""
    digits = "〇一二三四五六七八九"
    rng = np.random.default_rng(0)
    with store.database.writing() as connection:
        for start in range(0, count, 500):
            numbers = range(start, min(start + 500, count))
            studies = [_study(n, digits, int(rng.integers(0, 365))) for n in numbers]
            connection.execute(tables.studies.insert(), studies)
            rows = [
                _arrival(n, s, i)
                for n in numbers
                for s in range(SERIES)
                for i in range(INSTANCES)
            ]
            connection.execute(tables.arrivals.insert(), rows)


def _study(n: int, digits: str, day: int) -> dict[str, object]:
    date = np.datetime64("2025-01-01") + np.timedelta64(day, "D")
    chinese = "".join(digits[int(d)] for d in f"{n:04d}")
    return {
        "uid": f"2.26.{n}",
        "name": f"{n:08x}",
        "patient_name": f"Wang{n:04d}^Test=王{chinese}",
        "patient_identifier": f"P{n:06d}",
        "patient_birth_date": "19600101",
        "patient_sex": "F",
        "date": str(date).replace("-", ""),
        "time": f"{n % 24:02d}1500",
        "description": "Chest",
        "accession": f"A{n:05d}",
        "referring": "Müller^Anna",
        "modalities": "CT\\SEG\\SR" if n % 3 else "MR\\SEG",
        "arrived": NOW,
        "study_id": f"S{n:05d}",
    }


def _arrival(n: int, s: int, i: int) -> dict[str, object]:
    modality = ("CT" if n % 3 else "MR", "SEG" if n % 100 else "RTSTRUCT", "SR")[s]
    series, uid = f"2.26.{n}.{s}", f"2.26.{n}.{s}.{i}"
    header = {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
        "00080018": {"vr": "UI", "Value": [uid]},
        "00080060": {"vr": "CS", "Value": [modality]},
        "0008103E": {"vr": "LO", "Value": ["Lung 1.0 B60f"]},
        "0020000D": {"vr": "UI", "Value": [f"2.26.{n}"]},
        "0020000E": {"vr": "UI", "Value": [series]},
        "00200011": {"vr": "IS", "Value": [s + 1]},
        "00200013": {"vr": "IS", "Value": [i + 1]},
        "00280010": {"vr": "US", "Value": [512]},
        "00280011": {"vr": "US", "Value": [512]},
    }
    return {
        "uid": uid,
        "sha256": "0" * 64,
        "study_uid": f"2.26.{n}",
        "series_uid": series,
        "sop_class": "1.2.840.10008.5.1.4.1.1.2",
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "number": i + 1,
        "size": 526_000,
        "source": "CT1",
        "arrived": NOW,
        "header": json.dumps(header, separators=(",", ":")),
        "modality": modality,
        "step": "",
        "procedure": f"R{n:05d}",
    }


def timed(act: Callable[[], object], repeats: int) -> str:
    """Time an act several times; the time of the processor is not disturbed by others."""
    taken, used = [], []
    for _ in range(repeats):
        started, before = time.perf_counter(), time.process_time()
        act()
        taken.append(time.perf_counter() - started)
        used.append(time.process_time() - before)
    wall, cpu = (statistics.median(times) * 1000 for times in (taken, used))
    return f"{wall:.1f} ms, of the processor {cpu:.1f} ms"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--slices", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        store = open_store(Path(scratch) / "store")
        reception = Reception(store, Spool(Path(scratch) / "spool", reserve_bytes=0))
        context = make_context(store, Site(), reception)
        app = create_app(context, (health.router, dicomweb.router))
        client = TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 1))
        fill(store, options.studies)
        print("bare request:", timed(lambda: client.get("/healthz"), options.repeats))
        for name, search in SEARCHES.items():
            url = f"/dicom-web/{search}"
            found = len(client.get(url).json())
            taken = timed(lambda u=url: client.get(u), options.repeats)
            print(f"{name}, {found} found: {taken}")
        slices = [objects.in_file(objects.ct(n + 1)) for n in range(options.slices)]
        reception.store_now(slices, "bench")
        url = f"/dicom-web/studies/{objects.STUDY}/series/{objects.CT_SERIES}/metadata"
        first = timed(lambda: client.get(url), 1)
        size = len(client.get(url).content) / 1e6
        print(f"metadata of {options.slices} slices, {size:.1f} MB, at first: {first}")
        again = timed(lambda: client.get(url), options.repeats)
        print(f"metadata of {options.slices} slices, {size:.1f} MB, from then on: {again}")
        store.close()


if __name__ == "__main__":
    main()
