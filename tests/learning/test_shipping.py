"""What a bundle is called."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from medloop.learning.shipping import bundle_name


@pytest.mark.parametrize(
    ("recipe", "folder", "name"),
    [
        ("classification", "bundles/skin", "skin"),
        ("segmentation", "bundles/liver-2", "liver-2"),
        ("hippocampus", "bundles/mine", "hippocampus"),
        ("segmentation", "bundles/my liver", "segmentation"),
        ("segmentation", "bundles/.hidden", "segmentation"),
        ("segmentation", "bundles/lung_nodules", "segmentation"),
    ],
    ids=["any data", "a number", "one question", "a space", "hidden", "that of a shipped one"],
)
def test_a_recipe_for_any_data_takes_the_name_of_the_folder(recipe, folder, name):
    assert bundle_name(recipe, Path(folder)) == name
