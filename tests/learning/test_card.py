"""A card says what is true of the bundle it stands in."""

import tomllib

import pytest

tomli_w = pytest.importorskip("tomli_w")

from medloop.evaluation.bootstrap import Figure  # noqa: E402
from medloop.learning.card import PURPOSES, card_text  # noqa: E402
from medloop.learning.recipes import RECIPES  # noqa: E402


def a_card(cases):
    text = card_text(
        name="retina_grading",
        version="1",
        purpose=PURPOSES["retina_grading"],
        training={"cases": cases, "seed": 0},
        figures=[Figure("AUC", 0.91, 0.9, 0.92, 80)],
        figures_how="out of fold",
    )
    return tomllib.loads(text)


def test_every_recipe_has_a_purpose():
    assert set(PURPOSES) == {
        *RECIPES,
        "head_neck_oars",
        "hippocampus",
        "lung_nodules",
    }  # the others say what their data say


def test_a_card_of_the_recipes_own_data_names_them():
    card = a_card(394)
    assert card["training"]["data"].startswith("IDRiD")
    assert len(card["limits"]) > 1
    assert card["evaluation"]["figures"][0]["interval_95"] == [0.9, 0.92]


def test_other_data_are_not_passed_off_as_the_recipes_own():
    card = a_card(12)
    assert card["training"]["data"] == "12 photographs of the user's"
    assert card["limits"] == [
        "made from other data than this recipe was tested on: its limits are unknown"
    ]
