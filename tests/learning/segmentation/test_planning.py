"""Plans follow from what the data are like."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="torch is not installed")

from medloop.learning.segmentation.fingerprint import ChannelStatistics, Fingerprint
from medloop.learning.segmentation.planning import (
    Budget,
    Wanted,
    in_words,
    plan_for,
    target_spacing,
)
from medloop.models.architecture import Kind, Norm
from medloop.models.segmentation_plan import PICTURES

pytestmark = pytest.mark.train

MR = ChannelStatistics(low=10, high=900, mean=300, deviation=80, darkest=0)
BRAINS = Fingerprint(
    kind="3-D",
    channels=("T1",),
    classes=("anterior", "posterior"),
    shapes=((36, 50, 35),) * 5,
    spacings_mm=((1.0, 1.0, 1.0),) * 5,
    voxels=(1000, 1000),
    values=(MR,),
)


def test_a_small_volume_is_one_patch():
    plan = plan_for(BRAINS)
    assert plan.spacing_mm == (1, 1, 1)
    assert all(p >= s for p, s in zip(plan.patch, (36, 50, 35), strict=True))
    assert all(p % m == 0 for p, m in zip(plan.patch, plan.architecture.multiple, strict=True))
    assert plan.architecture.classes == 3
    assert plan.intensities[0].own


def test_thick_slices_keep_their_distance_and_are_not_halved_early():
    thick = replace(
        BRAINS,
        shapes=((24, 320, 320),) * 5,
        spacings_mm=((5.0, 0.7, 0.7),) * 4 + ((4.0, 0.7, 0.7),),
    )
    assert target_spacing(thick.spacings_mm) == (4.4, 0.7, 0.7)  # 10th percentile
    network = plan_for(thick).architecture
    assert network.strides[1] == (1, 2, 2)
    assert network.kernels[0] == (1, 3, 3)


def test_hounsfield_units_are_clipped_alike_in_all_images():
    air = replace(MR, low=-150, high=240, darkest=-1024)
    plan = plan_for(replace(BRAINS, values=(air,)))
    how = plan.intensities[0]
    assert (how.low, how.high, how.own) == (-150, 240, False)
    named = replace(BRAINS, channels=("ct",))
    assert not plan_for(named).intensities[0].own


@given(
    st.tuples(*[st.integers(8, 400)] * 3),
    st.tuples(*[st.floats(0.4, 6)] * 3),
    st.integers(4_000, 300_000),
)
def test_a_patch_fits_the_budget_and_the_network(shape, spacing, voxels):
    seen = replace(BRAINS, shapes=(shape,), spacings_mm=(spacing,))
    plan = plan_for(seen, Budget(voxels=voxels))
    multiple = plan.architecture.multiple
    assert all(p % m == 0 for p, m in zip(plan.patch, multiple, strict=True))
    assert np.prod(plan.patch) <= voxels or max(plan.patch) <= 16


def test_coarse_levels_are_no_wider_than_the_budget():
    seen = replace(BRAINS, shapes=((64, 64, 64),), spacings_mm=((1.0, 1.0, 1.0),))
    plan = plan_for(seen, Budget(voxels=300_000, width=32, widest=100))
    assert plan.architecture.widths == (32, 64, 100, 100, 100)


def test_pictures_have_no_spacing():
    seen = replace(BRAINS, kind="2-D", shapes=((512, 640),) * 3, spacings_mm=((),) * 3)
    plan = plan_for(seen)
    assert plan.frame == PICTURES
    assert plan.spacing_mm == ()
    assert len(plan.patch) == 2


def test_what_is_wanted_is_kept():
    wanted = Wanted((2, 1, 1), (16, 32, 32), Kind.RESIDUAL_UNET, Norm.INSTANCE)
    plan = plan_for(BRAINS, None, wanted)
    assert plan.spacing_mm == (2, 1, 1)
    assert plan.patch == (16, 32, 32)
    assert plan.architecture.kind is Kind.RESIDUAL_UNET
    assert plan.architecture.norm is Norm.INSTANCE
    with pytest.raises(ValueError, match="does not suit 3 axes"):
        plan_for(BRAINS, None, Wanted(patch=(16, 16)))


def test_a_plan_can_be_told_in_words():
    words = "\n".join(in_words(plan_for(BRAINS)))
    assert "spacing: 1 x 1 x 1 mm" in words
    assert "1 anterior, 2 posterior" in words
