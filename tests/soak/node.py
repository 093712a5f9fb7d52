"""A whole node under load, hurt at random moments; nothing it acknowledged may be lost.

python -m tests.soak.node --kills 200 --seed 1
python -m tests.soak.node --kills 0 --minutes 20    load alone: no part may grow

Senders store small CT slices and photographs by C-STORE the whole time, and note what was
acknowledged. Meanwhile parts of the node, the node as a whole and the PACS are killed. At the
end, every acknowledged object must be in the archive, bit for bit in its pixels; every job in a
terminal state; and every result in the PACS, none of them twice.
"""

import argparse
import hashlib
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE

from medloop.apps.demo import write_photographs
from medloop.store import JobState, open_store
from tests.nodes import PARTS, Node, node, pacs_section
from tests.peers import LOOPBACK, Orthanc, free_port, orthanc, wait_until

TERMINAL = (JobState.DONE, JobState.SKIPPED, JobState.FAILED)
LIMIT_MB = 50


@dataclass
class Figures:
    """What came of one run; `problems` is empty if every promise was kept."""

    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[str, str] = field(default_factory=dict)  # SOP UID, SHA-256 of pixels
    broken_off: int = 0
    incomplete: set[str] = field(default_factory=set)  # studies that came in part
    jobs: Counter[str] = field(default_factory=Counter)
    results: int = 0
    grown_mb: dict[str, float] = field(default_factory=dict)  # by part, since it was warm
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def a_slice(study: str, series: str, number: int, rng: np.random.Generator) -> Dataset:
    """Draw one small slice of a CT of the abdomen, which no analysis takes."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID = study, series
    made.PatientName, made.PatientID, made.Modality = "Soak^Test", study[-16:], "CT"
    made.StudyDate, made.BodyPartExamined, made.InstanceNumber = "20260101", "ABDOMEN", number
    made.ImagePositionPatient = [0, 0, 2.0 * number]
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.PixelSpacing, made.SliceThickness = [1, 1], 2
    made.Rows = made.Columns = 128
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation = 15, 1
    made.RescaleSlope, made.RescaleIntercept = 1, 0
    made.PixelData = rng.integers(-1000, 1000, (128, 128), np.int16).tobytes()
    return _framed(made)


def a_photograph(original: Path) -> Dataset:
    """Copy a photograph as another patient's."""
    made = dcmread(original)
    made.SOPInstanceUID, made.StudyInstanceUID = generate_uid(), generate_uid()
    made.SeriesInstanceUID, made.PatientID = generate_uid(), generate_uid()[-16:]
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    return made


def _framed(made: Dataset) -> Dataset:
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    return made


class Sender(threading.Thread):
    """Stores studies, one after another, until told to stop; what fails is not sent again."""

    def __init__(
        self, port: int, figures: Figures, stop: threading.Event, *, eye: Path | None, seed: int
    ) -> None:
        super().__init__(daemon=True)
        self.port, self.figures, self.stop, self.eye = port, figures, stop, eye
        self.rng = np.random.default_rng(seed)

    def run(self) -> None:
        while not self.stop.is_set():
            with suppress(RuntimeError, OSError, ValueError):
                self._send(list(self._study()))
            self.stop.wait(15.0 if self.eye else 0.05)

    def _study(self) -> Iterator[Dataset]:
        if self.eye is not None:
            yield a_photograph(self.eye)
            return
        study, series = generate_uid(), generate_uid()
        for number in range(20):
            yield a_slice(study, series, number, self.rng)

    def _send(self, study: list[Dataset]) -> None:
        ae = AE(ae_title="SENDER")
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 10
        first = study[0]
        ae.add_requested_context(first.SOPClassUID, first.file_meta.TransferSyntaxUID)
        association = ae.associate(LOOPBACK, self.port, ae_title="MEDLOOP")
        if not association.is_established:
            self.figures.broken_off += 1
            self.stop.wait(0.3)
            return
        taken = 0
        for each in study:
            if not association.is_established or self.stop.is_set():
                break
            answer = association.send_c_store(each)
            if answer and answer.Status == 0:
                digest = hashlib.sha256(each.PixelData).hexdigest()
                self.figures.acknowledged[each.SOPInstanceUID] = digest
                taken += 1
            else:
                self.figures.broken_off += 1
        if taken < len(study):
            self.figures.incomplete.add(str(first.StudyInstanceUID))
        if association.is_established:
            association.release()


