"""A planning CT of 512 x 512 x 150 voxels from DICOM to RTSTRUCT, report and other products.

``python -m benchmarks.contours [--bundle BUNDLE --ct CT.nii.gz] [--slices 150] [--runs 3]``:
without a bundle a head and neck is drawn, and a network that knows what was drawn answers at
once; with one, a CT of a patient is brought to the same size and the bundle's network answers.
A fresh process runs several times: the first run is the cold one, the others are warm. Peak
memory is that of the process.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from tests.necks import a_grid, a_neck, an_analysis, write_ct

from benchmarks.machine import describe
from medloop.apps.analyze import analyze_into
from medloop.clinical.radiotherapy.analysis import HeadNeckAnalysis, build
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.files.nifti import read_nifti
from medloop.imaging.orientation import turn_of, upright_grid
from medloop.imaging.resample import resize
from medloop.models.bundle import load_bundle
from medloop.models.predict import open_predictor

SIDE = 512


def enlarged(ct: Volume, slices: int) -> Volume:
    """Bring a CT to the size of the benchmark."""
    turn = turn_of(ct.grid)
    old, size = upright_grid(ct.grid, turn), (slices, SIDE, SIDE)
    array = np.rint(resize(turn.upright(ct.array), size)).astype(np.int16)
    return Volume(array, finer(old, size), "HU")


def finer(old: Grid, size: tuple[int, int, int]) -> Grid:
    """Divide the space of a grid into other voxels."""
    zoom = [a / b for a, b in zip(old.shape, size, strict=True)]
    affine = old.affine @ np.diag([*zoom, 1.0])
    affine[:3, 3] += old.affine[:3, :3] @ ((np.array(zoom) - 1) / 2)
    return Grid(size, affine, "2.25.816")


def drawn_grid() -> Grid:
    """Lay a coarse grid over the drawn head and neck."""
    low, high = (-256.0, -256.0, -190.0), (256.0, 256.0, 140.0)
    return a_grid((4.4, 4.0, 4.0), low_mm=low, high_mm=high)


def analysis_of(bundle: str, slices: int) -> HeadNeckAnalysis:
    """Open a bundle, or take the network that knows what was drawn."""
    if not bundle:
        return an_analysis(finer(drawn_grid(), (slices, SIDE, SIDE)))
    opened = load_bundle(bundle)
    predictor, plan = open_predictor(opened), opened.segmentation_plan
    return build(predictor, plan, opened.identity, now=lambda: datetime.now(UTC))


def measure(options: argparse.Namespace) -> None:
    """Analyze the folder several times in this process and print what was measured, as JSON."""
    analysis = analysis_of(options.bundle, options.slices)
    spent, timings = [], {}
    for run in range(options.runs):
        out = options.folder / f"out{run}"
        began = time.perf_counter()
        analyze_into([options.folder / "ct"], out, (analysis,), language="en")
        spent.append(time.perf_counter() - began)
        (record,) = out.glob("*/head_neck/result.json")
        timings = json.loads(record.read_text())["timings_s"]
        if not record.with_name("rtstruct.dcm").is_file():
            raise SystemExit("no rtstruct.dcm was written")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"spent": spent, "timings": timings, "peak_mb": peak_mb}))


def in_child(folder: Path, options: argparse.Namespace, runs: int) -> tuple[float, dict]:
    """Measure in a fresh process: its whole wall time, and what it prints."""
    command = [sys.executable, "-m", "benchmarks.contours", "--folder", str(folder)]
    command += ["--runs", str(runs), "--slices", str(options.slices)]
    command += ["--bundle", options.bundle]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - began, json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="")
    parser.add_argument("--ct", type=Path)
    parser.add_argument("--slices", type=int, default=150)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        measure(options)
        return
    print(describe())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ct = read_nifti(options.ct) if options.ct else a_neck(drawn_grid()).volume
        volume = enlarged(ct, options.slices)
        write_ct(volume, folder / "ct")
        cold, first = in_child(folder, options, 1)
        _, several = in_child(folder, options, options.runs + 1)
    warm = statistics.median(several["spent"][1:])
    print(f"{volume.array.shape} voxels, {options.bundle or 'a network that knows'}")
    print(f"cold process {cold:.1f} s, peak {first['peak_mb']:.0f} MB")
    print(
        f"warm worker, median of {options.runs}: {warm:.1f} s, peak {several['peak_mb']:.0f} MB"
    )
    print(" ".join(f"{step} {s:.2f} s" for step, s in several["timings"].items()))


if __name__ == "__main__":
    main()
