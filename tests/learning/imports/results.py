"""nnU-Net results folders with random networks, written as nnU-Net v2 writes them."""

import json
from pathlib import Path

import numpy as np
import torch
from dynamic_network_architectures.architectures import unet
from torch import nn

NETWORKS = "dynamic_network_architectures.architectures.unet"


def arch_kwargs(dims=3, *, is_residual=False, levels=3):
    """The outline of a small network, in nnU-Net's words; axis 0 is coarse."""
    kernels = [[1, 3, 3], [3, 3, 3], [3, 3, 3]] if dims == 3 else [[3, 3]] * 3
    strides = [[1, 1, 1], [1, 2, 2], [2, 2, 2]] if dims == 3 else [[1, 1], [2, 2], [2, 2]]
    blocks = {"n_blocks_per_stage": [1, 2, 2]} if is_residual else {"n_conv_per_stage": [2] * 3}
    return {
        "n_stages": levels,
        "features_per_stage": [4, 8, 12],
        "conv_op": f"torch.nn.modules.conv.Conv{dims}d",
        "kernel_sizes": kernels,
        "strides": strides,
        **blocks,
        "n_conv_per_stage_decoder": [1, 1] if is_residual else [2, 2],
        "conv_bias": True,
        "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dims}d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }


def original(kwargs, channels=1, classes=3, *, seed=0):
    """Build the network as nnU-Net does, with norms that are not at their start."""
    torch.manual_seed(seed)
    dims = 3 if kwargs["conv_op"].endswith("3d") else 2
    is_residual = "n_blocks_per_stage" in kwargs
    kind = unet.ResidualEncoderUNet if is_residual else unet.PlainConvUNet
    ops = {
        "conv_op": nn.Conv3d if dims == 3 else nn.Conv2d,
        "norm_op": nn.InstanceNorm3d if dims == 3 else nn.InstanceNorm2d,
        "nonlin": nn.LeakyReLU,
    }
    network = kind(
        input_channels=channels, num_classes=classes, deep_supervision=True, **(kwargs | ops)
    )
    with torch.no_grad():
        for name, each in network.named_parameters():
            if ".norm." in name:
                each.add_(0.3 * torch.randn_like(each))
    network.decoder.deep_supervision = False
    return network.eval()


def a_results_folder(folder: Path, networks, kwargs, **changes) -> Path:
    """Write plans.json, dataset.json and a checkpoint a network."""
    dims = 3 if kwargs["conv_op"].endswith("3d") else 2
    name = "3d_fullres" if dims == 3 else "2d"
    is_residual = "n_blocks_per_stage" in kwargs
    network_class = "ResidualEncoderUNet" if is_residual else "PlainConvUNet"
    configuration = {
        "data_identifier": "nnUNetPlans_" + name,
        "batch_size": 2,
        "patch_size": [8, 16, 24] if dims == 3 else [16, 24],
        "spacing": [3.0, 1.0, 0.5] if dims == 3 else [1.0, 0.5],
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "architecture": {
            "network_class_name": f"{NETWORKS}.{network_class}",
            "arch_kwargs": kwargs,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    } | changes.pop("configuration", {})
    plans = {
        "dataset_name": "Dataset007_Drawn",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [2.5, 1.0, 0.5],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {name: configuration},
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": 40.0, "std": 20.0, "percentile_00_5": -50.0, "percentile_99_5": 120.0}
        },
    } | changes.pop("plans", {})
    dataset = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "liver": 1, "tumor": 2},
        "numTraining": 10,
        "file_ending": ".nii.gz",
    } | changes.pop("dataset", {})
    folder.mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    for n, network in enumerate(networks):
        path = folder / f"fold_{n}" / "checkpoint_final.pth"
        path.parent.mkdir()
        checkpoint = {
            "network_weights": network.state_dict(),
            "init_args": {"configuration": name, "fold": n},
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": tuple(range(dims)),
            "_best_ema": np.float64(0.8),
            "logging": {"mean_fg_dice": [np.float32(0.7), np.float64(0.8)]},
        }
        torch.save(checkpoint, path)
    return folder
