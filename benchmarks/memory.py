"""Peak memory of ``medloop analyze`` on a CT of 512 x 512 x 600 voxels, beside nnU-Net's need.

``python -m benchmarks memory [--slices 600] [--analysis lung ...]``: a chest is drawn (head and
neck for ``head_neck``, where its bundle is there) and written as DICOM; the command runs in a
process of its own, in FP32, from reading to finished products, and its largest resident size
is read from the system. nnU-Net is not run: its need is computed, and a lower bound: its
predictor holds every class's logits on the network's grid in half precision, its export every
class's on the CT's voxels.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from pydicom import dcmread
from tests import necks, thorax
from tools.child import run

from benchmarks.contours import drawn_grid, finer
from benchmarks.machine import describe, keep_to
from benchmarks.plots import bars
from benchmarks.runs import note, table
from medloop.core.image import Volume
from medloop.models.bundle import shipped_bundles

SIDE, CORES, LIMIT_GB = 512, 2, 3
HEADS = {"8 classes (organs at risk)": 8, "99 classes (a whole body's)": 99}
NETWORK_MM = 1.5  # spacing of the network's grid


def a_chest() -> Volume:
    """Draw a chest with three nodules, coarsely."""
    balls = ((-70.0, 10.0, 20.0), 12.0), ((75.0, 0.0, 40.0), 8.0), ((-60.0, 30.0, -60.0), 6.0)
    return thorax.a_chest(thorax.Chest(tuple(thorax.Ball(*ball) for ball in balls))).volume


def a_neck() -> Volume:
    """Draw a head and neck, coarsely."""
    return necks.a_neck(drawn_grid()).volume


DRAWN: Mapping[str, tuple[Callable[[], Volume], Mapping[str, str]]] = {
    "lung": (a_chest, {"BodyPartExamined": "CHEST", "SeriesDescription": "Chest 1.0"}),
    "head_neck": (a_neck, {}),
}


def enlarged(coarse: Volume, slices: int) -> Volume:
    """Bring a volume to `slices` x 512 x 512 voxels, a slice at a time."""
    grid = finer(coarse.grid, (slices, SIDE, SIDE))
    last = len(coarse.array) - 1
    out = np.empty(grid.shape, np.int16)
    for k, at in enumerate((np.arange(slices) + 0.5) * len(coarse.array) / slices - 0.5):
        below = int(np.clip(np.floor(at), 0, last))
        share = float(np.clip(at - below, 0, 1))
        low, high = (coarse.array[n].astype(np.float32) for n in (below, min(below + 1, last)))
        plane = cv2.resize(low + share * (high - low), (SIDE, SIDE))
        out[k] = np.rint(plane)
    return Volume(out, grid, coarse.unit)


def written(analysis: str, slices: int, folder: Path) -> float:
    """Write the CT of an analysis as DICOM; return its extent in liters."""
    draw, tags = DRAWN[analysis]
    volume = enlarged(draw(), slices)
    necks.write_ct(volume, folder)
    for path in folder.iterdir() if tags else ():
        data = dcmread(path)
        data.update(dict(tags))
        data.save_as(path)
    return float(np.prod(volume.array.shape) * np.prod(volume.grid.spacing_mm)) / 1e6


def analyzed(analysis: str, ct: Path, out: Path) -> tuple[float, float]:
    """Seconds and peak GB of the command in a process of its own.

    Raises
    ------
    SystemExit
        If it fails.
    """
    command = [sys.executable, "-m", "medloop", "analyze", str(ct), "-o", str(out)]
    command += ["--analysis", analysis, "--precision", "fp32"]
    ran = run(command, os.environ)
    if ran.code:
        raise SystemExit(f"{analysis}: exit code {ran.code}: {ran.errors.strip()}")
    return ran.seconds, ran.peak_mb * 1e6 / 2**30


def needed_gb(heads: int, voxels: int, liters: float) -> float:
    """Least memory of nnU-Net: logits of all classes on both grids, and the image in FP32."""
    network = liters * 1e6 / NETWORK_MM**3
    return (2 * heads * (network + voxels) + 4 * network) / 2**30


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=600)
    here = ["lung", *(["head_neck"] if "head_neck_oars" in shipped_bundles() else [])]
    parser.add_argument("--analysis", nargs="+", choices=DRAWN, default=here)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    keep_to(CORES)
    rows, liters = [], 0.0
    for name in options.analysis:
        with tempfile.TemporaryDirectory() as folder:
            liters = written(name, options.slices, Path(folder) / "ct")
            note(f"{name}: written")
            spent, peak = analyzed(name, Path(folder) / "ct", Path(folder) / "out")
        rows.append([f"medloop analyze, {name}", peak, spent, "measured"])
    voxels = options.slices * SIDE * SIDE
    for name, heads in HEADS.items():
        rows.append([f"nnU-Net, {name}", needed_gb(heads, voxels, liters), None, "computed"])
    print(describe())
    print(f"{SIDE} x {SIDE} x {options.slices} voxels; at most {LIMIT_GB} GB\n")
    print(table(["", "peak GB", "s", "how"], rows))
    if options.plot:
        bars(options.plot, {"peak": {str(row[0]): float(row[1]) for row in rows}}, "GB")
