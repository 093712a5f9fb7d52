"""What experts outlined raises no alarm. Needs MEDLOOP_DATA/msd_hippocampus."""

import os
from pathlib import Path

import numpy as np
import pytest

from medloop.clinical.brain.notices import doubts
from medloop.clinical.brain.suitability import require_region
from medloop.clinical.brain.volumes import measure, measure_parts
from medloop.files.nifti import read_nifti
from medloop.imaging.shape import shape_of

pytestmark = [pytest.mark.data, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder():
    folder = Path(os.environ.get("MEDLOOP_DATA", "/nowhere")) / "msd_hippocampus"
    if not folder.is_dir():
        pytest.skip("MEDLOOP_DATA/msd_hippocampus is not here")
    return folder


def test_every_region_suits_and_no_outline_by_hand_is_doubted(folder):
    cases = sorted((folder / "images").glob("*.nii.gz"))
    assert len(cases) > 100
    for path in cases:
        volume = require_region(read_nifti(path))
        labels = read_nifti(folder / "labels" / path.name).array
        maps = {n: (labels == n).astype(np.float32) for n in (1, 2)}
        whole = measure(labels > 0, maps[1] + maps[2], volume.grid)
        parts = measure_parts(labels, maps, volume.grid)
        assert doubts(whole, parts, shape_of(labels > 0, volume.grid)) == (), path.name
