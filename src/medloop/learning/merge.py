"""From a file of adapters and the bundle they were made on to an ordinary bundle."""

import shutil
import uuid
from pathlib import Path

from torch import nn

from medloop.core.errors import InputError
from medloop.learning.base import Base, imagenet_base, keeps_head, put, save_network
from medloop.learning.export import export_classifiers, export_finders, export_segmenters
from medloop.learning.lora import Adapters, load_adapters, merge, read_adapters
from medloop.learning.start import variant_of
from medloop.learning.tasks import imagenet
from medloop.models.bundle import (
    ADAPTER,
    CARD,
    NETWORK,
    PLAN,
    WEIGHTS,
    Bundle,
    any_plan,
    load_bundle,
    seal,
)
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.detection_plan import DetectionPlan
from medloop.models.networks.build import build, load_imagenet
from medloop.models.nodule_plan import NodulePlan
from medloop.models.plan import Plan
from medloop.models.segmentation_plan import SegmentationPlan

AdaptedPlan = ClassificationPlan | SegmentationPlan | DetectionPlan


def plan_of(adapters: Adapters) -> AdaptedPlan:
    """Read the plan beside adapters; `InputError` if there is none to make a bundle by."""
    text = adapters.notes.get(PLAN, "")
    plan = any_plan(text) if text and CARD in adapters.notes else None
    if plan is None or isinstance(plan, Plan | NodulePlan):
        raise InputError("the adapters carry no plan and card: they are not of a training")
    return plan


def is_made_on_imagenet(adapters: Adapters) -> bool:
    """Whether adapters were made on ImageNet's weights as this machine has them."""
    variant = plan_of(adapters).architecture.variant
    return bool(variant) and imagenet_base(variant).sha256 == adapters.base_sha256


def merged_bundle(path: Path, base: Base | None, out: Path) -> Bundle:
    """Add adapters to the weights they were made on and write an ordinary bundle to `out`.

    It is the bundle the training made. Without `base` the weights are ImageNet's.

    Raises
    ------
    InputError
        If the file holds no adapters of a training, or they were made on other weights.
    ServiceError
        If something cannot be written, or ImageNet's weights are not installed.
    """
    adapters = read_adapters(path)
    plan = plan_of(adapters)
    network = _base_network(plan, base)
    made_on = base or imagenet_base(variant_of(plan))
    load_adapters(network, path, base_sha256=made_on.sha256)
    merge(network).eval()
    part = out.with_name(f".{uuid.uuid4().hex}")
    part.mkdir(parents=True)
    try:
        if isinstance(plan, ClassificationPlan):
            export_classifiers([network], plan, part / WEIGHTS)
        elif isinstance(plan, SegmentationPlan):
            export_segmenters([network], plan, part / WEIGHTS)
        else:
            export_finders([network], plan, part / WEIGHTS)
        (part / PLAN).write_text(adapters.notes[PLAN], encoding="utf-8")
        (part / CARD).write_text(adapters.notes[CARD], encoding="utf-8")
        save_network(network, part / NETWORK)
        shutil.copyfile(path, part / ADAPTER)
        seal(part)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return load_bundle(out)


def _base_network(plan: AdaptedPlan, base: Base | None) -> nn.Module:
    network = build(plan.architecture)
    if base is None:
        load_imagenet(network, imagenet(variant_of(plan)))
    else:
        put(network, base, keeps_head=keeps_head(plan, base.plan))
    return network
