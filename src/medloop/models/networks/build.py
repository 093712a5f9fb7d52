"""From an `Architecture` to a network."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from medloop.models.architecture import Architecture, Kind
from medloop.models.nets import EfficientNetLite, LiteUNet
from medloop.models.networks.classifiers import DenseNet, LiteClassifier, resnet
from medloop.models.networks.detectors import CenterUNet
from medloop.models.networks.unets import UNet
from medloop.models.networks.vit import VisionTransformer


def build(architecture: Architecture) -> nn.Module:
    """Build the network, its weights drawn by torch's generator.

    It maps (B, channels, S) to logits, (B, classes, S) or (B, classes) by the kind; sides S are
    multiples of `architecture.multiple`. Under deep supervision, while training, it returns a
    tuple of logits, finest first. An EfficientNet-Lite needs `load_imagenet` before anything
    else: its depthwise kernels are 0 until then, and not trained. A center U-Net answers two
    maps, see `CenterUNet`.

    Raises
    ------
    ValueError
        If it was made by another program, so that only its ONNX file is known.
    """
    if architecture.kind is Kind.FOREIGN:
        raise ValueError("a network another program made cannot be built, only run")
    return _BUILDERS[architecture.kind](architecture)


def load_imagenet(model: nn.Module, published: Mapping[str, Tensor]) -> None:
    """Load ImageNet weights as published into a network with an EfficientNet-Lite trunk.

    Raises
    ------
    ValueError
        If the network has no such trunk.
    """
    trunks = [part for part in model.modules() if isinstance(part, EfficientNetLite)]
    if not trunks:
        raise ValueError(f"{type(model).__name__} has no EfficientNet-Lite trunk")
    trunks[0].load_published(published)


def _lite_unet(a: Architecture) -> nn.Module:
    outline = LiteUNet(a.classes, scale=a.variant, widths=a.widths or (24, 32, 48, 80, 112))
    return outline if a.channels == 3 else _Gray(outline)


class _Gray(nn.Module):
    """A network of colors, shown gray pictures."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x_BCHW: Tensor) -> Tensor:
        out: Tensor = self.inner(x_BCHW.expand(-1, 3, -1, -1))
        return out


_BUILDERS: Mapping[Kind, Callable[[Architecture], nn.Module]] = {
    Kind.UNET: UNet,
    Kind.RESIDUAL_UNET: UNet,
    Kind.ATTENTION_UNET: UNet,
    Kind.LITE_UNET: _lite_unet,
    Kind.CENTER_UNET: CenterUNet,
    Kind.RESNET: resnet,
    Kind.DENSENET: DenseNet,
    Kind.VIT: VisionTransformer,
    Kind.EFFICIENTNET_LITE: LiteClassifier,
}
