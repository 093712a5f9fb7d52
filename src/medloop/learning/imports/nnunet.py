"""nnU-Net v2 results folders: plans.json, dataset.json, fold_*/checkpoint_final.pth.

The plan of a configuration becomes ours where both mean the same (Isensee 2021); the rest is
refused in one line, or told in the card where it changes answers little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from medloop.core.errors import InputError
from medloop.learning.imports.frame import Frame, frame_of
from medloop.learning.imports.nnunet_network import network_from, outline
from medloop.learning.imports.source import FREE, Foreign, read_json, read_tensors
from medloop.models.bundle import sha256_of
from medloop.models.segmentation_plan import PICTURES, VOLUMES, Intensity, SegmentationPlan

_PICTURES = "NaturalImage2DIO"
_REORIENTS = "NibabelIOWithReorient"  # turns every image to RAS itself
_FIXED = {"NoNormalization": (0.0, 1.0), "RGBTo01Normalization": (0.0, 255.0)}
_IDENTITY = Frame((0, 1, 2), (False, False, False))


@dataclass(frozen=True, slots=True)
class _Setup:
    """A configuration of plans.json and what stands beside it."""

    plans: Mapping[str, Any]
    dataset: Mapping[str, Any]
    configuration: Mapping[str, Any]
    name: str
    letters: str
    frame: Frame  # of arrays as nnU-Net transposed them

    @property
    def is_pictures(self) -> bool:
        return self.plans.get("image_reader_writer") == _PICTURES


def read_nnunet(folder: Path, *, orientation: str | None = None) -> Foreign:
    """Read a results folder; several folds are averaged.

    `orientation` names where the training images' columns, rows and slices ran; without it LPS
    is assumed, for nnU-Net reads images as they are stored and does not say how that was.

    Raises
    ------
    InputError
        If a file is damaged, or the configuration asks for what no plan or U-Net of ours says.
    """
    paths = sorted(folder.glob("fold_*/checkpoint_final.pth"))
    if not paths:
        raise InputError(f"{folder} has no fold_*/checkpoint_final.pth")
    first = read_tensors(paths[0])
    try:
        setup = _setup(folder, first, orientation)
        plan = _plan(setup)
        networks: list[nn.Module] = []
        for path in paths:
            checkpoint = first if path is paths[0] else read_tensors(path)
            axes = None if setup.is_pictures else setup.frame.axes
            weights = checkpoint["network_weights"]
            networks.append(network_from(weights, plan.architecture, axes=axes, path=path))
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as why:
        raise InputError(
            f"{folder} is no nnU-Net v2 result: {type(why).__name__} {why}"
        ) from why
    mirrors = first.get("inference_allowed_mirroring_axes") or ()
    flat = plan.frame == VOLUMES and len(setup.configuration["patch_size"]) == 2
    shift = 1 if flat else 0
    flips = tuple(sorted(setup.frame.axes[int(axis) + shift] for axis in mirrors))
    if setup.is_pictures:
        flips = tuple(int(axis) for axis in mirrors)
    turned = any(setup.frame.backward) and not setup.is_pictures
    straight = Frame((0, 1, 2), setup.frame.ours(setup.frame.backward))
    dataset = str(setup.plans.get("dataset_name", "a data set without name"))
    return Foreign(
        networks=networks,
        plan=replace(plan, flips=flips),
        frame=straight if turned else None,
        title=f"{dataset}, nnU-Net {setup.name}",
        version="1",
        license=str(
            setup.dataset.get("licence", setup.dataset.get("license", "not known here"))
        ),
        origin=f"nnU-Net v2, {dataset}, {setup.name}, {len(paths)} folds",
        limits=_limits(setup, orientation, is_flat=flat),
        files={f"{path.parent.name}/{path.name}": sha256_of(path) for path in paths},
    )


def _setup(folder: Path, checkpoint: Mapping[str, Any], orientation: str | None) -> _Setup:
    plans, dataset = read_json(folder / "plans.json"), read_json(folder / "dataset.json")
    told = checkpoint.get("init_args", {})
    name = str(told.get("configuration") or folder.resolve().name.rpartition("__")[2])
    if name not in plans["configurations"]:
        raise InputError(f"{folder / 'plans.json'} has no configuration {name!r}")
    configuration = _inherited(plans["configurations"], name)
    reader = plans.get("image_reader_writer")
    if reader == _REORIENTS and orientation not in (None, "RAS"):
        raise InputError(f"{_REORIENTS} turned the training images to RAS, not {orientation}")
    letters = "RAS" if reader == _REORIENTS else (orientation or "LPS").upper()
    order = [int(axis) for axis in plans.get("transpose_forward", (0, 1, 2))]
    if sorted(order) != [0, 1, 2]:
        raise InputError(f"transpose_forward {order} is no order of three axes")
    if reader == _PICTURES:
        if order != [0, 1, 2]:
            raise InputError(f"transpose_forward {order} of pictures, known: [0, 1, 2]")
        frame = _IDENTITY
    else:
        stored = letters[::-1]  # arrays are (slice, row, column), letters the other way round
        frame_of(stored)
        frame = frame_of([stored[axis] for axis in order])
    return _Setup(plans, dataset, configuration, name, letters, frame)


def _inherited(configurations: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Lay a configuration over those it inherits from."""
    chain: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    while name and name not in seen:
        seen.add(name)
        chain.append(configurations[name])
        name = str(configurations[name].get("inherits_from") or "")
    out: dict[str, Any] = {}
    for each in reversed(chain):
        out |= each
    return out


