"""Labels of a long volume by windows, beside MONAI's sliding window and nnU-Net's predictor.

``python -m benchmarks windows [--bundle BUNDLE [--eager]] [--slices 64 256] [--runs 3]``: the
same ONNX network answers the same windows on all sides, so that what differs is how they are
put together. Without a bundle that network is one convolution to 12 classes, so light that the
windows are what is timed. With ``--eager`` the peers ask the bundle's network in PyTorch, as
their users do. Three quarters of the volume are air, one column is a body. Each side is a
process of its own and they take turns: median seconds, ratios over pairs of one round, and by
how much a side's peak memory exceeds what it had before its first run. MONAI's step is fixed,
and medloop takes the same here; nnU-Net spreads its windows evenly, sums in half precision, and
is left out where ``nnunetv2`` is not installed.
"""

import argparse
import functools
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.machine import describe, engines, keep_to
from benchmarks.plots import bars
from benchmarks.runs import median, note, ratio, table
from benchmarks.workers import Worker, in_turns, serve
from medloop.models.bundle import load_bundle
from medloop.models.predict import Predictor, open_weights
from medloop.models.window import Air, Windows, slabs

if TYPE_CHECKING:
    from torch import Tensor, nn

CLASSES, PATCH, OVERLAP, CORES = 12, (32, 64, 64), 0.5, 2
AIR = -2.0  # scaled; the body is about 0
MONAI, NNUNET, OURS = "MONAI", "nnU-Net", "medloop"
SIDES = (MONAI, NNUNET, OURS, "medloop, batch of 4", "medloop, skipping air")


