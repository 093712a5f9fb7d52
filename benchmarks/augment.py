"""Images a second that two cores augment, against the libraries people use for it.

``python -m benchmarks.augment [--seconds 4] [--rounds 5]``: affine, elastic and flips of a
96-cubed float image with its mask (MONAI, TorchIO, batchgeneratorsv2) and of a 512 x 512 color
picture with its mask (albumentations). Every library gets both cores in two ways, as two
processes with a thread each and as one process with two threads, and the better one counts;
libraries take turns in each round. All move labels to the nearest. What is not installed is
left out: ``pip install monai torchio batchgeneratorsv2 albumentations``.
"""

import argparse
import multiprocessing
import os
import statistics
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import cv2
import numpy as np
from scipy import ndimage

from benchmarks.machine import describe

Work = Callable[[], object]

SIDE = 96
PICTURE = (512, 512)
CELLS = 5  # elastic, along a side; the peers' fields are about as coarse and as strong
ANGLE_DEG, SCALE = 20.0, 0.2
CORES = 2


def volume() -> tuple[np.ndarray, np.ndarray]:
    """Draw a smooth image and a mask of three labels."""
    noise = np.random.default_rng(0).standard_normal((SIDE,) * 3)
    image = ndimage.gaussian_filter(noise, 2).astype(np.float32)
    image /= image.std()
    return image, np.digitize(image, [0.5, 1.5]).astype(np.uint8)


def picture() -> tuple[np.ndarray, np.ndarray]:
    """Draw a color picture and a mask of three labels."""
    noise = np.random.default_rng(0).standard_normal((*PICTURE, 3))
    smooth = ndimage.gaussian_filter(noise, (2, 2, 0))
    rgb = np.clip(128 + 40 * smooth / smooth.std(), 0, 255).astype(np.uint8)
    return rgb, np.digitize(rgb[..., 0], [140, 180]).astype(np.uint8)


def medloop_3d() -> Work:
    """Make our work on the volume."""
    image, labels = volume()
    return _medloop(image[None], labels)


def medloop_2d() -> Work:
    """Make our work on the picture, channels last in memory as it was read."""
    rgb, labels = picture()
    return _medloop(np.moveaxis(rgb, -1, 0), labels)


def _medloop(image: np.ndarray, labels: np.ndarray) -> Work:
    from medloop.learning.transforms import (  # noqa: PLC0415
        IntensityRanges,
        Ranges,
        Sample,
        SpatialRanges,
        apply,
        draw,
    )

    reach = SpatialRanges(
        rotation_deg=ANGLE_DEG,
        tilt_deg=ANGLE_DEG,
        scale=SCALE,
        elastic=0.4,
        elastic_cells=CELLS,
        elastic_chance=1.0,
    )
    ranges = Ranges(reach, IntensityRanges(chance=0))
    rng, spacing_mm = np.random.default_rng(0), (1.0,) * labels.ndim
    sample = Sample(image, labels)
    return lambda: apply(sample, draw(rng, ranges, image=image, spacing_mm=spacing_mm))


def batchgeneratorsv2() -> Work:
    """Make nnU-Net's work, labels to the nearest."""
    import torch  # noqa: PLC0415
    from batchgeneratorsv2.transforms.spatial.mirroring import (  # noqa: PLC0415
        MirrorTransform,
    )
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform  # noqa: PLC0415
    from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms  # noqa: PLC0415

    image, labels = (torch.from_numpy(part)[None] for part in volume())
    angle = float(np.deg2rad(ANGLE_DEG))
    space = SpatialTransform(
        (SIDE,) * 3,
        0,
        random_crop=False,
        p_elastic_deform=1,
        elastic_deform_scale=(0.1, 0.1),
        elastic_deform_magnitude=(7, 7),
        p_rotation=1,
        rotation=(-angle, angle),
        p_scaling=1,
        scaling=(1 - SCALE, 1 + SCALE),
        mode_seg="nearest",
    )
    both = ComposeTransforms([space, MirrorTransform((0, 1, 2))])
    labels = labels.to(torch.int16)
    return lambda: both(image=image, segmentation=labels)


def monai() -> Work:
    """Make MONAI's work, its elastic field from a coarse grid.

    ``Rand3DElasticd``, which smooths noise at full size, takes about six times as long.
    """
    import torch  # noqa: PLC0415
    from monai.data import set_track_meta  # noqa: PLC0415
    from monai.transforms import (  # noqa: PLC0415
        Compose,
        RandAffined,
        RandFlipd,
        RandSmoothDeformd,
    )

    set_track_meta(False)
    image, labels = (torch.from_numpy(part)[None].float() for part in volume())
    keys, angle = ["image", "labels"], float(np.deg2rad(ANGLE_DEG))
    affine = RandAffined(
        keys,
        prob=1,
        rotate_range=(angle,) * 3,
        scale_range=(SCALE,) * 3,
        mode=("bilinear", "nearest"),
        padding_mode="zeros",
        cache_grid=True,
        spatial_size=(SIDE,) * 3,
    )
    elastic = RandSmoothDeformd(
        keys,
        spatial_size=(SIDE,) * 3,
        rand_size=(CELLS + 3,) * 3,
        pad=2,
        prob=1,
        def_range=0.07,
        grid_mode=("bilinear", "nearest"),
    )
    flips = [RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(3)]
    both = Compose([affine, elastic, *flips])
    return lambda: both({"image": image, "labels": labels})


