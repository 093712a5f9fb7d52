"""Settings are checked before anything is trained."""

from dataclasses import replace

import pytest

from medloop.core.errors import SettingError
from medloop.learning.recipes import RECIPES, Tuning, overruled, recipe_named, tuning_from


def test_settings_overrule_fields_and_keep_their_type():
    settings = {"epochs": "3", "rate": "1e-4", "final": "False", "ship": "both"}
    recipe = recipe_named("retina_grading", settings)
    assert (recipe.epochs, recipe.rate, recipe.final, recipe.ship) == (3, 1e-4, False, "both")


@pytest.mark.parametrize(
    ("settings", "folds"),
    [
        ({"of_folds": "2"}, "0,1"),
        ({"of_folds": "7"}, "0,1,2,3,4,5,6"),
        ({"of_folds": "2", "folds": ""}, ""),
        ({"of_folds": "2", "folds": "0,1,2"}, "0,1,2"),  # refused where folds are known
        ({}, "0,1,2,3,4"),
    ],
)
def test_the_folds_follow_their_number_unless_they_are_named(settings, folds):
    assert recipe_named("retina_grading", settings).folds == folds


def test_a_recipe_that_trains_one_fold_goes_on_doing_so():
    one = replace(recipe_named("retina_grading", {}), folds="0")
    assert overruled(one, {"of_folds": "3"}).folds == "0"


def test_without_settings_a_recipe_is_itself():
    assert all(recipe_named(name, {}) == make() for name, make in RECIPES.items())


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("epochs", "many", "epochs='many' is no int"),
        ("epochs", "0", "epochs=0 outside 1"),
        ("rate", "nan", "rate=nan outside"),
        ("final", "perhaps", "final='perhaps' is no bool"),
        ("plan", "x", "has no setting 'plan'; it has: epochs"),
        ("name", "x", "has no setting 'name'"),
        ("trunk", "lite9", "none of lite0, lite1, lite2"),
        ("of_folds", "1", "of_folds=1 outside 2"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(key, text, says):
    with pytest.raises(SettingError, match=says) as caught:
        recipe_named("retina_grading", {key: text})
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_is_told_the_known_ones():
    with pytest.raises(SettingError, match="no recipe 'heart'; there are: retina_grading"):
        recipe_named("heart", {})


def test_settings_say_what_moves_and_the_others_are_left():
    settings = {"adapt": "lora", "rank": "6", "epochs": "3"}
    assert tuning_from(settings) == (Tuning(adapt="lora", rank=6), {"epochs": "3"})
    frozen, rest = tuning_from({"freeze": "stem.*, blocks.0.*", "depth_decay": "0.8"})
    assert (frozen.freeze, frozen.depth_decay, rest) == (("stem.*", "blocks.0.*"), 0.8, {})


@pytest.mark.parametrize(
    ("key", "text"),
    [("adapt", "some"), ("rank", "0"), ("rank", "four"), ("depth_decay", "0")],
)
def test_a_wrong_setting_of_what_moves_is_named(key, text):
    with pytest.raises(SettingError, match=f"setting {key}='?{text}"):
        tuning_from({key: text})
