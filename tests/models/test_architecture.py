"""An architecture is a value that survives JSON and refuses contradictions, without torch."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.models.architecture import (
    SEGMENTS,
    Architecture,
    Kind,
    Norm,
    Up,
    architecture_from,
    center_unet,
    densenet,
    resnet,
    unet,
    vit,
)


def a_unet(**changes) -> Architecture:
    return replace(unet(3, 2, 4, widths=(8, 16, 32)), **changes)


EVERY = [
    center_unet(3, 1, 2, widths=(8, 16, 32)),
    Architecture(Kind.FOREIGN, 3, 1, 5),
    a_unet(norm=Norm.INSTANCE, up=Up.NEAREST, deep_supervision=1, leak=0.01, dropout=0.1),
    unet(2, 1, 2, widths=(8, 16), kind=Kind.RESIDUAL_UNET),
    unet(2, 1, 2, widths=(8, 16), kind=Kind.ATTENTION_UNET),
    Architecture(Kind.LITE_UNET, 2, 3, 5, variant="lite0"),
    resnet(18, 2, 1, 2, small=True),
    resnet(50, 3, 1, 2),
    densenet(3, 1, 2, gated=False),
    vit(3, 5, size=(28, 28), patch=(4, 4)),
    Architecture(Kind.EFFICIENTNET_LITE, 2, 1, 5, variant="lite2"),
]


@pytest.mark.parametrize("architecture", EVERY, ids=lambda a: a.kind.value)
def test_an_architecture_is_read_as_it_was_written(architecture):
    assert architecture_from(json.loads(architecture.to_json())) == architecture


def test_every_kind_is_tried_above():
    assert {architecture.kind for architecture in EVERY} == set(Kind)


@given(
    st.lists(st.floats(0.3, 8), min_size=2, max_size=3),
    st.lists(st.integers(1, 64), min_size=2, max_size=7),
)
def test_any_spacing_gives_a_unet_that_survives_json(spacing, widths):
    planned = unet(len(spacing), 1, 2, widths=tuple(widths), spacing=tuple(spacing))
    assert architecture_from(json.loads(planned.to_json())) == planned


def test_a_coarse_axis_waits_until_the_others_have_caught_up():
    planned = unet(3, 1, 2, widths=(8, 8, 8, 8), spacing=(5.0, 1.0, 1.0))
    assert planned.strides == ((1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2))
    assert planned.kernels == ((1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3))
    assert planned.multiple == (2, 8, 8)


def test_an_inputs_sides_are_multiples_of_all_strides_or_of_the_patch():
    assert a_unet().multiple == (4, 4, 4)
    assert vit(1, 2, size=(28, 28), patch=(7, 4)).multiple == (7, 4)
    assert EVERY[-1].multiple == (32, 32)
    assert resnet(18, 2, 1, 2).multiple == (1, 1)


def test_residual_encoders_are_deep_and_their_decoders_shallow():
    planned = unet(3, 1, 2, widths=(8,) * 6, kind=Kind.RESIDUAL_UNET)
    assert (planned.blocks, planned.decoder_blocks) == ((1, 3, 4, 6, 6, 6), 1)


def test_norms_are_batch_norms_unless_asked_otherwise():
    assert {a.norm for a in EVERY} == {Norm.BATCH, Norm.INSTANCE}
    assert a_unet().norm is Norm.BATCH


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"dims": 4}, "2 or 3 dims, got 4"),
        ({"dims": 2}, "has not 2 axes"),
        ({"channels": 0}, "0 channels"),
        ({"dropout": 1.0}, r"dropout 1\.0"),
        ({"widths": (8, 16)}, "different numbers of levels"),
        ({"strides": ((2, 2, 2),) * 3}, "first stride is not 1"),
        ({"kernels": ((2, 3, 3),) * 3}, "a kernel is even"),
        ({"deep_supervision": 2}, "cannot supervise 2 more"),
        ({"widths": (), "strides": (), "kernels": (), "blocks": ()}, "0 levels"),
        ({"kind": Kind.RESNET}, "4 widths"),
        ({"kind": Kind.DENSENET}, "a growth"),
        ({"kind": Kind.VIT}, "multiple of the heads"),
        ({"kind": Kind.LITE_UNET}, "lite0"),
    ],
)
def test_parts_that_contradict_each_other_are_a_mistake(changes, fact):
    with pytest.raises(ValueError, match=fact):
        a_unet(**changes)


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"kind": "transformer"}, "transformer"),
        ({"depth": 3}, "unknown keys: depth"),
        ({"norm": "layer"}, "layer"),
        ({"widths": ["wide"]}, "wide"),
        ({"strides": 2}, "not iterable"),
        ({"classes": 0}, "0 classes"),
        ({"classes": "two"}, "two"),
        ({"small": 1}, "small"),
        ({"widths": [8, 16, -32]}, "-32"),
    ],
)
def test_a_damaged_plan_is_bad_input(changes, fact):
    raw = json.loads(a_unet().to_json()) | changes
    with pytest.raises(InputError, match=fact):
        architecture_from(raw)


def test_what_is_needed_is_asked_for():
    with pytest.raises(InputError, match="classes"):
        architecture_from({"kind": "unet", "dims": 2, "channels": 1})


def test_there_is_no_resnet_of_any_depth():
    with pytest.raises(ValueError, match="no ResNet-19"):
        resnet(19, 2, 1, 2)


def test_some_kinds_outline_some_classify_and_one_detects():
    assert set(SEGMENTS) | {
        Kind.RESNET,
        Kind.DENSENET,
        Kind.VIT,
        Kind.EFFICIENTNET_LITE,
        Kind.CENTER_UNET,
    } == set(Kind) - {Kind.FOREIGN}


@pytest.mark.slow
def test_an_architecture_is_read_without_torch():
    program = "import sys; sys.modules['torch'] = None; import medloop.models.architecture"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
