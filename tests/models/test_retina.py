"""Probabilities that are probabilities, and maps on the photograph's pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from medloop.core.errors import InputError
from medloop.imaging.fundus import Field
from medloop.models.bundle import load_bundle
from medloop.models.plan import Plan, Scale, Task
from medloop.models.predict import open_predictor
from medloop.models.retina import exceedance, grade, grade_of, grade_probabilities, segment
from tests.apps.tiny_bundles import GRADING_PLAN, LESION_PLAN, a_grading_bundle, a_lesion_bundle

logits = npst.arrays(np.float32, 6, elements=st.floats(-30, 30, width=32))
temperatures = st.floats(0.25, 4)
FIELD = Field((149.5, 119.5), 110.0, (40, 10, 260, 230))


def plan_with(temperature: float) -> Plan:
    scales = (Scale("ICDR", 5), Scale("DME", 3))
    return Plan(Task.GRADING, 604, scales=scales, temperature=(temperature, temperature))


@given(logits, temperatures)
def test_passing_a_higher_grade_is_never_more_likely(row, temperature):
    for above in exceedance(row, plan_with(temperature)):
        assert (np.diff(above) <= 0).all()
        assert ((above >= 0) & (above <= 1)).all()


@given(logits, temperatures)
def test_grade_probabilities_sum_to_one(row, temperature):
    for above, grades in zip(exceedance(row, plan_with(temperature)), (5, 3), strict=True):
        probabilities = grade_probabilities(above)
        assert probabilities.shape == (grades,)
        assert (probabilities >= 0).all()
        assert probabilities.sum() == pytest.approx(1)


@given(logits, temperatures)
def test_temperature_changes_no_grade(row, temperature):
    sure = exceedance(row, plan_with(1.0))
    other = exceedance(row, plan_with(temperature))
    if np.abs(row).min() > 1e-3:
        assert [grade_of(a) for a in sure] == [grade_of(a) for a in other]


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_photograph_is_graded_and_explained_on_its_own_pixels(tmp_path, engine):
    bundle = load_bundle(a_grading_bundle(tmp_path / "b", grade=3, dme=1))
    rgb = np.full((240, 300, 3), 90, np.uint8)
    found = grade(open_predictor(bundle, engine=engine), rgb, FIELD, bundle.plan)
    assert (found.icdr, found.dme) == (3, 1)
    assert found.icdr_probabilities.argmax() == 3
    assert found.referable_probability == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-4)
    assert found.activation.shape == (240, 300)
    assert found.activation[:10].max() == 0  # outside the field


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_outlines_lie_on_the_photographs_pixels(tmp_path, engine):
    bundle = load_bundle(a_lesion_bundle(tmp_path / "b"))
    rgb = np.full((240, 300, 3), 90, np.uint8)
    maps = segment(open_predictor(bundle, engine=engine), rgb, FIELD, bundle.plan)
    assert list(maps) == ["MA", "HE", "EX", "SE", "OD"]
    assert maps["EX"].shape == (240, 300)
    assert maps["EX"].dtype == np.float16
    assert maps["EX"][10:230, 40:260].min() > 0.9
    assert maps["EX"][:10].max() == 0
    assert maps["MA"].max() < 0.1


def test_a_plan_of_the_other_task_is_refused(tmp_path):
    predictor = open_predictor(load_bundle(a_lesion_bundle(tmp_path / "b")))
    rgb = np.zeros((240, 300, 3), np.uint8)
    with pytest.raises(InputError, match="plan is for lesions, not grading"):
        grade(predictor, rgb, FIELD, LESION_PLAN)
    with pytest.raises(InputError, match="plan is for grading, not lesions"):
        segment(predictor, rgb, FIELD, GRADING_PLAN)


def test_int8_without_int8_weights_is_refused(tmp_path):
    bundle = load_bundle(a_lesion_bundle(tmp_path / "b"))
    with pytest.raises(InputError, match="has no INT8 weights"):
        open_predictor(bundle, precision="int8")
