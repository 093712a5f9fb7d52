"""HD95, mean surface distance and surface Dice of one organ in 256 cubed voxels, against MONAI.

``python -m benchmarks.surface [--runs 5]``: a drawn organ and two predictions of it, one close
and one poor. Both sides take all three figures from the full arrays; runs alternate in one
process on one thread.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from monai.metrics import (
    compute_average_surface_distance,
    compute_hausdorff_distance,
    compute_surface_dice,
)
from scipy.ndimage import zoom

from benchmarks.machine import describe
from medloop.evaluation.surface import surface_figures

SPACING_MM = (2.5, 0.8, 0.8)
TOLERANCE_MM = 2.0
Figures = tuple[float, float, float]
Mask = np.ndarray


def organ(rough: float, seed: int) -> Mask:
    """Draw an ellipsoid with dents; another seed dents it elsewhere."""
    side = 256
    waves = np.random.default_rng(seed).standard_normal((6, 6, 6))
    dents = zoom(waves, side / 6, order=1)
    z, y, x = np.ogrid[:side, :side, :side]
    far = ((z - 128) / 70) ** 2 + ((y - 126) / 85) ** 2 + ((x - 130) / 60) ** 2
    return np.asarray(far < 1 + rough * dents)


def ours(truth: Mask, predicted: Mask) -> Figures:
    """Take the figures with medloop."""
    found = surface_figures(
        truth, predicted, spacing_mm=SPACING_MM, tolerances_mm=(TOLERANCE_MM,)
    )
    return found.hausdorff_95_mm, found.mean_mm, found.dice[TOLERANCE_MM]


def theirs(truth: Mask, predicted: Mask) -> Figures:
    """Take the figures with MONAI, in the definitions we use."""
    y, y_pred = (torch.from_numpy(mask)[None, None] for mask in (truth, predicted))
    both = {"include_background": True, "spacing": SPACING_MM}
    return (
        float(compute_hausdorff_distance(y_pred, y, percentile=95, **both)),
        float(compute_average_surface_distance(y_pred, y, symmetric=True, **both)),
        float(compute_surface_dice(y_pred, y, [TOLERANCE_MM], use_subvoxels=True, **both)),
    )


def timed(work: Callable[[Mask, Mask], Figures], truth: Mask, predicted: Mask) -> float:
    """Time one call, in seconds of processor time: others may be using the machine."""
    start = time.process_time()
    work(truth, predicted)
    return time.process_time() - start


def main() -> None:
    """Print both medians, their ratio, and both sides' figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    truth = organ(0.06, seed=0)
    print(describe())
    for name, predicted in (("close", truth_like(truth)), ("poor", organ(0.15, seed=1))):
        figures = ours(truth, predicted), theirs(truth, predicted)
        runs = [
            (timed(ours, truth, predicted), timed(theirs, truth, predicted))
            for _ in range(options.runs)
        ]
        ours_s, theirs_s = (statistics.median(column) for column in zip(*runs, strict=True))
        print(
            f"{name} prediction, median of {len(runs)} runs: HD95, mean distance, surface Dice"
        )
        for side, seconds, values in zip(
            ("medloop", "MONAI"), (ours_s, theirs_s), figures, strict=True
        ):
            hd95, mean, dice = values
            print(f"  {side:8}{seconds:.3f} s   {hd95:.4f} mm  {mean:.4f} mm  {dice:.5f}")
        print(f"  {'ratio':8}{theirs_s / ours_s:.1f}")


def truth_like(truth: Mask) -> Mask:
    """Draw a prediction that strays from the truth by a voxel or two."""
    other = truth.copy()
    other[:, 1:] |= truth[:, :-1]
    other[100:150, 100:150, 180:] = np.roll(truth, 3, axis=2)[100:150, 100:150, 180:]
    return other


if __name__ == "__main__":
    main()