def torchio() -> Work:
    """Make TorchIO's work: flips and its affine and elastic transform in one."""
    import torch  # noqa: PLC0415
    import torchio as tio  # noqa: PLC0415

    image, labels = (torch.from_numpy(part)[None] for part in volume())
    subject = tio.Subject(
        image=tio.ScalarImage(tensor=image), labels=tio.LabelMap(tensor=labels)
    )
    affine = {"scales": SCALE, "degrees": ANGLE_DEG}
    elastic = {"num_control_points": CELLS + 3, "max_displacement": 7.5}
    both = tio.Compose(
        [
            tio.RandomFlip(axes=(0, 1, 2), flip_probability=0.5),
            tio.RandomAffineElasticDeformation(
                affine_first=True, affine_kwargs=affine, elastic_kwargs=elastic
            ),
        ]
    )
    return lambda: both(subject)


def albumentations() -> Work:
    """Make albumentations' work, its elastic field approximated, which is faster."""
    import albumentations as alb  # noqa: PLC0415

    rgb, labels = picture()
    both = alb.Compose(
        [
            alb.HorizontalFlip(p=0.5),
            alb.VerticalFlip(p=0.5),
            alb.Affine(rotate=(-ANGLE_DEG, ANGLE_DEG), scale=(1 - SCALE, 1 + SCALE), p=1),
            alb.ElasticTransform(alpha=300, sigma=25, approximate=True, p=1),
        ]
    )
    return lambda: both(image=rgb, mask=labels)


GROUPS: dict[str, dict[str, Callable[[], Work]]] = {
    f"{SIDE}-cubed image and mask": {
        "medloop": medloop_3d,
        "batchgeneratorsv2": batchgeneratorsv2,
        "MONAI": monai,
        "TorchIO": torchio,
    },
    "512 x 512 picture and mask": {"medloop": medloop_2d, "albumentations": albumentations},
}


def use_threads(count: int) -> None:
    """Let every engine of this process use as many threads."""
    cv2.setNumThreads(count)
    try:
        import torch  # noqa: PLC0415

        torch.set_num_threads(count)
    except ImportError:
        pass
    try:
        import SimpleITK  # noqa: PLC0415

        SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
    except ImportError:
        pass


def measure(work: Work, seconds: float) -> tuple[float, float]:
    """Call for a while; give calls a second and processor seconds a call."""
    start, used, calls = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < seconds or not calls:
        work()
        calls += 1
    wall, cpu = time.perf_counter() - start, time.process_time() - used
    return calls / wall, cpu / calls


def serve(orders: Connection) -> None:
    """Answer (group, library, threads, seconds) with a measurement, None if not installed."""
    warnings.simplefilter("ignore")
    made: dict[tuple[str, str], Work | None] = {}
    while (order := orders.recv()) is not None:
        group, name, threads, seconds = order
        if (group, name) not in made:
            try:
                made[group, name] = GROUPS[group][name]()
            except ImportError:
                made[group, name] = None
        work = made[group, name]
        use_threads(threads)
        orders.send(None if work is None else measure(work, seconds))


def both_ways(
    workers: list[Connection], group: str, name: str, seconds: float
) -> tuple[float, float, float] | None:
    """Measure two processes with a thread each, then one process with two threads.

    The third number is the processor time of one image in the first way.
    """

    def ask(worker: Connection, threads: int) -> tuple[float, float] | None:
        worker.send((group, name, threads, seconds))
        return worker.recv()

    with ThreadPoolExecutor(CORES) as pool:
        each = list(pool.map(lambda worker: ask(worker, 1), workers))
    alone = ask(workers[0], CORES)
    found = [answer for answer in each if answer is not None]
    if alone is None or len(found) < CORES:
        return None
    return sum(r for r, _ in found), alone[0], statistics.mean(cpu for _, cpu in found)


def tell(group: str, runs: dict[str, list[tuple[float, float, float]]]) -> None:
    """Print medians and what they are of ours."""
    print(f"{group}, images a second, median of {len(runs['medloop'])} rounds")
    print(
        f"  {'':20}{'2 processes':>12}{'2 threads':>12}{'ratio':>8}{'cpu ms':>10}{'ratio':>8}"
    )
    best, cpu = {}, {}
    for name, rounds in runs.items():
        if not rounds:
            print(f"  {name:20}{'not installed':>14}")
            continue
        two, threads, cpu[name] = (statistics.median(way) for way in zip(*rounds, strict=True))
        best[name] = max(two, threads)
        faster, cheaper = best["medloop"] / best[name], cpu[name] / cpu["medloop"]
        print(
            f"  {name:20}{two:12.2f}{threads:12.2f}{faster:8.1f}"
            f"{1000 * cpu[name]:10.1f}{cheaper:8.1f}"
        )
    peers = [value for name, value in best.items() if name != "medloop"]
    if peers:
        print(
            f"  against the fastest peer: {best['medloop'] / max(peers):.1f} times", flush=True
        )


def main() -> None:
    """Print rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "NO_ALBUMENTATIONS_UPDATE": "1"}
    context = multiprocessing.get_context("spawn")
    workers, processes = [], []
    for _ in range(CORES):
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs,), daemon=True)
        process.start()
        workers.append(ours)
        processes.append(process)
    print(describe(), flush=True)
    for group, libraries in GROUPS.items():
        runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in libraries}
        for lap in range(options.rounds + 1):
            for name in libraries:
                measured = both_ways(workers, group, name, options.seconds if lap else 0.0)
                if measured is not None and lap:  # the first lap only warms up
                    runs[name].append(measured)
        tell(group, runs)
    for worker, process in zip(workers, processes, strict=True):
        worker.send(None)
        process.join(10)


if __name__ == "__main__":
    main()
