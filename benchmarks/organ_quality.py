"""How near the analysis `head_neck` comes to a physician's outlines, and what it says of that.

``python -m benchmarks.organ_quality --bundle BUNDLE --data FOLDER [--patients NAME,NAME]``:
FOLDER has one folder a patient with ``ct.nii.gz`` and ``structures.nii.gz``, as OpenKBP's
training part (Babier 2021). Patients are those of the bundle's fold 0, from which the network
that is shipped did not learn, or those that are named. For each organ, over patients where it
was drawn: means of Dice, 95th percentile of Hausdorff distance and surface distance (the latter
two over outlines that are there), then medians of the Dice measured, expected and between
mirror images, and how the ranks of measured and expected Dice agree (Spearman).
"""

import argparse
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from tests.necks import a_case

from benchmarks.held_out import held_out
from medloop.clinical.radiotherapy.analysis import HeadNeckAnalysis, build
from medloop.clinical.radiotherapy.codes import EXPECTED_DICE, MIRROR_DICE, ORGANS
from medloop.clinical.radiotherapy.organs import dice
from medloop.core.errors import UnsuitableError
from medloop.evaluation.surface import (
    hausdorff_distance,
    mean_surface_distance,
    surface_distances,
)
from medloop.files.nifti import read_nifti
from medloop.models.bundle import load_bundle
from medloop.models.predict import open_predictor


@dataclass(frozen=True, slots=True)
class Row:
    """One organ of one patient; distances in mm, infinite where nothing was outlined."""

    organ: str
    dice: float
    hausdorff_95_mm: float
    distance_mm: float
    expected: float
    mirror: float


def rows(analysis: HeadNeckAnalysis, folder: Path) -> Iterator[Row]:
    """Compare the organs of one patient that were drawn."""
    ct = read_nifti(folder / "ct.nii.gz")
    bits = read_nifti(folder / "structures.nii.gz").array.astype(np.uint16)
    try:
        result = analysis.analyze(a_case(ct, body_part=""))
    except UnsuitableError as why:
        print(f"{folder.name}: {why}; all that was drawn counts as not found")
        result = None
    found = {each.segment: each for each in result.findings} if result else {}
    labels = result.labels.array if result and result.labels else np.zeros_like(bits)
    for bit, (name, organ) in enumerate(ORGANS.items()):
        truth, ours = (bits >> bit & 1) > 0, labels == organ.label
        if not truth.any():
            continue
        each = found.get(organ.label)
        expected, mirror = (
            (each.measured(concept) or 0.0) if each else 0.0
            for concept in (EXPECTED_DICE, MIRROR_DICE)
        )
        apart = surface_distances(truth, ours, spacing_mm=ct.grid.spacing_mm)
        yield Row(
            name,
            dice(truth, ours),
            hausdorff_distance(apart, percentile=95),
            mean_surface_distance(apart),
            expected,
            mirror,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="head_neck_oars")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--patients", default="")
    options = parser.parse_args()
    opened = load_bundle(options.bundle)
    analysis = build(
        open_predictor(opened),
        opened.segmentation_plan,
        opened.identity,
        now=lambda: datetime.now(UTC),
    )
    wanted = options.patients.split(",") if options.patients else held_out(opened)
    folders = [path.parent for path in sorted(options.data.glob("*/ct.nii.gz"))]
    seen = [
        row for folder in folders if folder.name in wanted for row in rows(analysis, folder)
    ]
    print("organ          cases   Dice  HD95 mm  distance mm  median  expected  mirror  ranks")
    means = []
    for name in ORGANS:
        own = np.array([astuple(row)[1:] for row in seen if row.organ == name])
        if len(own) < 3:
            continue
        there = own[np.isfinite(own[:, 1])]
        _, far, apart, _, _ = there.mean(axis=0)
        median, _, _, expected, mirror = np.median(own, axis=0)
        rho = spearmanr(own[:, 0], own[:, 3]).statistic
        means.append(own[:, 0].mean())
        print(
            f"{name:15}{len(own):5}{means[-1]:7.3f}{far:9.1f}{apart:13.2f}"
            f"{median:8.2f}{expected:10.2f}{mirror:8.2f}{rho:7.2f}"
        )
    print(f"{'mean of organs':20}{np.mean(means):7.3f}")


if __name__ == "__main__":
    main()
