"""A CT to labels of 24 organs with a network of random weights, beside MONAI and PyTorch.

``python -m benchmarks whole [--large] [--runs 3]``: prepare, windows, and labels on the CT's
own voxels, as whole-body segmentation does. Both sides bring the CT to 1.5 mm, answer windows
that overlap by half, blended by a Gaussian, with one network (a U-Net with instance norm, plain
convolutions), and go back. The peer is MONAI's sliding window over PyTorch eager, which brings
the image there and the labels back (nearest) by PyTorch's interpolation; medloop brings
probabilities back. By default the network has four levels from 16 channels, windows are 64
cubed and the CT 128 x 128 x 48; with ``--large`` it is of nnU-Net's size (32 to 320 channels,
windows of 128 cubed) and the CT 512 x 512 x 300, once: hours on two cores. Each side is a
process of its own, all take turns; medians, and the memory that the first run added.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from monai.inferers.utils import sliding_window_inference
from torch.nn.functional import interpolate

from benchmarks.machine import describe, engines, keep_to
from benchmarks.memory import a_chest, enlarged
from benchmarks.plots import bars
from benchmarks.runs import median, note, ratio, table
from benchmarks.workers import Worker, in_turns, serve
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.imaging.resample import resize
from medloop.learning.export import SegmentationEnsemble, export_segmenters
from medloop.models.architecture import Norm, unet
from medloop.models.engines import Machine, Precision
from medloop.models.networks.build import build
from medloop.models.predict import open_weights
from medloop.models.segment import segment
from medloop.models.segmentation_plan import Intensity, SegmentationPlan

CLASSES, CORES, MM = 24, 2, 1.5
PEER, OURS = "MONAI, PyTorch eager", "medloop, FP32"
BF16, AIR = "medloop, BF16", "medloop, BF16, skipping air"


@dataclass(frozen=True, slots=True)
class Size:
    """How large all of it is."""

    widths: tuple[int, ...]
    patch: tuple[int, int, int]
    ct: tuple[int, int, int]


SMALL = Size((16, 32, 64, 128), (64, 64, 64), (48, 128, 128))
LARGE = Size((32, 64, 128, 256, 320, 320), (128, 128, 128), (300, 512, 512))


def plan_of(size: Size) -> SegmentationPlan:
    """Describe the network and its input."""
    layout = unet(3, 1, 1 + CLASSES, widths=size.widths)
    return SegmentationPlan(
        channels=("CT",),
        classes=tuple(f"organ {n}" for n in range(1, 1 + CLASSES)),
        spacing_mm=(MM, MM, MM),
        patch=size.patch,
        intensities=(Intensity(-1000, 1000, 0, 500),),
        architecture=replace(layout, norm=Norm.INSTANCE, leak=0.01),
        spread=False,
    )


def a_ct(size: Size) -> Volume:
    """Draw a chest of this many voxels."""
    if size.ct[1] == 512:
        return enlarged(a_chest(), size.ct[0])
    coarse = a_chest()
    array = np.rint(resize(coarse.array.astype(np.float32), size.ct)).astype(np.int16)
    affine = np.diag([2 * MM, MM, MM, 1.0])[[2, 1, 0, 3]]  # (k, j, i) to (x, y, z)
    return Volume(array, Grid(size.ct, affine), "HU")


def a_network(plan: SegmentationPlan) -> SegmentationEnsemble:
    """Make the network, its weights drawn from one seed."""
    torch.manual_seed(0)
    return SegmentationEnsemble([build(plan.architecture)]).eval()


def theirs(ct: Volume, plan: SegmentationPlan) -> Callable[[], np.ndarray]:
    """Label with MONAI's window and PyTorch."""
    torch.set_num_threads(CORES)
    network, how = a_network(plan), plan.intensities[0]
    sides = zip(ct.array.shape, ct.grid.spacing_mm, strict=True)
    there = [round(n * mm / MM) for n, mm in sides]

    def label() -> np.ndarray:
        with torch.inference_mode():
            image = torch.from_numpy(ct.array)[None, None].float()
            image = (image.clamp_(how.low, how.high) - how.mean) / how.deviation
            image = interpolate(image, size=there, mode="trilinear")
            found = sliding_window_inference(
                image, plan.patch, 1, network, overlap=plan.overlap, mode="gaussian"
            )
            labels = found.argmax(1, keepdim=True).to(torch.uint8)
            back = interpolate(labels.float(), size=ct.array.shape, mode="nearest")
            return back[0, 0].to(torch.uint8).numpy()

    return label


def ours(
    ct: Volume, plan: SegmentationPlan, weights: Path, side: str
) -> Callable[[], np.ndarray]:
    """Label with medloop."""
    precision = Precision.FP32 if side == OURS else Precision.BF16
    predictor = open_weights(weights, precision=precision)
    plan = replace(plan, skip_air=side == AIR)
    return lambda: segment(predictor, ct.array[None], ct.grid, plan)


def main() -> None:
    """Measure each side in a process of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    keep_to(CORES)
    size = LARGE if options.large else SMALL
    plan = plan_of(size)
    if options.side:
        ct, weights = a_ct(size), options.folder / "weights.onnx"
        peer = options.side == PEER
        label = theirs(ct, plan) if peer else ours(ct, plan, weights, options.side)
        serve(lambda: np.save(options.folder / f"{options.side}.npy", label()))
        return
    sides = [PEER, OURS, *([BF16, AIR] if Machine.here().has_bf16 else [])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export_segmenters(list(a_network(plan).members), plan, folder / "weights.onnx")
        note("exported")
        asked = ["--folder", name, *(["--large"] if options.large else [])]
        workers = {side: Worker.start("whole", [*asked, "--side", side]) for side in sides}
        times, added = in_turns(workers, 1 if options.large else options.runs)
        for worker in workers.values():
            worker.stop()
        rows = []
        base = np.load(folder / f"{PEER}.npy")
        for side in sides:
            same = (np.load(folder / f"{side}.npy") == base).mean()
            told = f"{100 * same:.1f} %"
            seconds = (median(times, side) or 0) / 1000
            rows.append([side, seconds, ratio(times, PEER, side), added[side], told])
    print(describe(), engines(), sep="; ")
    print(f"{' x '.join(map(str, size.ct[::-1]))} voxels, windows of {size.patch[0]} cubed\n")
    head = ["side", "s", "times as fast", "MB added", "voxels labeled as by the first"]
    print(table(head, rows))
    if options.plot:
        shown = {"": {side: ratio(times, PEER, side) for side in sides}}
        bars(options.plot, shown, f"times as fast as {PEER}")