def _plan(setup: _Setup) -> SegmentationPlan:
    configuration, dataset = setup.configuration, setup.dataset
    if configuration.get("previous_stage") or configuration.get("previous_stage_name"):
        raise InputError("a cascade reads another network's answer, which no plan can say")
    names = dataset.get("channel_names", dataset.get("modality", {}))
    channels = tuple(str(names[key]) for key in sorted(names, key=int))
    classes = _classes(dataset["labels"])
    spacing_ours: tuple[float, ...]
    patch = [int(side) for side in configuration["patch_size"]]
    spacing = [float(step) for step in configuration["spacing"]]
    architecture = outline(
        configuration, len(channels), len(classes) + 1, as_volumes=not setup.is_pictures
    )
    if setup.is_pictures:
        if len(patch) != 2 or any(step != 1 for step in spacing):
            raise InputError(f"pictures at spacing {spacing}, known: 1, 1")
        frame, spacing_ours, patch_ours = PICTURES, (), tuple(patch)
    else:
        if len(patch) == 2:  # slice by slice: windows one slice thick
            patch = [1, *patch]
            spacing = [float(setup.plans["original_median_spacing_after_transp"][0]), *spacing]
        frame, spacing_ours = VOLUMES, setup.frame.ours(spacing)
        patch_ours = setup.frame.ours(patch)
        architecture = replace(
            architecture,
            strides=tuple(setup.frame.ours(stride) for stride in architecture.strides),
            kernels=tuple(setup.frame.ours(kernel) for kernel in architecture.kernels),
        )
    return SegmentationPlan(
        channels=channels,
        classes=classes,
        spacing_mm=spacing_ours,
        patch=patch_ours,
        intensities=_intensities(setup, len(channels)),
        architecture=architecture,
        frame=frame,
    )


def _classes(labels: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the labels 1, 2, ...; what is to be ignored has none."""
    if any(isinstance(value, list) for value in labels.values()):
        raise InputError("regions of several labels overlap, which no plan can say")
    kept = {int(value): name for name, value in labels.items() if name != "ignore"}
    if sorted(kept) != list(range(len(kept))) or len(kept) < 2:
        raise InputError(f"labels {sorted(kept)} are not 0, 1, 2, ...")
    return tuple(kept[n] for n in range(1, len(kept)))


def _intensities(setup: _Setup, channels: int) -> tuple[Intensity, ...]:
    schemes: Sequence[str] = setup.configuration["normalization_schemes"]
    masked: Sequence[bool] = setup.configuration["use_mask_for_norm"]
    found = setup.plans.get("foreground_intensity_properties_per_channel", {})
    if not len(schemes) == len(masked) == channels:
        raise InputError(f"{len(schemes)} normalization schemes for {channels} channels")
    return tuple(
        _intensity(str(scheme), found.get(str(n), {}), is_masked=bool(masked[n]))
        for n, scheme in enumerate(schemes)
    )


def _intensity(scheme: str, found: Mapping[str, float], *, is_masked: bool) -> Intensity:
    if scheme == "CTNormalization":
        low, high = float(found["percentile_00_5"]), float(found["percentile_99_5"])
        return Intensity(low, high, float(found["mean"]), max(float(found["std"]), 1e-8))
    if scheme == "ZScoreNormalization" and not is_masked:
        return Intensity(-FREE, FREE, 0.0, 1.0, own=True)
    if scheme in _FIXED:
        mean, deviation = _FIXED[scheme]
        return Intensity(-FREE, FREE, mean, deviation)
    inside = " inside a mask" if is_masked else ""
    raise InputError(f"intensities scaled by {scheme}{inside}, which no plan can say")


def _limits(setup: _Setup, orientation: str | None, *, is_flat: bool) -> tuple[str, ...]:
    lines = ["nothing was measured here: measure it on data of your own"]
    if setup.is_pictures:
        return tuple(lines)
    if setup.plans.get("image_reader_writer") == _REORIENTS:
        lines.append("the training images were turned to RAS by nnU-Net's reader")
    elif orientation:
        lines.append(f"the training images were stored {setup.letters}, as the importer said")
    else:
        lines.append(
            "assumed: the training images' columns, rows and slices ran to L, P and S, as in"
            " most DICOM series; if not, import again with --orientation, or sides are swapped"
        )
    lines.append("volumes are resampled linearly; nnU-Net takes third-order splines")
    if "ZScoreNormalization" in setup.configuration["normalization_schemes"]:
        lines.append(
            "volumes over a quarter of which is 0 are scaled by their other voxels; nnU-Net"
            " crops them first and scales by all that is left"
        )
    if is_flat:
        lines.append(
            "slices are brought to the median distance of the training data; nnU-Net leaves"
            " them as they are"
        )
    return tuple(lines)
