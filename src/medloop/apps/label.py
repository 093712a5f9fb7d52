"""``medloop predict`` with a network that segments: a label map an input."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medloop.apps.batch import Input, Job, run_batch
from medloop.apps.bundles import open_network
from medloop.apps.console import Exit
from medloop.apps.output import write_whole
from medloop.apps.pixels import channels_of, flat_affine
from medloop.apps.settings import Settings
from medloop.core.geometry import Grid
from medloop.core.image import Picture
from medloop.core.study import Content
from medloop.files.nifti import write_nifti
from medloop.models.bundle import Bundle
from medloop.models.predict import Predictor, end_case
from medloop.models.segment import on_image, prepare, probabilities, segment
from medloop.models.segmentation_plan import PICTURES, SegmentationPlan


def label(
    bundle: Bundle, inputs: Sequence[Path], out: Path, settings: Settings, *, shares: bool
) -> Exit:
    """Run the network over every volume, or picture, among the inputs.

    Writes OUT/<stem>.nii.gz (uint8 on the input's grid), or with `shares` OUT/<stem>.npz: a
    float16 array for each class, on the input's voxels.

    Raises
    ------
    UsageError
        If there is nothing to read.
    """
    plan = bundle.segmentation_plan
    predictor = open_network(bundle, settings)
    wanted = Content.PICTURES if plan.frame == PICTURES else Content.VOLUME

    def one(item: Input) -> None:
        _one(item, predictor, plan, out, shares=shares)
        end_case(predictor)

    return run_batch(
        inputs, wanted, Job("segmenting", one, lambda: out), channels=len(plan.channels)
    )


def _one(
    item: Input, predictor: Predictor, plan: SegmentationPlan, out: Path, *, shares: bool
) -> None:
    array, image = channels_of(item, len(plan.channels), flat=plan.frame == PICTURES)
    grid = None if isinstance(image, Picture) else image.grid
    if shares:
        prepared = prepare(array, grid, plan)
        probability = probabilities(predictor, prepared, plan)
        maps = {
            name: on_image(probability[n], prepared).astype(np.float16)
            for n, name in enumerate(plan.classes, start=1)
        }
        write_whole(out / f"{item.stem}.npz", lambda part: _save(part, maps))
        return
    labels = segment(predictor, array, grid, plan)
    if isinstance(image, Picture):
        labels = labels[None]
        where = Grid(labels.shape, flat_affine(image.spacing_mm))
    else:
        where = image.grid
    write_whole(out / f"{item.stem}.nii.gz", lambda part: write_nifti(labels, where, part))


def _save(path: Path, maps: dict[str, np.ndarray]) -> None:
    with path.open("wb") as stream:
        np.savez_compressed(stream, **maps)  # type: ignore[arg-type] # names, not options
