"""Cards of models on Chinese pages."""

import re

import pytest

from medloop.apps.web.cards import figure_name, told
from medloop.clinical.report.language import Language
from medloop.models.bundle import load_bundle, shipped_bundles

CHINESE = Language.CHINESE
LETTER = re.compile("[\u3400-\u9fff]")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def sentences(card):
    said, in_chinese = told(card, Language.ENGLISH), told(card, CHINESE)
    for name in ("title", "intended_use", "data", "how"):
        yield getattr(said, name), getattr(in_chinese, name)
    for name in ("not_for", "limits"):
        yield from zip(getattr(said, name), getattr(in_chinese, name), strict=True)


@pytest.mark.parametrize("name", shipped_bundles())
def test_each_sentence_of_a_shipped_card_has_chinese_with_the_same_numbers(name):
    for english, chinese in sentences(load_bundle(name).card):
        assert chinese.lang == "zh-Hans", english.words
        assert LETTER.search(chinese.words)
        figures = [sorted(NUMBER.findall(each.words)) for each in (english, chinese)]
        assert figures[0] == figures[1], english.words


@pytest.mark.parametrize("name", shipped_bundles())
def test_each_figure_of_a_shipped_card_has_a_chinese_name_of_its_own(name):
    names = [each["name"] for each in load_bundle(name).card["evaluation"]["figures"]]
    chinese = [figure_name(each, CHINESE) for each in names]
    for english, said in zip(names, chinese, strict=True):
        assert LETTER.search(said) or "AUC" in said, english
        assert NUMBER.findall(said) == NUMBER.findall(english.replace("mm3", "mm"))
    assert len(set(chinese)) == len(names)


def test_a_card_of_a_site_may_speak_chinese_itself():
    card = {
        "title": "Eyes",
        "limits": ["few eyes"],
        "zh": {"title": "眼", "limits": ["例数少"]},
    }
    said = told(card, CHINESE)
    assert (said.title.words, said.limits[0].words) == ("眼", "例数少")
    assert told(card, Language.ENGLISH).title.words == "Eyes"


def test_what_nobody_translated_stands_in_english_and_says_so():
    said = told({"intended_use": "Something new."}, CHINESE)
    assert (said.intended_use.words, said.intended_use.lang) == ("Something new.", "en")
    assert said.data.words == ""
    assert figure_name("something new", CHINESE) == "something new"
