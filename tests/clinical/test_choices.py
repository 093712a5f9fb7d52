"""What readers may say fits what the analyses say."""

import pytest

from medloop.clinical.choices import choices_for
from medloop.clinical.lung import codes as lung
from medloop.clinical.retina import codes as retina
from medloop.dicom.codes import SCALES, fits_code

ANALYSES = ("retina", "lung", "hippocampus", "head_neck", "another")


@pytest.mark.parametrize("analysis", ANALYSES)
def test_each_code_stands_once_and_fits_dicom(analysis):
    choices = choices_for(analysis)
    for listed in (choices.concepts, choices.sites, choices.sizes):
        codes = [each.code for each in listed]
        assert len({(code.scheme, code.value) for code in codes}) == len(codes)
        assert all(len(code.value) <= 16 for code in codes)
        assert all(len(code.meaning) <= 64 for code in codes)


@pytest.mark.parametrize("analysis", ANALYSES)
def test_each_choice_has_a_name_in_both_languages(analysis):
    choices = choices_for(analysis)
    names = [each.names for each in (*choices.concepts, *choices.sites, *choices.sizes)]
    names += [each.names for each in choices.scales]
    names += [said for scale in choices.scales for _, said in scale.values]
    assert all(english and chinese for english, chinese in names)


def test_readers_may_say_what_the_networks_say():
    said = {choice.code for choice in choices_for("retina").concepts}
    assert said >= set(retina.CONCEPTS.values())
    assert choices_for("lung").segment.code == lung.NODULE


def test_grades_are_those_that_reports_have_codes_for():
    scales = {scale.name: scale.values for scale in choices_for("retina").scales}
    for name in ("ICDR", "DME"):
        assert [value for value, _ in scales[name]] == list(SCALES[name])
    (lung_rads,) = choices_for("lung").scales
    assert all(fits_code("Lung-RADS", value) for value, _ in lung_rads.values)
