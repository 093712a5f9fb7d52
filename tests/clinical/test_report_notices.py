import numpy as np
import pytest

from medloop.clinical.report.language import Language
from medloop.clinical.report.notices import READING, told
from medloop.clinical.retina.phrases import NOTICES
from medloop.core.study import Notice
from medloop.imaging.fundus import find_field
from medloop.imaging.quality import judge_quality
from tests.phantoms import a_fundus

EN, ZH = Language.ENGLISH, Language.CHINESE
BOOK = {"focus": "清晰度 {value:.1f}，下限 {limit}。"}


def test_a_notice_is_translated_with_its_numbers():
    notice = Notice("focus", "Sharpness 0.1.", (("value", 0.11), ("limit", 0.3)))
    assert told([notice], ZH, BOOK) == ("清晰度 0.1，下限 0.3。",)


def test_english_is_the_notice_itself_as_a_sentence():
    assert told([Notice("focus", "sharpness 0.1")], EN, BOOK) == ("Sharpness 0.1.",)


@pytest.mark.parametrize(
    "notice",
    [
        Notice("other", "Something else."),
        Notice("focus", "Something else."),
        Notice("focus", "Something else.", (("value", "low"), ("limit", 1))),
    ],
)
def test_a_notice_that_cannot_be_translated_stays_english(notice):
    assert told([notice], ZH, BOOK) == ("Something else.",)


def test_the_same_notice_is_told_once():
    assert told([Notice("a", "Once."), Notice("b", "Once.")], EN) == ("Once.",)


def test_remarks_on_reading_are_translated_for_every_analysis():
    notice = Notice("gantry-tilt", "Gantry tilt of 12.5 degrees.", (("tilt_deg", 12.5),))
    assert told([notice], ZH) == ("机架倾斜 12.5°，已重采样为垂直层面。",)


def test_translations_do_not_collide():
    assert not set(READING) & set(NOTICES)


@pytest.mark.parametrize("fault", ["blurred", "dark"])
def test_what_is_wrong_with_a_photograph_is_told_in_chinese(fault):
    array = a_fundus(blur_px=12 if fault == "blurred" else 0).picture.array
    if fault == "dark":
        array = (array * 0.12).astype(np.uint8)
    quality = judge_quality(array, find_field(array))
    assert quality.notices
    for line in told(quality.notices, ZH, NOTICES):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in line), line
