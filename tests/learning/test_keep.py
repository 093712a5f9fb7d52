"""A folder holds one run's work, and no other's."""

import json
from dataclasses import replace

import pytest

from medloop.core.errors import InputError, ServiceError
from medloop.learning.keep import claim
from medloop.learning.lung.recipe import REVIEW, NoduleRecipe
from medloop.learning.recipes import retina_grading
from medloop.learning.whole import write_text
from medloop.models.nodule_plan import NodulePlan

RECIPE = retina_grading()


def take(out, recipe=RECIPE, *, seed=0, parts=("fold0",), resume=False):
    claim(out, recipe, seed=seed, parts=parts, resume=resume)


def test_other_folds_of_the_same_recipe_may_join(tmp_path):
    take(tmp_path / "out")
    write_text(tmp_path / "out/folds/fold0.json", "{}")
    take(tmp_path / "out", replace(RECIPE, folds="1", final=False), parts=("fold1",))


def test_a_finished_part_is_not_trained_over(tmp_path):
    take(tmp_path / "out")
    write_text(tmp_path / "out/work/fold0.checkpoint", "")
    with pytest.raises(InputError, match="already holds fold0: go on with --resume"):
        take(tmp_path / "out")
    take(tmp_path / "out", resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_work_of_other_settings_is_refused(tmp_path, resume):
    take(tmp_path / "out")
    with pytest.raises(InputError, match=r"holds work with epochs .*, not 1"):
        take(tmp_path / "out", replace(RECIPE, epochs=1), resume=resume)
    with pytest.raises(InputError, match="holds work with seed 0, not 7"):
        take(tmp_path / "out", seed=7, resume=resume)


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("")
    with pytest.raises(InputError, match="is not empty"):
        take(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_what_cannot_be_written_is_a_service_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceError, match="cannot be written"):
        write_text(tmp_path / "file" / "below", "")


def test_a_setting_that_came_later_had_its_default(tmp_path):
    take(tmp_path / "out")
    kept = tmp_path / "out/work/recipe.json"
    older = json.loads(kept.read_text())
    del older["mixing"], older["plan"]["reads"]
    kept.write_text(json.dumps(older))
    with pytest.raises(InputError, match=r"holds work with mixing 0\.0, not 0\.2"):
        take(tmp_path / "out", replace(RECIPE, mixing=0.2), resume=True)
    take(tmp_path / "out", resume=True)


def test_a_value_inside_a_plan_that_came_later_had_its_default(tmp_path):
    recipe = NoduleRecipe("lung_nodules", NodulePlan(REVIEW))
    claim(tmp_path / "out", recipe, seed=0, parts=(), resume=False)
    kept = tmp_path / "out/work/recipe.json"
    older = json.loads(kept.read_text())
    del older["plan"]["suspicion"], older["plan"]["reference"]
    kept.write_text(json.dumps(older))
    claim(tmp_path / "out", recipe, seed=0, parts=(), resume=True)
