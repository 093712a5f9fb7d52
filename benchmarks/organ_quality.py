"""How quality figures of organs at risk compare with the overlap with a physician's outline.

``python -m benchmarks.organ_quality --bundle BUNDLE --data FOLDER [--patients NAME,NAME]``:
FOLDER has one folder a patient with ``ct.nii.gz`` and ``structures.nii.gz``, as OpenKBP's
training part (Babier 2021). Name patients the bundle has not learned from. For each organ:
medians of the Dice measured, expected and between mirror images, over patients where the organ
was drawn, and how the ranks of measured and expected Dice agree (Spearman).
"""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from tests.necks import a_case

from medloop.clinical.radiotherapy.analysis import HeadNeckAnalysis, build
from medloop.clinical.radiotherapy.codes import EXPECTED_DICE, MIRROR_DICE, ORGANS
from medloop.clinical.radiotherapy.organs import dice
from medloop.core.errors import UnsuitableError
from medloop.files.nifti import read_nifti
from medloop.models.bundle import load_bundle
from medloop.models.predict import open_predictor


def rows(analysis: HeadNeckAnalysis, folder: Path) -> Iterator[tuple[str, float, float, float]]:
    """Organ, measured, expected and mirror Dice of one patient, where the organ was drawn."""
    bits = read_nifti(folder / "structures.nii.gz").array.astype(np.uint16)
    try:
        result = analysis.analyze(a_case(read_nifti(folder / "ct.nii.gz"), body_part=""))
    except UnsuitableError as why:
        print(f"{folder.name}: {why}")
        return
    found = {each.segment: each for each in result.findings}
    labels = result.labels.array if result.labels else np.zeros_like(bits)
    for bit, (name, organ) in enumerate(ORGANS.items()):
        truth = (bits >> bit & 1) > 0
        if not truth.any():
            continue
        each = found.get(organ.label)
        expected, mirror = (
            (each.measured(concept) or 0.0) if each else 0.0
            for concept in (EXPECTED_DICE, MIRROR_DICE)
        )
        yield name, dice(truth, labels == organ.label), expected, mirror


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
    wanted = options.patients.split(",") if options.patients else None
    folders = [path.parent for path in sorted(options.data.glob("*/ct.nii.gz"))]
    seen = [
        row
        for folder in folders
        if wanted is None or folder.name in wanted
        for row in rows(analysis, folder)
    ]
    print(f"{'organ':15}cases  measured  expected  mirror  ranks agree")
    for name in ORGANS:
        own = np.array([row[1:] for row in seen if row[0] == name])
        if len(own) < 3:
            continue
        measured, expected, mirror = np.median(own, axis=0)
        rho = spearmanr(own[:, 0], own[:, 1]).statistic
        print(f"{name:15}{len(own):5}{measured:10.2f}{expected:10.2f}{mirror:8.2f}{rho:13.2f}")


if __name__ == "__main__":
    main()
