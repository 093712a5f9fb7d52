"""What a named recipe knows of its data beforehand."""

import nibabel as nib
import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.learning.segmentation.opening import plan_segmentation
from tests.learning.segmentation.volumes import some_volumes

pytestmark = pytest.mark.train


def test_the_hippocampus_is_never_mirrored_front_to_back(tmp_path):
    planned = plan_segmentation("hippocampus", some_volumes(tmp_path), {"of_folds": "2"})
    plan = planned.recipe.plan
    assert (plan.channels, plan.classes) == (("T1",), ("anterior", "posterior"))
    assert plan.flips == (0, 2)
    assert planned.recipe.epochs == 30


def test_a_recipe_gives_way_to_settings(tmp_path):
    settings = {"of_folds": "2", "flips": "", "epochs": "3"}
    planned = plan_segmentation("hippocampus", some_volumes(tmp_path), settings)
    assert (planned.recipe.plan.flips, planned.recipe.epochs) == ((), 3)


def test_other_classes_than_the_recipes_are_refused(tmp_path):
    root = some_volumes(tmp_path)
    for path in (root / "labels").iterdir():
        labels = nib.load(path)
        one = np.minimum(np.asarray(labels.dataobj), 1)
        nib.save(nib.Nifti1Image(one, labels.affine), path)
    with pytest.raises(InputError, match="is for channels T1 and classes anterior, posterior"):
        plan_segmentation("hippocampus", root, {})
