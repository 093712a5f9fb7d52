"""A bundle that segments volumes as MONAI's users know it: metadata, inference, network.

MONAI's arrays run along (x, y, z) and RAS unless told otherwise; Orientationd to SPL gives the
network what it was trained on, (slice, row, column) toward superior, posterior and left.
"""

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from medloop.core.errors import InputError
from medloop.models.bundle import Bundle
from medloop.models.segmentation_plan import PICTURES, SegmentationPlan

_FREE = 1e29  # limits of intensity beyond this limit nothing
_RUN = (
    "$lambda x: torch.from_numpy(@session.run(['probability'], {@input: x.cpu().numpy()})[0])"
)
_SPECIFICATION = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
    "meta_schema_20220324.json"
)


def write_monai_bundle(bundle: Bundle, out: Path) -> None:
    """Write ``configs/``, ``models/model.onnx`` and ``docs/`` at `out`, all or nothing.

    Raises
    ------
    InputError
        If the bundle does not segment volumes, or scales its channels in ways that MONAI's
        transforms cannot say.
    """
    plan = bundle.segmentation_plan
    if plan.frame == PICTURES:
        raise InputError(f"bundle {bundle.name} reads pictures; MONAI bundles are for volumes")
    documents = {
        "configs/metadata.json": json.dumps(metadata_of(bundle), indent=2) + "\n",
        "configs/inference.json": json.dumps(inference_of(plan), indent=2) + "\n",
        "docs/README.md": _readme(bundle),
        "docs/card.toml": (bundle.folder / "card.toml").read_text(encoding="utf-8"),
    }
    part = out.with_name(f".{uuid.uuid4().hex}")
    try:
        for name, text in documents.items():
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        (part / "models").mkdir()
        shutil.copyfile(bundle.weights, part / "models" / "model.onnx")
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def metadata_of(bundle: Bundle) -> dict[str, Any]:
    """Describe the network's input and output by the MONAI bundle specification."""
    plan = bundle.segmentation_plan
    labels = ("background", *plan.classes)
    shape = list(plan.patch)
    return {
        "schema": _SPECIFICATION,
        "version": bundle.version,
        "changelog": {bundle.version: "exported by medloop"},
        "monai_version": "1.3.0",
        "pytorch_version": "2.0.0",
        "numpy_version": "1.24.0",
        "required_packages_version": {"onnxruntime": "1.20.0", "nibabel": "5.3.0"},
        "name": bundle.name,
        "task": "segmentation",
        "description": str(bundle.card.get("title", bundle.name)),
        "authors": "see docs/card.toml",
        "copyright": str(bundle.card.get("license", "see docs/card.toml")),
        "intended_use": str(bundle.card.get("intended_use", "see docs/card.toml")),
        "network_data_format": {
            "inputs": {
                "image": _tensor(shape, dict(enumerate(plan.channels)), "image"),
            },
            "outputs": {
                "pred": _tensor(shape, dict(enumerate(labels)), "probabilities")
                | {"value_range": [0, 1]},
            },
        },
    }


def inference_of(plan: SegmentationPlan) -> dict[str, Any]:
    """Write the plan as MONAI transforms, sliding window and an ONNX Runtime session."""
    inverse = {
        "_target_": "Invertd",
        "keys": "pred",
        "transform": "@preprocessing",
        "orig_keys": "image",
        "nearest_interp": False,
        "to_tensor": True,
    }
    return {
        "imports": ["$import torch", "$import glob", "$import os"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/eval'",
        "datalist": "$sorted(glob.glob(os.path.join(@dataset_dir, '*.nii.gz')))",
        "input": "image",
        "device": "$torch.device('cpu')",
        "session": {
            "_target_": "onnxruntime.InferenceSession",
            "path_or_bytes": "$@bundle_root + '/models/model.onnx'",
            "providers": ["CPUExecutionProvider"],
        },
        "network": _RUN.replace("@input", "@session.get_inputs()[0].name"),
        "preprocessing": {"_target_": "Compose", "transforms": _transforms(plan)},
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': i} for i in @datalist]",
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1},
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": list(plan.patch),
            "sw_batch_size": 1,
            "overlap": plan.overlap,
            "mode": "gaussian",
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                inverse,
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
        },
        "run": ["$@evaluator.run()"],
    }


def _transforms(plan: SegmentationPlan) -> list[dict[str, Any]]:
    spacing = {"pixdim": list(plan.spacing_mm), "mode": "bilinear"}
    steps: list[dict[str, Any]] = [
        {"_target_": "LoadImaged"},
        {"_target_": "EnsureChannelFirstd"},
        {"_target_": "Orientationd", "axcodes": "SPL"},
        *_scaling(plan),
        {"_target_": "Spacingd", **spacing},
        {"_target_": "EnsureTyped", "dtype": "$torch.float32"},
    ]
    return [step | {"keys": "image"} for step in steps]


def _scaling(plan: SegmentationPlan) -> list[dict[str, Any]]:
    """Clip, then scale; `InputError` where channels differ more than MONAI can say."""
    first, own = plan.intensities[0], {each.own for each in plan.intensities}
    limits = {(each.low, each.high) for each in plan.intensities}
    is_free = all(low < -_FREE and high > _FREE for low, high in limits)
    if len(own) > 1 or (len(limits) > 1 and not is_free):
        raise InputError(
            "channels are clipped or scaled each in its own way: MONAI has no words"
        )
    clip = {"a_min": first.low, "a_max": first.high, "b_min": first.low, "b_max": first.high}
    clipping = {"_target_": "ScaleIntensityRanged", **clip, "clip": True}
    scaling: dict[str, Any] = {"_target_": "NormalizeIntensityd", "channel_wise": True}
    if not first.own:
        scaling |= {
            "subtrahend": [each.mean for each in plan.intensities],
            "divisor": [each.deviation for each in plan.intensities],
        }
    return [scaling] if is_free else [clipping, scaling]


def _tensor(shape: list[int], names: dict[int, str], what: str) -> dict[str, Any]:
    return {
        "type": what,
        "format": "magnitude" if what == "image" else "segmentation",
        "num_channels": len(names),
        "spatial_shape": shape,
        "dtype": "float32",
        "is_patch_data": True,
        "channel_def": {str(n): name for n, name in names.items()},
    }


def _readme(bundle: Bundle) -> str:
    plan = bundle.segmentation_plan
    own = (
        "\nmedloop scales volumes over a quarter of which is 0 by their other voxels; this"
        " configuration takes all voxels.\n"
        if any(each.own for each in plan.intensities)
        else ""
    )
    mirrored = (
        f"\nmedloop averages answers to images mirrored along the axes {list(plan.flips)};"
        " this configuration does not.\n"
        if plan.flips
        else ""
    )
    return (
        f"# {bundle.card.get('title', bundle.name)}\n\nExported by medloop from {bundle.name}"
        f" {bundle.version}, weights SHA-256 {bundle.sha256}. What it is for, what not, and its"
        " figures: [card.toml](card.toml).\n\nThe network reads (slice, row, column) toward"
        f" superior, posterior and left, windows of {list(plan.patch)}, and answers"
        f" probabilities. Put NIfTI files into `images/`, then `python -m monai.bundle run"
        " --config_file configs/inference.json`; label maps go to `eval/`.\n" + own + mirrored
    )
