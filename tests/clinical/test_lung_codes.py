"""Codes against the tables that pydicom carries, as far as these go."""

import pytest
from pydicom.sr.codedict import codes

from medloop.clinical.lung.codes import LOBES, LUNG
from medloop.imaging.lobes import Lobe


def test_every_lobe_has_a_code_of_its_own():
    assert set(LOBES) == set(Lobe)
    assert len({code.value for code in LOBES.values()}) == len(Lobe)


@pytest.mark.parametrize(
    ("code", "keyword"),
    [
        (LUNG, "Lung"),
        (LOBES[Lobe.RIGHT_MIDDLE], "MiddleLobeOfRightLung"),
        (LOBES[Lobe.LEFT_UPPER], "StructureOfUpperLobeOfLeftLung"),
    ],
)
def test_codes_that_dicom_lists_are_as_listed(code, keyword):
    assert code.value == getattr(codes.SCT, keyword).value


@pytest.mark.parametrize("keyword", ["UpperLobeOfLung", "LowerLobeOfLung"])
def test_no_lobe_of_one_side_has_the_code_of_either_side(keyword):
    either = getattr(codes.SCT, keyword).value
    assert either not in {code.value for code in LOBES.values()}
