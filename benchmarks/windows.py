"""Labels of a long volume by windows, beside MONAI's `sliding_window_inference`.

``python -m benchmarks.windows [--bundle BUNDLE] [--slices 64 256] [--runs 3]``: the same ONNX
network answers the same windows on both sides, so that what differs is how they are put
together. Without a bundle that network is one convolution to 12 classes, so light that the
windows are what is timed. Three quarters of the volume are air, one column is a body. Each side
and length is a process of its own: median seconds of its runs, and by how much its peak memory
exceeds what it had before the first one. MONAI's step is fixed; medloop takes the same here.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from medloop.models.bundle import load_bundle
from medloop.models.predict import Predictor, open_weights
from medloop.models.window import Air, Windows, slabs

SIDE, CLASSES, PATCH, OVERLAP = 128, 12, (32, 64, 64), 0.5
AIR = -2.0  # scaled; the body is about 0
SIDES = ("monai", "medloop", "medloop, batch of 4", "medloop, skipping air")


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


def a_volume(slices: int) -> np.ndarray:
    """Draw air, and a body of noise in a quarter of each slice."""
    image = np.full((1, slices, SIDE, SIDE), AIR, np.float32)
    rng = np.random.default_rng(0)
    body = (slices, SIDE // 2, SIDE // 2)
    image[0, :, : SIDE // 2, : SIDE // 2] = rng.standard_normal(body, dtype=np.float32)
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


def theirs(predictor: Predictor, patch: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """Make a function that labels with MONAI."""
    import torch  # noqa: PLC0415 (counted before the first run)
    from monai.inferers.utils import sliding_window_inference  # noqa: PLC0415

    def network(x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(predictor.run(x.numpy())["probability"]))

    def label(image: np.ndarray) -> np.ndarray:
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

    return label


def measure(side: str, slices: int, options: argparse.Namespace) -> None:
    """Label several times in this process; print seconds, megabytes and a sum of the labels."""
    patch: tuple[int, ...] = PATCH
    weights = options.weights
    if options.bundle:
        bundle = load_bundle(options.bundle)
        patch, weights = bundle.segmentation_plan.patch, bundle.weights
    predictor = open_weights(weights)
    image = a_volume(slices)
    batch = 4 if "batch" in side else 1
    predictor.run(np.zeros((batch, 1, *patch), np.float32))
    label = theirs(predictor, patch) if side == "monai" else None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times, labels = [], np.empty(0)
    for _ in range(options.runs):
        began = time.perf_counter()
        labels = label(image) if label else ours(predictor, image, patch, side)
        times.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    body = labels[:, : SIDE // 2 - 2, : SIDE // 2 - 2]
    print(json.dumps([statistics.median(times), (peak - before) / 1024, int(body.sum())]))


def main() -> None:
    """Measure each side in a process of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="")
    parser.add_argument("--slices", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        measure(options.side, options.slices[0], options)
        return
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "light.onnx"
        light_network(weights)
        for slices in options.slices:
            base: list[float] = []
            for side in SIDES:
                asked = ["--side", side, "--slices", str(slices), "--runs", str(options.runs)]
                asked += ["--weights", str(weights), "--bundle", options.bundle]
                command = [sys.executable, "-m", "benchmarks.windows", *asked]
                out = subprocess.run(command, capture_output=True, text=True, check=True)
                seconds, megabytes, total = json.loads(out.stdout.splitlines()[-1])
                base = base or [seconds, megabytes, total]
                print(
                    f"{slices} slices, {side}: {seconds:.2f} s ({base[0] / seconds:.2f} times"
                    f" as fast), {megabytes:.0f} MB ({megabytes / base[1]:.2f} of it), labels"
                    f" {'the same' if total == base[2] else 'others'}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
