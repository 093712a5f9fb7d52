"""Read thousands of broken DICOM files; none may end in a traceback, a hang or 2 GB of memory.

python -m tests.soak --files 10000 --seed 1 --keep out/soak
"""

import argparse
import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.data import get_testdata_files

from tests.soak.mutate import mutated

LIMIT_S = 10.0
START_S = 120.0  # for importing, on a busy machine
LIMIT_BYTES = 2 << 30
LARGEST_SOURCE = 600_000


@dataclass
class Tally:
    """What happened so far."""

    files: int = 0
    images: int = 0
    slowest_s: float = 0.0
    peak_bytes: int = 0
    troubles: list[tuple[int, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self, number: int, *, images: int = 0, seconds: float, peak: int, trouble: str
    ) -> None:
        """Count one file."""
        with self.lock:
            self.files += 1
            self.images += images
            self.slowest_s = max(self.slowest_s, seconds)
            self.peak_bytes = max(self.peak_bytes, peak)
            if trouble:
                self.troubles.append((number, trouble))


class Reader:
    """A process that reads broken files, replaced when it hangs or dies."""

    def __init__(self, seed: int, sources: Path) -> None:
        command = [sys.executable, "-m", "tests.soak.reading", str(seed), str(sources)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.answers: queue.Queue[str] = queue.Queue()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        self.answers.get(timeout=START_S)

    def _listen(self) -> None:
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put("")

    def ask(self, number: int, *, timeout_s: float) -> tuple[int, int, str, int] | None:
        """Return the answer, None if the process died; raises queue.Empty if it hangs."""
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        line = self.answers.get(timeout=timeout_s)
        return tuple(json.loads(line)) if line else None

    def stop(self) -> int:
        """End the process and return how it ended."""
        self.process.kill()
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        ended = self.process.wait()
        self.listener.join()
        self.process.stdout.close()
        return ended


def sources() -> list[Path]:
    """List the files that are broken: pydicom's own, small enough to break often."""
    found = {Path(name) for name in get_testdata_files()}
    kept = [
        path
        for path in found
        if path.is_file() and path.stat().st_size <= LARGEST_SOURCE and _is_dicom(path)
    ]
    return sorted(kept, key=lambda path: path.name)


def soak(files: int, *, seed: int, processes: int = 2, keep: Path | None = None) -> Tally:
    """Read `files` broken files in a few long-lived processes."""
    tally = Tally()
    originals = sources()
    numbers = iter(range(files))
    with tempfile.TemporaryDirectory(prefix="medloop-soak-") as folder:
        listing = Path(folder) / "sources.txt"
        listing.write_text("\n".join(map(str, originals)))
        lock = threading.Lock()
        threads = [
            threading.Thread(target=_read_all, args=(numbers, lock, tally, seed, listing))
            for _ in range(processes)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if keep is not None and tally.troubles:
        keep.mkdir(parents=True, exist_ok=True)
        for number, trouble in tally.troubles:
            source, data = mutated(originals, seed=seed, number=number)
            (keep / f"{seed}-{number}.dcm").write_bytes(data)
            (keep / f"{seed}-{number}.txt").write_text(f"from {source.name}\n{trouble}\n")
    return tally


def _read_all(
    numbers: Iterator[int], lock: threading.Lock, tally: Tally, seed: int, listing: Path
) -> None:
    reader = Reader(seed, listing)
    while True:
        with lock:
            number = next(numbers, None)
        if number is None:
            break
        if not _read_next(reader, number, tally, is_last_try=False):
            continue
        reader.stop()
        reader = Reader(seed, listing)
        if _read_next(reader, number, tally, is_last_try=True):
            reader.stop()
            reader = Reader(seed, listing)
    reader.stop()


def _read_next(reader: Reader, number: int, tally: Tally, *, is_last_try: bool) -> bool:
    """Read one file; return whether the process must be replaced.

    What a process could not end is tried once more by a fresh one: the machine may be busy, and
    memory may have been taken by an earlier file.
    """
    start = time.monotonic()
    images, peak = 0, 0
    try:
        answer = reader.ask(number, timeout_s=LIMIT_S)
    except queue.Empty:
        trouble = f"hangs over {LIMIT_S:g} s"
    except BrokenPipeError:
        trouble = f"process died: {reader.stop()}"
    else:
        if answer is None:
            trouble = f"process died: {reader.stop()}"
        else:
            _number, images, trouble, peak = answer
            if peak <= LIMIT_BYTES:
                seconds = time.monotonic() - start
                tally.add(number, images=images, seconds=seconds, peak=peak, trouble=trouble)
                return False
            trouble = trouble or f"resident memory {peak / 2**30:.2f} GB exceeds 2 GB"
    if is_last_try:
        seconds = time.monotonic() - start
        tally.add(number, images=images, seconds=seconds, peak=peak, trouble=trouble)
    return True


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("out/soak"))
    options = parser.parse_args()
    start = time.monotonic()
    tally = soak(options.files, seed=options.seed, keep=options.keep)
    print(
        f"{tally.files} broken files in {time.monotonic() - start:.0f} s: "
        f"{tally.images} images read, slowest {tally.slowest_s:.1f} s, "
        f"peak {tally.peak_bytes / 2**20:.0f} MB, {len(tally.troubles)} broke a promise"
    )
    for number, trouble in tally.troubles[:20]:
        print(f"  {number}: {trouble.splitlines()[-1]}")
    return 1 if tally.troubles else 0


if __name__ == "__main__":
    sys.exit(main())