@contextmanager
def sending(running: Node, figures: Figures, eye: Path, *, seed: int) -> Iterator[None]:
    """Let three senders store while the block runs: two of CT, one of photographs."""
    stop = threading.Event()
    threads = [
        Sender(running.dicom_port, figures, stop, eye=what, seed=seed + n)
        for n, what in enumerate((None, None, eye))
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def hurt(
    running: Node, pacs: Orthanc, figures: Figures, *, kills: int, rng: np.random.Generator
) -> None:
    """Kill something at random moments, so many times."""
    victims = [*PARTS, *PARTS, "supervisor", "pacs"]
    while sum(figures.kills.values()) < kills:
        time.sleep(float(rng.uniform(0.2, 4.0)))
        victim = str(rng.choice(victims))
        if victim == "pacs":
            pacs.kill()
            time.sleep(float(rng.uniform(0.2, 3.0)))
            pacs.start()
        elif not running.kill(victim):
            continue
        elif victim == "supervisor":
            running.start()
        figures.kills[victim] += 1
        told = f"{sum(figures.kills.values())} of {kills} kills, the last of {victim}; "
        print(f"{told}{len(figures.acknowledged)} acknowledged", file=sys.stderr, flush=True)


def load(running: Node, figures: Figures, *, minutes: float) -> None:
    """Let the senders go on for a while, and see whether a part grows."""
    ends = time.monotonic() + 60 * minutes
    time.sleep(60 * minutes / 4)  # until networks are loaded and caches are full
    warm = {part: _memory_mb(pid) for part, pid in running.parts().items()}
    time.sleep(max(0.0, ends - time.monotonic()))
    for part, pid in running.parts().items():
        figures.grown_mb[part] = _memory_mb(pid) - warm.get(part, 0.0)
    figures.problems += [
        f"{part} grew by {grown:.0f} MB, limit {LIMIT_MB}"
        for part, grown in figures.grown_mb.items()
        if grown > LIMIT_MB
    ]


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def soak(
    folder: Path, *, kills: int, seed: int, minutes: float = 0.0, drain_s: float = 1800.0
) -> Figures:
    """Load a node, hurt it, wait until it has done everything, and judge it."""
    figures, started = Figures(), time.monotonic()
    eye = write_photographs(folder / "eye")[1]
    port = free_port()
    with orthanc(folder, modalities={"MEDLOOP": port}) as pacs:
        settings = "[receive]\nquiet_s = 10\n" + pacs_section("pacs", pacs.dicom_port, pacs.aet)
        with node(folder / "node", settings, dicom_port=port, workers=1) as running:
            with sending(running, figures, eye, seed=seed):
                hurt(running, pacs, figures, kills=kills, rng=np.random.default_rng(seed))
                if minutes:
                    load(running, figures, minutes=minutes)
            running.wait_until_up()
            _drain(running, figures, drain_s)
            if running.stop() != 0:
                figures.problems.append("the node did not end as it should")
            _judge(running, pacs, figures)
    figures.seconds = time.monotonic() - started
    return figures


def _drain(running: Node, figures: Figures, limit_s: float) -> None:
    store = open_store(running.home)
    try:

        def is_quiet() -> bool:
            held = store.arrivals.held(list(figures.acknowledged))
            jobs = store.jobs.all()
            settled = not store.arrivals.open(quiet_since=datetime.now(UTC))
            return (
                len(held) == len(figures.acknowledged)
                and settled
                and all(job.state in TERMINAL for job in jobs)
            )

        try:
            wait_until(is_quiet, timeout_s=limit_s)
        except AssertionError:
            figures.problems.append(f"not quiet after {limit_s:g} s")
    finally:
        store.close()


def _judge(running: Node, pacs: Orthanc, figures: Figures) -> None:
    store = open_store(running.home)
    held = store.arrivals.held(list(figures.acknowledged))
    for uid, digest in figures.acknowledged.items():
        if uid not in held:
            figures.problems.append(f"acknowledged {uid} is not there")
            continue
        pixels = dcmread(store.archive.checked(held[uid].sha256)).PixelData
        if hashlib.sha256(pixels).hexdigest() != digest:
            figures.problems.append(f"acknowledged {uid} has other pixels")
    jobs = store.jobs.all()
    figures.jobs = Counter(str(job.state) for job in jobs)
    figures.problems += [
        f"job {job.id} is {job.state}: {job.reason}"
        for job in jobs
        if job.state not in TERMINAL
        or (job.state is JobState.FAILED and str(job.study) not in figures.incomplete)
    ]
    done = Counter(str(job.study) for job in jobs if job.state is JobState.DONE)
    store.close()
    if running.run("verify").returncode != 0:
        figures.problems.append("medloop verify found differences")
    reports: Counter[str] = Counter()
    for study in pacs.get("/studies?expand"):
        for series in study["Series"]:
            said = pacs.get(f"/series/{series}")
            if said["MainDicomTags"]["Modality"] == "SR":
                reports[study["MainDicomTags"]["StudyInstanceUID"]] += len(said["Instances"])
    figures.results = sum(reports.values())
    if reports != done:
        missing, twice = done - reports, reports - done
        figures.problems.append(
            f"reports in the PACS: {len(missing)} missing, {len(twice)} too many"
        )


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=0.0, help="of load without kills")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="medloop-soak-") as folder:
        figures = soak(
            Path(folder), kills=options.kills, seed=options.seed, minutes=options.minutes
        )
        log = (Path(folder) / "node/node.log").read_text(errors="replace")
    count = sum(figures.kills.values())
    print(
        f"{count} kills {dict(figures.kills)} in {figures.seconds:.0f} s: "
        f"{len(figures.acknowledged)} objects acknowledged, {figures.broken_off} broken off, "
        f"jobs {dict(figures.jobs)}, {figures.results} reports in the PACS, "
        f"{len(figures.problems)} broke a promise"
    )
    if figures.grown_mb:
        grown = ", ".join(f"{part} {mb:+.0f}" for part, mb in figures.grown_mb.items())
        print(f"  memory in MB: {grown}")
    for problem in figures.problems[:20]:
        print(f"  {problem}")
    if figures.problems:
        print(log[-4000:], file=sys.stderr)
    return 1 if figures.problems else 0


if __name__ == "__main__":
    sys.exit(main())
