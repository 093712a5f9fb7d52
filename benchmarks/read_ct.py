"""Read a CT series, against SimpleITK's series reader, and compare what they read.

``python -m benchmarks.read_ct --data DIR [--runs 7]``: DIR holds the slices of one series. Both
include finding the slices' order; ours also includes indexing. Runs alternate in one process.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import SimpleITK

from benchmarks.machine import describe
from medloop.core.image import Volume
from medloop.dicom.index import index
from medloop.dicom.read import read_volume
from medloop.imaging.resample import regularize

Answer = TypeVar("Answer")


def ours(folder: Path) -> Volume:
    """Index and read with medloop."""
    (study,) = index(sorted(folder.glob("*.dcm"))).studies
    return read_volume(study.series[0], regularize=regularize)[0]


def theirs(folder: Path) -> SimpleITK.Image:
    """Order and read with SimpleITK."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def timed(work: Callable[[Path], Answer], folder: Path) -> tuple[float, float, Answer]:
    """Time one call: wall and processor seconds."""
    start, cpu = time.perf_counter(), time.process_time()
    answer = work(folder)
    return time.perf_counter() - start, time.process_time() - cpu, answer


def affine_of(image: SimpleITK.Image) -> np.ndarray:
    """Turn ITK's origin, spacing and direction into ours, from (k, j, i)."""
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, :3], affine[:3, 3] = direction[:, ::-1], image.GetOrigin()
    return affine


def main() -> None:
    """Print both medians, their ratio, and how the images differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = os.environ.get("MEDLOOP_DATA")
    parser.add_argument(
        "--data", type=Path, default=Path(root, "lidc", "LIDC-IDRI-0001") if root else None
    )
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    if options.data is None:
        print("read_ct: skipped, --data or MEDLOOP_DATA must name a CT series")
        return
    *_, volume = timed(ours, options.data)
    *_, image = timed(theirs, options.data)
    runs = [
        (*timed(ours, options.data)[:2], *timed(theirs, options.data)[:2])
        for _ in range(options.runs)
    ]
    ours_s, ours_cpu_s, theirs_s, theirs_cpu_s = (
        statistics.median(column) for column in zip(*runs, strict=True)
    )
    equal = np.array_equal(volume.array, SimpleITK.GetArrayViewFromImage(image))
    apart_mm = np.abs(volume.grid.affine - affine_of(image)).max()
    print(describe())
    print(f"{volume.array.shape[0]} slices, median of {len(runs)} runs")
    for name, wall_s, cpu_s in (
        ("medloop.dicom.read.read_volume", ours_s, ours_cpu_s),
        ("SimpleITK.ImageSeriesReader", theirs_s, theirs_cpu_s),
    ):
        print(f"{name:31}{wall_s:.3f} s  ({cpu_s:.3f} s of processor time)")
    print(f"{'ratio':31}{theirs_s / ours_s:.2f}     ({theirs_cpu_s / ours_cpu_s:.2f})")
    print(f"voxels equal: {equal}; affines differ by {apart_mm:.1e} mm")


if __name__ == "__main__":
    main()
