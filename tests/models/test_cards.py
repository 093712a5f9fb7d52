"""The pages about shipped bundles say what their cards say."""

from pathlib import Path

import pytest
from tools.model_cards import page, pages

from medloop.models.bundle import load_bundle, shipped_bundles

DOCS = Path(__file__).parents[2] / "docs" / "models"


def test_every_shipped_bundle_has_its_page_and_no_other_has():
    there = {path.name for path in DOCS.glob("*.md")} - {"README.md"}
    assert there == set(pages()), "run make docs"


@pytest.mark.parametrize("name", shipped_bundles())
def test_a_page_is_what_the_card_says(name):
    bundle = load_bundle(name)
    written = (DOCS / f"{bundle.name}.md").read_text(encoding="utf-8")
    assert written == page(bundle.card, bundle.sha256), "run make docs"


@pytest.mark.parametrize("name", shipped_bundles())
def test_a_card_says_what_it_is_for_and_how_good_it_is(name):
    card = load_bundle(name).card
    assert card["intended_use"]
    assert card["not_for"]
    assert card["limits"]
    for figure in card["evaluation"]["figures"]:
        low, high = figure["interval_95"]
        assert low <= figure["value"] <= high or low != low  # noqa: PLR0124 (NaN)
        assert figure["cases"] > 0


def test_a_page_tells_a_card_in_words():
    card = {
        "name": "x",
        "version": "1",
        "title": "T",
        "intended_use": "Help",
        "not_for": ["harm"],
        "limits": ["one camera"],
        "license": "free",
        "classes": {"MA": "microaneurysms"},
        "training": {
            "data": "D",
            "command": "medloop train x",
            "device": "cpu",
            "torch": "2",
            "networks": 1,
            "cases": 8,
            "recipe": {"size": [3, 4], "ranges": {"flips": True}, "folds": ""},
        },
        "evaluation": {
            "how": "somehow",
            "figures": [{"name": "AUC", "value": 0.91, "interval_95": [0.9, 0.92], "cases": 8}],
        },
    }
    text = page(card, "ab")
    assert "| AUC | 0.910 | 0.900 to 0.920 | 8 |" in text
    assert "Recipe: size 3 x 4, ranges (flips True), folds none." in text
    assert "- harm" in text
