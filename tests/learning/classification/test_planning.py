"""Plans follow from what the data are like."""

from dataclasses import replace

import numpy as np
import pytest

from medloop.learning.classification.fingerprint import (
    Fingerprint,
    Values,
    class_of,
    fingerprint,
)
from medloop.learning.classification.planning import (
    IMAGENET,
    Wanted,
    epochs_for,
    in_words,
    plan_for,
)
from medloop.learning.data import open_dataset
from medloop.models.architecture import Kind
from medloop.models.segmentation_plan import PICTURES, VOLUMES
from tests.learning.classification.pictures import some_pictures

SMALL = Fingerprint(
    kind="2-D",
    channels=("image",),
    classes=("0", "1"),
    cases=(300, 100),
    shapes=(((28, 28), 400),),
    values=(Values(low=0, high=240, mean=90, deviation=50, darkest=0),),
    bytes=True,
)
SOLID = replace(SMALL, kind="3-D", shapes=(((40, 60, 50), 400),), bytes=False)


def test_small_pictures_are_enlarged_for_a_network_with_imagenet_weights():
    plan = plan_for(SMALL)
    assert plan.size == (128, 128)
    assert plan.architecture.kind is Kind.EFFICIENTNET_LITE
    assert plan.architecture.classes == 2
    assert plan.intensities == (IMAGENET,)
    assert plan.flips == (1,)
    assert plan.frame == PICTURES


def test_large_pictures_are_reduced_and_keep_their_proportions():
    plan = plan_for(replace(SMALL, shapes=(((800, 2000), 3), ((1200, 2000), 1))))
    assert plan.size == (96, 224)


def test_a_network_without_weights_takes_pictures_as_they_are():
    plan = plan_for(SMALL, Wanted(kind=Kind.RESNET))
    assert plan.size == (28, 28)
    assert plan.architecture.small
    assert (plan.intensities[0].mean, plan.intensities[0].deviation) == (90, 50)


def test_volumes_and_odd_channels_meet_a_resnet():
    plan = plan_for(SOLID)
    assert plan.architecture.kind is Kind.RESNET
    assert plan.size == (40, 60, 50)
    assert plan.frame == VOLUMES
    assert plan.intensities[0].own  # magnetic resonance: values mean nothing
    two = replace(SMALL, channels=("a", "b"), values=SMALL.values * 2)
    assert plan_for(two).architecture.kind is Kind.RESNET


def test_hounsfield_units_are_clipped_alike_in_all_images():
    air = Values(low=-900, high=400, mean=-100, deviation=300, darkest=-1024)
    how = plan_for(replace(SOLID, values=(air,))).intensities[0]
    assert (how.low, how.high, how.own) == (-900, 400, False)


def test_grades_need_a_logit_for_each_step():
    plan = plan_for(replace(SMALL, classes=("0", "1", "2")), Wanted(ordinal=True))
    assert plan.architecture.classes == plan.logits == 2


def test_what_is_wanted_is_kept_or_refused():
    plan = plan_for(SMALL, Wanted(size=(64, 96), kind=Kind.DENSENET, flips=()))
    assert (plan.size, plan.architecture.kind, plan.flips) == ((64, 96), Kind.DENSENET, ())
    for wrong, told in (
        (Wanted(size=(64,)), "does not suit 2 axes"),
        (Wanted(size=(50, 50)), "no multiple"),
        (Wanted(kind=Kind.UNET), "no network that classifies"),
        (Wanted(flips=(2,)), "beyond 2 axes"),
    ):
        with pytest.raises(ValueError, match=told):
            plan_for(SMALL, wrong)
    with pytest.raises(ValueError, match="nothing to tell apart"):
        plan_for(replace(SMALL, classes=("0",)))


def test_few_images_are_shown_more_often():
    shown = [epochs_for(n) for n in (100, 600, 3000, 10**6)]
    assert shown == sorted(shown, reverse=True)
    assert 600 * epochs_for(600) == pytest.approx(1200 * epochs_for(1200), rel=0.05)


def test_a_plan_can_be_told_in_words():
    words = "\n".join(in_words(plan_for(replace(SMALL, classes=("sick", "well")))))
    assert "128 x 128" in words
    assert "from ImageNet weights" in words
    assert "classes without order: 0 sick, 1 well" in words


def test_a_fingerprint_says_what_the_pictures_hold(tmp_path):
    dataset = open_dataset(some_pictures(tmp_path / "some.npz", 12))
    seen = fingerprint(dataset, dataset.trainable)
    assert seen.shapes == (((20, 20), 12),)
    assert seen.cases == (8, 4)
    assert seen.bytes
    with np.load(tmp_path / "some.npz") as parts:
        every = np.concatenate([parts["train_images"], parts["val_images"]])
    assert seen.values[0].mean == pytest.approx(every.mean(), rel=1e-5)
    assert seen.values[0].deviation == pytest.approx(every.std(), rel=1e-4)
    assert seen.values[0].darkest == every.min()


def test_a_class_is_counted_from_zero_in_the_order_of_the_data(tmp_path):
    dataset = open_dataset(some_pictures(tmp_path / "some.npz", 8))
    turned = replace(dataset, classes={"ring": (1,), "disk": (0,)})
    assert [class_of(turned, case) for case in dataset.cases[:4]] == [0, 1, 1, 0]
    with pytest.raises(ValueError, match="which is none"):
        class_of(replace(dataset, classes={"disk": (0,)}), dataset.cases[0])
