"""Nodules of one chest CT, beside MONAI's 3-D RetinaNet on the same scan.

``python -m benchmarks.lung --data FOLDER [--bundle BUNDLE]``: FOLDER holds a chest CT in DICOM.
medloop runs whole, from reading files to measured nodules; the RetinaNet, with random weights
in its LUNA16 configuration (ResNet-50, feature pyramid of two levels, 0.703 x 0.703 x 1.25 mm,
windows of 192 x 192 x 80 voxels that overlap by a quarter), is timed on some windows, and the
time of all windows of this scan is that times their number: reading, resampling and joining of
its boxes are left out. Both have all cores. Wall times, medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from monai.apps.detection.networks.retinanet_network import RetinaNet
from monai.data.utils import dense_patch_slices
from monai.networks.nets.resnet import resnet50
from torch import Tensor, nn
from torch.nn.functional import interpolate

from benchmarks.machine import describe
from medloop.clinical.lung.analysis import LungAnalysis, Networks
from medloop.models.bundle import load_bundle
from medloop.models.predict import open_predictor, open_weights
from medloop.workflow.intake import FolderArchive, gather

WINDOW, SPACING_MM = (192, 192, 80), (0.703125, 0.703125, 1.25)
OVERLAP = 0.25
RUNS, WINDOWS = 5, 3


class Pyramid(nn.Module):
    """Two levels of a feature pyramid over a ResNet-50, as MONAI's LUNA16 example has them."""

    out_channels = 256

    def __init__(self) -> None:
        super().__init__()
        self.body = resnet50(
            spatial_dims=3, n_input_channels=1, conv1_t_size=7, conv1_t_stride=(2, 2, 1)
        )
        self.inner = nn.ModuleList(nn.Conv3d(n, 256, 1) for n in (256, 512))
        self.outer = nn.ModuleList(nn.Conv3d(256, 256, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features at two resolutions, and a coarser one, finest first."""
        body = self.body
        x = body.maxpool(body.act(body.bn1(body.conv1(x))))
        fine = body.layer1(x)
        coarse = body.layer2(fine)
        top = self.inner[1](coarse)
        below = self.inner[0](fine) + interpolate(top, size=fine.shape[2:])
        levels = [self.outer[0](below), self.outer[1](top)]
        return [*levels, nn.functional.max_pool3d(levels[-1], 1, 2)]


def seconds(run: Callable[[], object], times: int) -> float:
    """Median wall time of several runs, after one that is not counted."""
    run()
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


def ours(folder: Path, bundle: str) -> tuple[float, tuple[float, ...]]:
    """Seconds from files to measured nodules, and the extent of the volume in mm (x, y, z)."""
    opened = load_bundle(bundle)
    analysis = LungAnalysis(
        Networks(
            open_weights(opened.screen),
            open_predictor(opened),
            opened.nodule_plan,
            opened.both_identities,
        ),
        now=lambda: datetime.now(UTC),
    )
    extent: tuple[float, ...] = ()

    def run() -> None:
        nonlocal extent
        intake = gather([folder], scratch=folder)  # a folder of DICOM needs no scratch
        study = intake.studies[0]
        case = FolderArchive(intake).case(study, analysis.select(study)[0])
        analysis.analyze(case)
        grid = case.images[0].grid
        sides = zip(grid.shape[::-1], grid.spacing_mm[::-1], strict=True)
        extent = tuple(n * mm for n, mm in sides)

    return seconds(run, RUNS), extent


def theirs(extent_mm: tuple[float, ...]) -> tuple[float, int]:
    """Seconds of one window, and how many windows the scan has."""
    torch.manual_seed(0)
    network = RetinaNet(
        spatial_dims=3,
        num_classes=1,
        num_anchors=3,
        feature_extractor=Pyramid(),
        size_divisible=16,
    ).eval()
    window = torch.randn(1, 1, *WINDOW)
    size = tuple(round(mm / step) for mm, step in zip(extent_mm, SPACING_MM, strict=True))
    steps = tuple(round(side * (1 - OVERLAP)) for side in WINDOW)
    padded = tuple(max(n, side) for n, side in zip(size, WINDOW, strict=True))
    count = len(dense_patch_slices(padded, WINDOW, steps))
    with torch.inference_mode():
        return seconds(lambda: network(window), WINDOWS), count


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", default="lung_nodules")
    options = parser.parse_args()
    print(describe())
    spent, extent = ours(options.data, options.bundle)
    print(f"medloop, files to measured nodules: {spent:.2f} s")
    window, count = theirs(extent)
    print(f"MONAI RetinaNet: {window:.1f} s a window, {count} windows: {window * count:.0f} s")
    print(f"ratio {window * count / spent:.0f} (of {np.round(extent)} mm)")


if __name__ == "__main__":
    main()
