"""Plans of networks that find objects."""

import json
from dataclasses import replace

import pytest

from medloop.core.errors import InputError
from medloop.models.architecture import center_unet, unet
from medloop.models.detection_plan import DetectionPlan, detection_plan_from
from medloop.models.segmentation_plan import PICTURES, Intensity

PLAN = DetectionPlan(
    channels=("CT",),
    classes=("nodule",),
    spacing=(2.0, 1.0, 1.0),
    patch=(16, 32, 32),
    intensities=(Intensity(-1000, 400, -500, 300),),
    architecture=center_unet(3, 1, 1, widths=(8, 16, 32), spacing=(2.0, 1.0, 1.0)),
    size=(8.0, 8.0, 8.0),
)


def test_a_plan_is_read_as_it_was_written():
    flat = replace(
        PLAN,
        spacing=(1.0, 1.0),
        patch=(32, 64),
        architecture=center_unet(2, 1, 1, widths=(8, 16, 32)),
        size=(9.0, 7.0),
        flips=(1,),
        threshold=0.31,
        frame=PICTURES,
    )
    for plan in (PLAN, flat):
        assert detection_plan_from(json.loads(plan.to_json())) == plan


def test_a_cell_is_as_coarse_as_the_second_level():
    thick = center_unet(3, 1, 1, widths=(8, 16, 32), spacing=(5.0, 1.0, 1.0))
    assert PLAN.cell == (2, 2, 2)
    assert replace(PLAN, architecture=thick).cell == (1, 2, 2)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"frame": "ras"}, "frame 'ras'"),
        ({"patch": (16, 32)}, "not for 3 axes"),
        ({"patch": (16, 30, 32)}, "no multiple"),
        ({"spacing": (0.0, 1.0, 1.0)}, "must be positive"),
        ({"size": (8.0, float("nan"), 8.0)}, "must be positive"),
        ({"classes": ("a", "b")}, "1 classes of the network, 2 names"),
        ({"channels": ("CT", "PET")}, "1 of 2 channels"),
        ({"overlap": 1.0}, "overlap 1.0"),
        ({"flips": (3,)}, "beyond 3 axes"),
        ({"architecture": unet(3, 1, 1, widths=(8, 16, 32))}, "unet finds no objects"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(changes, told):
    with pytest.raises(InputError, match=told):
        detection_plan_from(json.loads(replace(PLAN, **changes).to_json()))


def test_what_is_no_plan_is_refused():
    with pytest.raises(InputError, match="not a plan"):
        detection_plan_from({"task": "detection"})
