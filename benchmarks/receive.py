"""Receive a CT by C-STORE on one association, stored durably and indexed; beside Orthanc.

``python -m benchmarks receive [--runs 3] [--slices 133]``: dcmtk's storescu sends the same
files to each in turn, every run to a fresh node. With MEDLOOP_DATA the slices are
LIDC-IDRI-0001, decompressed; without it they are drawn. medloop is timed until every slice is
in its catalog, Orthanc until storescu has ended (it indexes before it answers).
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from benchmarks.machine import describe

PART = ("-m", "benchmarks.receive", "--part")
WAIT_S = 120.0


def scanned(folder: Path, count: int) -> list[Path]:
    """Decompress a real CT."""
    sources = sorted(Path(os.environ["MEDLOOP_DATA"], "lidc/LIDC-IDRI-0001").glob("*.dcm"))
    paths = []
    for n, source in enumerate(sources[:count]):
        dataset = dcmread(source)
        if dataset.file_meta.TransferSyntaxUID.is_compressed:
            dataset.decompress(generate_instance_uid=False)
        paths.append(folder / f"{n:04}.dcm")
        dataset.save_as(paths[-1])
    return paths


def drawn(folder: Path, count: int) -> list[Path]:
    """Draw a CT of the same size."""
    rng = np.random.default_rng(1)
    study, series = generate_uid(), generate_uid()
    paths = []
    for n in range(count):
        piece = Dataset()
        piece.SOPClassUID, piece.SOPInstanceUID = CTImageStorage, generate_uid()
        piece.StudyInstanceUID, piece.SeriesInstanceUID = study, series
        piece.Modality, piece.PatientID, piece.StudyDate = "CT", "DRAWN", "20260101"
        piece.InstanceNumber = n + 1
        piece.ImagePositionPatient = [0, 0, n]
        piece.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        piece.PixelSpacing = [0.7, 0.7]
        piece.Rows = piece.Columns = 512
        piece.SamplesPerPixel, piece.PhotometricInterpretation = 1, "MONOCHROME2"
        piece.BitsAllocated = piece.BitsStored = 16
        piece.HighBit, piece.PixelRepresentation = 15, 1
        piece.PixelData = rng.integers(-1000, 1000, (512, 512), dtype=np.int16).tobytes()
        piece.file_meta = FileMetaDataset()
        piece.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        paths.append(folder / f"{n:04}.dcm")
        piece.save_as(paths[-1], enforce_file_format=True)
    return paths


def part(name: str, folder: Path, port: int, flush: str) -> None:
    """Be one process of a node: its receiver or its indexer."""
    from medloop.dicom.net.receiver import Inlet, Listening, serve  # noqa: PLC0415
    from medloop.store import open_store  # noqa: PLC0415
    from medloop.store.spool import Flush, Spool  # noqa: PLC0415
    from medloop.workflow.indexing import LOOK_S, Indexing  # noqa: PLC0415
    from medloop.workflow.reception import Reception  # noqa: PLC0415

    spool = Spool(folder / "spool", flush=Flush(flush))
    if name == "receive":
        spool.prepare()
        serve(Listening(port=port), Inlet(spool.open, lambda _: {}, lambda _: None))
        return
    reception = Reception(open_store(folder), spool)
    indexing = Indexing(reception)
    while True:
        if not indexing.look(datetime.now(UTC)):
            time.sleep(LOOK_S)


@contextmanager
def processes(*commands: list[str]) -> Iterator[None]:
    """Run programs while the block does."""
    started = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        yield
    finally:
        for each in started:
            each.terminate()
        for each in started:
            each.wait(30)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait, or say that it took too long."""
    ends = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > ends:
            sys.exit("a node did not get ready")
        time.sleep(0.02)


def echoes(port: int) -> bool:
    """Whether a node answers."""
    command = ["echoscu", "-aec", "MEDLOOP", "127.0.0.1", str(port)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def send(port: int, folder: Path) -> None:
    """Send a folder on one association."""
    command = ["storescu", "-aec", "MEDLOOP", "+sd", "127.0.0.1", str(port), str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def medloop(files: Path, count: int, flush: str) -> tuple[float, float]:
    """Instances a second: acknowledged, and in the catalog."""
    from medloop.store import open_store  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        store = open_store(folder)
        programs = [
            [sys.executable, *PART, each, str(folder), str(port), flush]
            for each in ("receive", "index")
        ]

        def indexed() -> bool:
            with store.database.reading() as connection:
                asked = connection.exec_driver_sql("SELECT count(*) FROM arrivals")
                return int(asked.scalar_one()) == count

        with processes(*programs):
            wait_until(lambda: echoes(port))
            began = time.perf_counter()
            send(port, files)
            acknowledged = time.perf_counter() - began
            wait_until(indexed)
            whole = time.perf_counter() - began
        store.close()
    return count / acknowledged, count / whole


def orthanc(files: Path, count: int, program: str) -> tuple[float, float]:
    """Instances a second, stored and indexed before they are acknowledged."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        told = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "DicomPort": port,
            "HttpServerEnabled": False,
            "Plugins": [],
        }
        (folder / "orthanc.json").write_text(json.dumps(told))
        with processes([program, str(folder / "orthanc.json")]):
            wait_until(lambda: echoes(port))
            began = time.perf_counter()
            send(port, files)
            rate = count / (time.perf_counter() - began)
    return rate, rate


def main() -> None:
    """Print medians, and how they compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--slices", type=int, default=133)
    options = parser.parse_args()
    if not shutil.which("storescu"):
        sys.exit("receive: skipped, dcmtk is not installed")
    peer = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    is_real = "MEDLOOP_DATA" in os.environ
    with tempfile.TemporaryDirectory() as name:
        files = Path(name)
        count = len((scanned if is_real else drawn)(files, options.slices))
        size = sum(path.stat().st_size for path in files.iterdir()) / count
        nodes: dict[str, Callable[[], tuple[float, float]]] = {
            "medloop, flushed each": lambda: medloop(files, count, "each"),
            "medloop, flushed later": lambda: medloop(files, count, "later"),
        }
        if peer:
            nodes["Orthanc, defaults"] = lambda: orthanc(files, count, peer)
        found: dict[str, list[tuple[float, float]]] = {node: [] for node in nodes}
        for _ in range(options.runs):
            for node, measure in nodes.items():
                found[node].append(measure())
    told = "LIDC-IDRI-0001" if is_real else "drawn slices"
    print(f"{count} CT slices of {size / 1e3:.0f} kB ({told}), one association; {describe()}")
    print("\n| node | acknowledged, 1/s | indexed, 1/s | x Orthanc |\n|---|---|---|---|")
    medians = {
        node: [statistics.median(run[n] for run in runs) for n in (0, 1)]
        for node, runs in found.items()
    }
    theirs = medians.get("Orthanc, defaults", [0.0, 0.0])[1]
    for node, (acknowledged, indexed) in medians.items():
        ratio = f"{indexed / theirs:.1f}" if theirs else ""
        print(f"| {node} | {acknowledged:.0f} | {indexed:.0f} | {ratio} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--part"]:
        part(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    else:
        main()
