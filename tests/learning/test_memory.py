"""Memory that is too little: a smaller step, or a line that says what to lower."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from medloop.core.errors import InputError, ServiceError  # noqa: E402
from medloop.learning.affordable import affordable, in_words, needed  # noqa: E402
from medloop.learning.memory import enough_memory, machine_gb, step_gb  # noqa: E402
from medloop.learning.segmentation.recipe import SegmentationRecipe  # noqa: E402
from medloop.models.architecture import unet  # noqa: E402
from medloop.models.segmentation_plan import Intensity, SegmentationPlan  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.slow]
NETWORK = unet(3, 1, 2, widths=(16, 32), spacing=(1.0, 1.0, 1.0))


def a_plan(side=64):
    own = Intensity(-1e30, 1e30, 0.0, 1.0, own=True)
    return SegmentationPlan(
        channels=("MR",),
        classes=("ball",),
        spacing_mm=(1.0, 1.0, 1.0),
        patch=(side,) * 3,
        intensities=(own,),
        architecture=NETWORK,
        flips=(0, 1, 2),
    )


def smaller(voxels):
    return a_plan(max(16, int(voxels ** (1 / 3)) // 2 * 2))


RECIPE = SegmentationRecipe("segmentation", a_plan(), batch=8)


def test_twice_the_inputs_take_twice_the_memory_of_what_they_leave_behind():
    one, two, four = (step_gb(NETWORK, (32, 32, 32), n) for n in (1, 2, 4))
    assert four - two == pytest.approx(2 * (two - one))
    kept = 2 * 16 * 32**3 * 4 / 1e9  # the first level alone keeps two maps of 16 channels
    assert two - one > kept


def test_what_fits_stays_as_it_is():
    assert affordable(replace(RECIPE, memory_gb=1e4), smaller).batch == 8
    assert machine_gb() > 0.1


@pytest.mark.parametrize("share", [0.9, 0.5, 0.3])
def test_a_step_is_lowered_until_it_fits_and_no_further_than_it_must(share):
    limit = round(needed(RECIPE) * share, 3)
    made = affordable(replace(RECIPE, memory_gb=limit), smaller)
    assert needed(made) <= limit
    if made.batch > 2:
        assert made.plan == RECIPE.plan
        assert needed(replace(made, batch=made.batch + 1)) > limit
    else:
        assert prod(made.plan.patch) <= 64**3
    assert f"of {limit:.2f} GB" in in_words(made)


def test_what_can_never_fit_is_refused_with_both_numbers():
    with pytest.raises(InputError, match=r"takes about \d\.\d\d GB, of 0\.10 GB"):
        affordable(replace(RECIPE, memory_gb=0.1), smaller)


def test_memory_that_runs_out_ends_in_one_line():
    for allocate in (
        lambda: torch.empty(10**15),
        lambda: np.empty(10**15),
    ):
        with (
            pytest.raises(ServiceError, match="fold1: out of memory: lower batch"),
            enough_memory("fold1", "batch"),
        ):
            allocate()


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"), enough_memory("fold1", "batch"):
        raise RuntimeError("shapes differ")
