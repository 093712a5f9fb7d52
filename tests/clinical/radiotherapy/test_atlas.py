"""What is like none of the labelled cases, and what is not."""

import os
from pathlib import Path

import numpy as np
import pytest

from medloop.clinical.radiotherapy.atlas import load_atlas, odd_places
from medloop.clinical.radiotherapy.codes import ORGANS
from medloop.files.nifti import read_nifti
from medloop.imaging.shape import center_of

ATLAS = load_atlas()
# Middles of the organs of the drawn neck, in LPS mm.
CENTERS = {
    "brainstem": (0.0, 10.0, 15.0),
    "spinal_cord": (0.0, 29.0, -82.0),
    "right_parotid": (-57.0, -17.0, -20.0),
    "left_parotid": (57.0, -17.0, -20.0),
    "oesophagus": (3.0, 10.0, -152.0),
    "larynx": (0.0, -25.0, -95.0),
    "mandible": (0.0, -56.0, -32.0),
}


def moved(name: str, *by: float) -> dict:
    place = tuple(a + b for a, b in zip(CENTERS[name], by, strict=True))
    return CENTERS | {name: place}


def test_every_organ_has_ranges_and_they_are_ranges():
    assert set(ATLAS) == set(ORGANS)
    for usual in ATLAS.values():
        assert 0 < usual.volume_cm3[0] < usual.volume_cm3[1]
        assert usual.cases >= 28
        assert len(usual.offsets_mm) == 6
        assert all(low <= high for each in usual.offsets_mm.values() for low, high in each)


def test_the_right_parotid_lies_to_the_right_in_every_labelled_case():
    _, high = ATLAS["right_parotid"].offsets_mm["left_parotid"][0]
    assert high < -90


def test_a_usual_anatomy_is_not_odd():
    assert odd_places(CENTERS, ATLAS) == ()


@pytest.mark.parametrize("name", ORGANS)
def test_an_organ_that_is_far_off_is_odd_and_no_other(name):
    assert odd_places(moved(name, 0, 90, 0), ATLAS) == (name,)


def test_parotids_that_are_exchanged_are_both_odd():
    exchanged = CENTERS | {
        "right_parotid": CENTERS["left_parotid"],
        "left_parotid": CENTERS["right_parotid"],
    }
    assert odd_places(exchanged, ATLAS) == ("right_parotid", "left_parotid")


def test_one_organ_alone_cannot_be_odd():
    assert odd_places({"larynx": (500.0, 500.0, 500.0)}, ATLAS) == ()


@pytest.mark.data
@pytest.mark.slow
def test_of_the_labelled_cases_few_are_told():
    root = Path(os.environ.get("MEDLOOP_DATA", "none")) / "openkbp"
    if not root.is_dir():
        pytest.skip("MEDLOOP_DATA has no openkbp")
    odd = drawn = 0
    for path in sorted(root.glob("*/structures.nii.gz"))[:20]:
        bits = read_nifti(path)
        masks = {n: (bits.array.astype(np.uint16) >> k & 1) > 0 for k, n in enumerate(ORGANS)}
        centers = {n: tuple(center_of(m, bits.grid)) for n, m in masks.items() if m.any()}
        odd += len(odd_places(centers, ATLAS))
        drawn += len(centers)
    assert odd <= 0.08 * drawn
