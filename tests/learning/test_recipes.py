"""Settings are checked before anything is trained."""

import pytest

from medloop.core.errors import InputError
from medloop.learning.recipes import RECIPES, recipe_named


def test_settings_overrule_fields_and_keep_their_type():
    settings = {"epochs": "3", "rate": "1e-4", "final": "False", "ship": "both"}
    recipe = recipe_named("retina_grading", settings)
    assert (recipe.epochs, recipe.rate, recipe.final, recipe.ship) == (3, 1e-4, False, "both")


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
    with pytest.raises(InputError, match=says) as caught:
        recipe_named("retina_grading", {key: text})
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_is_told_the_known_ones():
    with pytest.raises(InputError, match="no recipe 'heart'; there are: retina_grading"):
        recipe_named("heart", {})
