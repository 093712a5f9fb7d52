"""Codes against the tables that pydicom carries, as far as these go."""

import pytest
from pydicom.sr.codedict import codes

from medloop.clinical.radiotherapy.codes import ANATOMY, ORGANS


@pytest.mark.parametrize(
    ("name", "keyword"),
    [
        ("brainstem", "BrainStem"),
        ("spinal_cord", "SpinalCord"),
        ("right_parotid", "ParotidGland"),
        ("left_parotid", "ParotidGland"),
        ("oesophagus", "Esophagus"),
        ("larynx", "Larynx"),
        ("mandible", "Mandible"),
    ],
)
def test_organs_have_the_codes_that_dicom_lists(name, keyword):
    listed = getattr(codes.SCT, keyword)
    concept = ORGANS[name].concept
    assert (concept.value, concept.meaning) == (listed.value, listed.meaning)


def test_sides_are_those_that_dicom_lists():
    assert ORGANS["right_parotid"].side.value == codes.SCT.Right.value
    assert ORGANS["left_parotid"].side.value == codes.SCT.Left.value
    assert ANATOMY.value == codes.SCT.AnatomicalStructure.value


def test_labels_rise_from_1_and_names_and_colors_are_all_different():
    assert [organ.label for organ in ORGANS.values()] == [1, 2, 3, 4, 5, 6, 7]
    for each in ("name", "tg263", "network", "color"):
        assert len({getattr(organ, each) for organ in ORGANS.values()}) == 7
