"""From images to probabilities of classes, by hand-computed cases."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.models.architecture import resnet
from medloop.models.classification_plan import ClassificationPlan, classification_plan_from
from medloop.models.classify import classify, logits_of, mirrored, prepare, probabilities_of
from medloop.models.segmentation_plan import VOLUMES, Intensity

PLAN = ClassificationPlan(
    channels=("image",),
    classes=("benign", "malignant", "normal"),
    size=(6, 8),
    intensities=(Intensity(0, 200, 100, 50),),
    architecture=resnet(18, 2, 1, 3, small=True),
    flips=(1,),
)
GRADES = replace(PLAN, ordinal=True, architecture=resnet(18, 2, 1, 2, small=True))


class Corner:
    """Answers the value in the first corner, as the logit of the first class."""

    def run(self, x):
        return {"logits": np.array([[x[0, 0, 0, 0], 0, 0]], np.float32)}


def test_a_plan_survives_its_file():
    assert classification_plan_from(json.loads(PLAN.to_json())) == PLAN
    assert classification_plan_from(json.loads(GRADES.to_json())) == GRADES


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"frame": "ras"}, "frame 'ras'"),
        ({"size": [6, 8, 8]}, "for 2 axes, its size has 3"),
        ({"flips": [2]}, "flips"),
        ({"intensities": []}, "scales 0 of 1"),
        ({"classes": ["a", "b"]}, "2 classes and 3 logits"),
        ({"ordinal": True}, "3 classes and 3 logits"),
        ({"temperature": 0}, "temperature 0"),
        ({"channels": None}, "not a plan"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(change, told):
    with pytest.raises(InputError, match=told):
        classification_plan_from(json.loads(PLAN.to_json()) | change)


def test_the_whole_image_is_scaled_and_brought_to_size():
    image = np.full((1, 3, 4), 300, np.uint16)
    image[0, :, :2] = 50
    x = prepare(image, None, PLAN)
    assert x.shape == (1, 6, 8)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x[0, :, :3], -1)  # (50 - 100) / 50
    np.testing.assert_allclose(x[0, :, 5:], 2)  # clipped to 200


def test_a_volume_is_turned_upright_first():
    plan = replace(PLAN, frame=VOLUMES, size=(2, 3, 4), flips=())
    upright = np.arange(24.0).reshape(1, 2, 3, 4)
    affine = np.eye(4)[:, [2, 1, 0, 3]]
    there = Grid((2, 3, 4), affine)
    flipped = affine.copy()
    flipped[:, 2] *= -1  # columns run the other way
    flipped[0, 3] = 3
    ours = prepare(upright, there, plan)
    np.testing.assert_array_equal(
        ours, prepare(upright[..., ::-1], Grid((2, 3, 4), flipped), plan)
    )


def test_other_images_than_the_plans_are_refused():
    with pytest.raises(InputError, match=r"2 channels, the network reads 1 \(image\)"):
        prepare(np.zeros((2, 4, 4)), None, PLAN)
    with pytest.raises(InputError, match="another kind"):
        prepare(np.zeros((1, 4, 4, 4)), Grid((4, 4, 4), np.eye(4)), PLAN)


def test_the_answer_is_the_mean_over_mirror_images():
    x = np.zeros((1, 6, 8), np.float32)
    x[0, 0, 0], x[0, 0, -1], x[0, -1, 0] = 1, 4, 7
    assert logits_of(Corner(), x, PLAN)[0] == 2.5
    assert logits_of(Corner(), x, replace(PLAN, flips=()))[0] == 1
    assert logits_of(Corner(), x, replace(PLAN, flips=(0, 1)))[0] == 3
    assert mirrored((0, 2)) == [(), (2,), (0,), (0, 2)]


def test_probabilities_of_classes_are_a_softmax_of_tempered_logits():
    logits = np.log([[1.0, 2.0, 5.0]])
    np.testing.assert_allclose(probabilities_of(logits, PLAN), [[1 / 8, 2 / 8, 5 / 8]])
    cool = probabilities_of(logits, replace(PLAN, temperature=0.5))
    np.testing.assert_allclose(cool, [[1 / 30, 4 / 30, 25 / 30]])


def test_probabilities_of_grades_come_from_steps_passed():
    odds = np.log([[4.0, 1.0], [1.0, 4.0]])  # P(> 0) and P(> 1): .8 and .5; .5 and .8
    np.testing.assert_allclose(
        probabilities_of(odds, GRADES), [[0.2, 0.3, 0.5], [0.5, 0.0, 0.5]], atol=1e-12
    )


@given(arrays(float, (4, 2), elements=st.floats(-800, 800)), st.floats(0.25, 4))
def test_probabilities_sum_to_one_whatever_the_logits(logits, temperature):
    for plan, z in ((GRADES, logits), (PLAN, np.pad(logits, [(0, 0), (0, 1)]))):
        shares = probabilities_of(z, replace(plan, temperature=temperature))
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        assert shares.min() >= 0


def test_an_image_becomes_probabilities():
    shares = classify(Corner(), np.full((1, 4, 4), 200), None, PLAN)
    np.testing.assert_allclose(shares, np.exp([2, 0, 0]) / np.exp([2, 0, 0]).sum())
