"""Codes against the tables that pydicom carries, as far as these go."""

import pytest
from pydicom.sr.codedict import codes

from medloop.clinical.lung.codes import LUNG, SITES
from medloop.imaging.lobes import Lobe


def test_every_lobe_has_a_code_of_its_own():
    assert set(SITES) == set(Lobe)
    assert len({code.value for code in SITES.values()}) == len(Lobe)


@pytest.mark.parametrize(
    ("code", "keyword"),
    [
        (LUNG, "Lung"),
        (SITES[Lobe.RIGHT_MIDDLE], "MiddleLobeOfRightLung"),
        (SITES[Lobe.LEFT_UPPER], "StructureOfUpperLobeOfLeftLung"),
    ],
)
def test_codes_that_dicom_lists_are_as_listed(code, keyword):
    assert code.value == getattr(codes.SCT, keyword).value


@pytest.mark.parametrize("keyword", ["UpperLobeOfLung", "LowerLobeOfLung"])
def test_no_lobe_of_one_side_has_the_code_of_either_side(keyword):
    either = getattr(codes.SCT, keyword).value
    assert either not in {code.value for code in SITES.values()}
