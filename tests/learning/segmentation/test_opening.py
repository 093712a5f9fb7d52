"""What a named recipe knows of its data beforehand."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.learning.segmentation.opening import open_segmentation, plan_segmentation
from tests.learning.segmentation.volumes import some_volumes

pytestmark = pytest.mark.train


def test_a_recipe_names_channels_and_classes_and_knows_how_long_it_trains(tmp_path):
    planned = plan_segmentation("hippocampus", some_volumes(tmp_path), {"of_folds": "2"})
    plan = planned.recipe.plan
    assert (plan.channels, plan.classes) == (("T1",), ("anterior", "posterior"))
    assert planned.recipe.epochs == 50


def test_patches_are_mirrored_only_along_the_axes_named(tmp_path):
    settings = {"of_folds": "2", "mirror": "0,2", "batch": "1", "steps": "40"}
    planned = plan_segmentation("hippocampus", some_volumes(tmp_path), settings)
    assert planned.recipe.plan.flips == (0, 2)
    task = open_segmentation(planned, tmp_path / "work")
    batches, _ = task.batches(np.arange(len(planned.sources)))
    ahead = []  # the first class lies before the second, and stays there
    for _, labels in batches(np.random.default_rng(0)):
        rows = [np.nonzero(labels[0].numpy() == n)[1] for n in (1, 2)]
        if all(len(each) > 20 for each in rows):
            ahead.append(rows[0].mean() < rows[1].mean())
    assert len(ahead) > 10
    assert all(ahead)


def test_a_recipe_gives_way_to_settings(tmp_path):
    settings = {"of_folds": "2", "flips": "", "epochs": "3"}
    planned = plan_segmentation("hippocampus", some_volumes(tmp_path), settings)
    assert (planned.recipe.plan.flips, planned.recipe.epochs) == ((), 3)


def test_answers_can_go_without_mirror_images(tmp_path):
    settings = {"of_folds": "2", "mirror": "0,2", "flips": ""}
    planned = plan_segmentation("hippocampus", some_volumes(tmp_path), settings)
    assert (planned.recipe.mirror, planned.recipe.plan.flips) == ("0,2", ())


@pytest.mark.parametrize(("wrong", "told"), [("0,7", "beyond 3"), ("left", "no list of axes")])
def test_axes_that_are_none_are_refused(tmp_path, wrong, told):
    with pytest.raises(InputError, match=told):
        plan_segmentation("hippocampus", some_volumes(tmp_path), {"mirror": wrong})


def test_other_classes_than_the_recipes_are_refused(tmp_path):
    root = some_volumes(tmp_path)
    for path in (root / "labels").iterdir():
        labels = nib.load(path)
        one = np.minimum(np.asarray(labels.dataobj), 1)
        nib.save(nib.Nifti1Image(one, labels.affine), path)
    with pytest.raises(InputError, match="is for channels T1 and classes anterior, posterior"):
        plan_segmentation("hippocampus", root, {})


def test_a_side_that_was_not_drawn_is_the_other_one_in_a_mirror_image(tmp_path):
    settings = {"of_folds": "2", "mirror": "2", "batch": "1", "steps": "30"}
    planned = plan_segmentation("hippocampus", some_volumes(tmp_path), settings)
    batches, _ = open_segmentation(planned, tmp_path / "work").batches(np.arange(1))
    case = batches.cases[0]
    one_side = np.where(case.labels == 2, 0, case.labels)
    alone = replace(case, labels=one_side, places={1: case.places[1]})
    sided = replace(
        batches,
        cases=(alone,),
        plan=replace(batches.plan, exchanged=((1, 2),)),
        is_partial=True,
    )
    seen = set()
    for _, labels, known in sided(np.random.default_rng(0)):
        seen.add(tuple(known[0].tolist()))
        assert known[0][labels[labels > 0].unique().long()].all()
    assert seen == {(True, True, False), (True, False, True)}
