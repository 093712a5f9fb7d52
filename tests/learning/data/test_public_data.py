"""Public data sets, as people have them."""

import os
from pathlib import Path

import pytest

from medloop.learning.data import Task, check, make_split, open_dataset, survey
from medloop.learning.data.check import problems_of

pytestmark = [pytest.mark.data, pytest.mark.slow]


def root(name: str) -> Path:
    path = Path(os.environ.get("MEDLOOP_DATA", "/nonexistent")) / name
    if not path.exists():
        pytest.skip(f"MEDLOOP_DATA/{name} is not here")
    return path


def test_eight_images_of_pneumonia_stand_in_both_parts():
    dataset = open_dataset(root("medmnist/pneumoniamnist.npz"))
    facts = survey(dataset)
    lines = [str(problem) for problem in problems_of(dataset, facts)]
    crossing = [line for line in lines if "val/" in line and "is in train, this in val" in line]
    assert len(crossing) == 8
    split = make_split(dataset, facts, folds=5, seed=0)
    by_pixels = {each.pixels: split.fold_of[each.case] for each in facts}
    assert all(by_pixels[each.pixels] == split.fold_of[each.case] for each in facts)


@pytest.mark.parametrize("name", ["breastmnist", "retinamnist"])
def test_the_other_medmnist_parts_are_sound(name):
    assert check(open_dataset(root(f"medmnist/{name}.npz"))) == ()


def test_the_hippocampi_are_sound_and_dealt_evenly():
    dataset = open_dataset(root("msd_hippocampus"))
    assert (dataset.task, len(dataset.cases)) == (Task.SEGMENTATION, 200)
    assert dataset.classes == {"1": (1,), "2": (2,)}
    facts = survey(dataset)
    assert problems_of(dataset, facts) == ()
    split = make_split(dataset, facts, folds=5, seed=0)
    assert [len(split.validation(fold)) for fold in range(5)] == [40] * 5