def light_network(path: Path) -> None:
    """Write one convolution to `CLASSES` classes and a softmax."""
    import onnx  # noqa: PLC0415 (only in the training extra)
    from onnx import helper, numpy_helper  # noqa: PLC0415

    weight = np.random.default_rng(0).standard_normal((CLASSES, 1, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["logits"], pads=[1] * 6),
        helper.make_node("Softmax", ["logits"], ["probability"], axis=1),
    ]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["b", channels, *"zyx"])
        for name, channels in (("x", 1), ("probability", CLASSES))
    ]
    kept = [numpy_helper.from_array(weight, "weight")]
    graph = helper.make_graph(nodes, "light", ends[:1], ends[1:], kept)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def a_volume(slices: int, width: int) -> np.ndarray:
    """Draw air, and a body of noise in a quarter of each slice."""
    image = np.full((1, slices, width, width), AIR, np.float32)
    rng = np.random.default_rng(0)
    body = (slices, width // 2, width // 2)
    image[0, :, : width // 2, : width // 2] = rng.standard_normal(body, dtype=np.float32)
    return image


def ours(
    predictor: Predictor, image: np.ndarray, patch: tuple[int, ...], side: str
) -> np.ndarray:
    """Label with medloop."""
    air = Air((AIR + 0.1,), CLASSES) if "skipping" in side else None
    batch = 4 if "batch" in side else 1
    how = Windows(patch, OVERLAP, batch=batch, spread=False, air=air)
    labels = np.empty(image.shape[1:], np.uint8)

    def rows(first: int, last: int) -> np.ndarray:
        return image[:, first:last]

    for first, slab in slabs(predictor, rows, image.shape[1:], how):
        labels[first : first + slab.shape[1]] = slab.argmax(axis=0)
    return labels


def monai(network: "nn.Module", image: np.ndarray, patch: tuple[int, ...]) -> np.ndarray:
    """Label with MONAI."""
    import torch  # noqa: PLC0415 (a peer's)
    from monai.inferers.utils import sliding_window_inference  # noqa: PLC0415

    with torch.inference_mode():
        found = sliding_window_inference(
            torch.from_numpy(image[None]),
            patch,
            1,
            network,
            overlap=OVERLAP,
            mode="gaussian",
            sigma_scale=0.125,
        )
        return found[0].argmax(0).to(torch.uint8).numpy()


def nnunet(network: "nn.Module", image: np.ndarray, patch: tuple[int, ...]) -> np.ndarray:
    """Label with nnU-Net's predictor, without mirror images."""
    import torch  # noqa: PLC0415 (a peer's)
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # noqa: PLC0415

    with torch.inference_mode():
        answer = network(torch.zeros(1, len(image), *patch))
    heads = SimpleNamespace(num_segmentation_heads=answer.shape[1])
    predictor = nnUNetPredictor(
        tile_step_size=1 - OVERLAP,
        use_mirroring=False,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    predictor.manual_initialization(
        network,
        SimpleNamespace(get_label_manager=lambda _: heads),
        SimpleNamespace(patch_size=list(patch)),
        None,
        {},
        "",
        None,
    )
    found = predictor.predict_sliding_window_return_logits(torch.from_numpy(image))
    return found.argmax(0).to(torch.uint8).numpy()


def peers_network(predictor: Predictor, bundle: str, *, is_eager: bool) -> "nn.Module":
    """Make the module that peers ask: the ONNX network within, or PyTorch's own."""
    import torch  # noqa: PLC0415 (a peer's)

    torch.set_num_threads(CORES)
    if is_eager:
        from benchmarks.eager import load, network_of  # noqa: PLC0415 (imports torch)

        opened = load_bundle(bundle)
        network = network_of(opened).eval()
        load(network, opened.weights)
        return network

    class Within(torch.nn.Module):
        """The ONNX network where peers expect a module."""

        def forward(self, x: "Tensor") -> "Tensor":
            answer = predictor.run(x.numpy())["probability"]
            return torch.from_numpy(np.array(answer))

    return Within()


def one_side(options: argparse.Namespace) -> None:
    """Label when asked; leave the labels behind."""
    patch: tuple[int, ...] = PATCH
    weights = options.weights
    if options.bundle:
        bundle = load_bundle(options.bundle)
        patch, weights = bundle.segmentation_plan.patch, bundle.weights
    predictor = open_weights(weights)
    image = a_volume(options.slices[0], options.width)
    label: Callable[[], np.ndarray]
    if options.side in (MONAI, NNUNET):
        network = peers_network(predictor, options.bundle, is_eager=options.eager)
        way = monai if options.side == MONAI else nnunet
        label = functools.partial(way, network, image, patch)
        way(network, image[:, : patch[0]], patch)
    else:
        label = functools.partial(ours, predictor, image, patch, options.side)
        batch = 4 if "batch" in options.side else 1
        predictor.run(np.zeros((batch, 1, *patch), np.float32))
    serve(lambda: np.save(options.out, label()))


def chosen(options: argparse.Namespace) -> Sequence[str]:
    """List the sides that can be here: skipping needs 12 classes, a batch a free axis."""
    sides = [*SIDES[:3], *(SIDES[3:] if not options.bundle else ())]
    if importlib.util.find_spec("nnunetv2") is None:
        note("nnU-Net is left out: nnunetv2 is not installed")
        sides.remove(NNUNET)
    return sides


def main() -> None:
    """Measure each side in a process of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="")
    parser.add_argument("--eager", action="store_true")
    parser.add_argument("--slices", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    keep_to(CORES)
    if options.side:
        one_side(options)
        return
    if options.eager and not options.bundle:
        sys.exit("--eager needs --bundle")
    print(describe(), engines(), sep="; ")
    shown: dict[str, dict[str, float | None]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for slices in options.slices:
            shown[f"{slices} slices"] = compare(options, slices, Path(folder))
    if options.plot:
        bars(options.plot, shown, "times as fast as MONAI")


def compare(options: argparse.Namespace, slices: int, folder: Path) -> dict[str, float | None]:
    """Measure one length on all sides, print a table, return ratios to MONAI."""
    weights = folder / "light.onnx"
    light_network(weights)
    asked = ["--slices", str(slices), "--width", str(options.width), "--weights", str(weights)]
    asked += ["--bundle", options.bundle] + (["--eager"] if options.eager else [])
    sides = chosen(options)
    paths = {side: folder / f"{n}.npy" for n, side in enumerate(sides)}
    workers = {
        side: Worker.start("windows", [*asked, "--side", side, "--out", str(paths[side])])
        for side in sides
    }
    times, added = in_turns(workers, options.runs)
    for worker in workers.values():
        worker.stop()
    base = np.load(paths[MONAI])[..., : options.width // 2 - 2, : options.width // 2 - 2]
    rows = []
    for side in sides:
        body = np.load(paths[side])[..., : base.shape[-2], : base.shape[-1]]
        same = f"{100 * (body == base).mean():.2f} %"
        seconds = (median(times, side) or 0) / 1000
        rows.append([side, seconds, ratio(times, MONAI, side), added[side], same])
    print(f"\n{slices} x {options.width} x {options.width} voxels\n")
    head = ["side", "s", "times as fast", "MB added", "labels of the body as MONAI's"]
    print(table(head, rows))
    return {side: ratio(times, MONAI, side) for side in sides}


if __name__ == "__main__":
    main()
