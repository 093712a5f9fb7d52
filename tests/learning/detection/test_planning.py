"""Plans for finding objects, from what the data have in common."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from medloop.learning.data.description import Task
from medloop.learning.detection.fingerprint import Fingerprint, fingerprint
from medloop.learning.detection.opening import plan_detection
from medloop.learning.detection.planning import Budget, Wanted, in_words, plan_for
from medloop.learning.opening import recognized
from medloop.learning.segmentation.fingerprint import ChannelStatistics
from medloop.models.segmentation_plan import PICTURES, VOLUMES
from tests.learning.detection.phantoms import some_pictures, some_volumes

pytestmark = pytest.mark.train

CT = Fingerprint(
    kind="3-D",
    channels=("CT",),
    classes=("nodule",),
    shapes=((300, 512, 512), (250, 512, 512), (400, 512, 512)),
    spacings=((1.25, 0.7, 0.7), (1.25, 0.6, 0.6), (1.0, 0.8, 0.8)),
    objects=(40,),
    empty=1,
    sizes=((4.0, 4.0, 4.0), (6.5, 6.4, 6.4), (15.0, 15.0, 15.0)),
    values=(ChannelStatistics(-980.0, 200.0, -500.0, 320.0, -1024.0),),
)


def test_small_objects_keep_the_typical_spacing_and_large_ones_do_not():
    assert plan_for(CT).spacing == (1.25, 0.7, 0.7)
    large = replace(CT, sizes=((16.0,) * 3, (40.0,) * 3, (80.0,) * 3))
    assert plan_for(large).spacing == (2.0, 2.0, 2.0)


def test_a_patch_fits_the_budget_and_the_network():
    for voxels in (50_000, 200_000, 1_000_000):
        plan = plan_for(CT, Budget(voxels=voxels))
        k, j, i = plan.patch
        assert k * j * i <= voxels
        assert all(
            s % m == 0 for s, m in zip(plan.patch, plan.architecture.multiple, strict=True)
        )
        mm = [side * step for side, step in zip(plan.patch, plan.spacing, strict=True)]
        assert max(mm) < 2 * min(mm)


def test_hounsfield_units_are_clipped_to_those_around_the_objects():
    how = plan_for(CT).intensities[0]
    assert (how.low, how.high, how.own) == (-980.0, 200.0, False)
    mr = replace(CT, channels=("T1",), values=(ChannelStatistics(0, 900, 300, 120, 0),))
    assert plan_for(mr).intensities[0].own


def test_what_is_wanted_is_taken_or_refused():
    plan = plan_for(CT, wanted=Wanted(spacing=(2.0, 2.0, 2.0), patch=(32, 64, 64)))
    assert (plan.spacing, plan.patch) == ((2.0, 2.0, 2.0), (32, 64, 64))
    with pytest.raises(ValueError, match="does not suit 3 axes"):
        plan_for(CT, wanted=Wanted(patch=(64, 64)))


def test_the_plan_is_said_in_words():
    words = "\n".join(in_words(plan_for(CT)))
    assert "1.25 x 0.7 x 0.7 mm" in words
    assert "clipped to -980 ... 200" in words
    assert "each cell of 2 x 2 x 2" in words
    assert "nodule" in words


def test_objects_are_measured_and_empty_cases_counted(tmp_path):
    root = some_volumes(tmp_path, 4)
    dataset = recognized(root, Task.DETECTION)
    seen = fingerprint(dataset, dataset.trainable)
    assert (seen.objects, seen.empty) == ((9,), 1)
    assert seen.spacings[0] == pytest.approx((2.0, 1.0, 1.0))
    assert all(7 <= size <= 11 for row in seen.sizes for size in row)
    filled = np.pi / 6 / 2**3  # by a ball, of its box made twice as large
    assert seen.values[0].mean == pytest.approx(60 * filled, abs=1.0)


def test_pictures_are_planned_in_pixels(tmp_path):
    planned = plan_detection("detection", some_pictures(tmp_path), {"of_folds": "2"})
    plan = planned.recipe.plan
    assert (plan.frame, plan.spacing, plan.most_overlap) == (PICTURES, (1.0, 1.0), 0.5)
    assert plan.classes == ("disc", "square")
    (problem,) = planned.problems
    assert problem.text == "2 of 8 cases have no object"
    assert plan_for(CT).frame == VOLUMES
