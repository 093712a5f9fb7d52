"""Time a 4288 x 2848 photograph from file to finished folder: cold command and warm worker.

``python -m benchmarks.analyze_photograph [--runs 5] [--picture FILE]``. Without a file, a
phantom fundus is drawn. Prints medians, the parts of the warm run, and the peak memory of a
cold command.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
from tests.phantoms import a_fundus

from benchmarks.machine import describe
from medloop.apps.analyze import analyze_into
from medloop.apps.bootstrap import choose_analyses
from medloop.apps.settings import load_settings

SIZE = (2848, 4288)  # rows, columns


def picture_in(folder: Path, source: Path | None) -> Path:
    """Write the photograph to time, scaled to `SIZE`."""
    rgb = a_fundus(size=(712, 1072)).picture.array if source is None else None
    bgr = cv2.imread(str(source)) if rgb is None else rgb[..., ::-1]
    if bgr is None:
        raise SystemExit(f"{source} is no picture")
    path = folder / "eye.jpg"
    big = cv2.resize(bgr, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), big, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return path


def cold(picture: Path, folder: Path) -> float:
    """Seconds of one whole command."""
    start = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "medloop.apps.cli",
        "analyze",
        str(picture),
        "-o",
        str(folder),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    print(describe())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture = picture_in(folder, options.picture)
        colds = [cold(picture, folder / "cold") for _ in range(options.runs)]
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        analyses = choose_analyses(["retina"], load_settings())
        warms = []
        for _ in range(options.runs + 1):
            start = time.perf_counter()
            analyze_into([picture], folder / "warm", analyses, language="en")
            warms.append(time.perf_counter() - start)
        (record,) = (folder / "warm").glob("*/retina/result.json")
        timings = json.loads(record.read_text())["timings_s"]
    print(f"cold command  median {statistics.median(colds):.2f} s  peak {peak_mb:.0f} MB")
    print(f"warm worker   median {statistics.median(warms[1:]):.2f} s  {timings}")


if __name__ == "__main__":
    main()
