"""Index a folder of mixed DICOM files, against a bare loop of ``pydicom.dcmread``.

``python -m benchmarks.index_folder [--files 2000] [--runs 5]``: copies pydicom's own test files
until there are enough, then reads all of them in turn by both, in one process.
"""

import argparse
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError

from benchmarks.machine import describe
from medloop.core.errors import FOREIGN_ERRORS
from medloop.dicom.index import index

_MAX_BYTES = 3_000_000


def sources() -> list[Path]:
    """List the test files of pydicom, and of pydicom-data if there, that pydicom can read."""
    folders = [Path(pydicom.__file__).parent / "data" / "test_files"]
    try:
        import data_store  # noqa: PLC0415 (not everyone has it)

        folders.append(Path(data_store.__file__).parent / "data")
    except ImportError:
        pass
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.stat().st_size < _MAX_BYTES and _is_readable(path)
    ]


def _is_readable(path: Path) -> bool:
    try:
        pydicom.dcmread(path, stop_before_pixels=True)
    except (*FOREIGN_ERRORS, BytesLengthException, InvalidDicomError):
        return False
    return True


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Print both medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        some = sources()
        paths = [
            Path(shutil.copy(some[n % len(some)], Path(folder) / f"{n:05}"))
            for n in range(options.files)
        ]
        index(paths)  # once, so that both find the files in memory

        def theirs() -> None:
            for path in paths:
                pydicom.dcmread(path, stop_before_pixels=True)

        runs = [
            (seconds(lambda: index(paths).studies), seconds(theirs))
            for _ in range(options.runs)
        ]
    ours_s, theirs_s = (statistics.median(column) for column in zip(*runs, strict=True))
    print(describe())
    print(f"{len(paths)} files, {len(some)} different, median of {len(runs)} runs")
    print(f"medloop.dicom.index.index      {ours_s:.3f} s  {len(paths) / ours_s:.0f} files/s")
    print(
        f"pydicom.dcmread, no pixels     {theirs_s:.3f} s  {len(paths) / theirs_s:.0f} files/s"
    )
    print(f"ratio                          {theirs_s / ours_s:.2f}")


if __name__ == "__main__":
    main()
