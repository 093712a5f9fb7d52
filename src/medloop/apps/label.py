"""``medloop predict`` with a network that segments: a label map an input."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medloop.apps.batch import Batch, open_batch
from medloop.apps.bundles import open_network
from medloop.apps.console import Exit, UsageError, note, progress, say
from medloop.apps.output import write_whole
from medloop.apps.pixels import flat_affine, rgb8
from medloop.apps.settings import Settings
from medloop.core.errors import InputError, UnsuitableError
from medloop.core.geometry import Grid
from medloop.core.image import Picture, Volume
from medloop.core.study import Content
from medloop.files.nifti import write_nifti
from medloop.models.bundle import Bundle
from medloop.models.predict import Predictor
from medloop.models.segment import labels_of, on_image, prepare, probabilities
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
    with open_batch(inputs, wanted) as batch:
        if not (batch.found or batch.bad or batch.unsuitable):
            raise UsageError("there is no image among the inputs")
        return _label(batch, predictor, plan, out, shares=shares)


def _label(
    batch: Batch, predictor: Predictor, plan: SegmentationPlan, out: Path, *, shares: bool
) -> Exit:
    for reason in (*batch.bad, *batch.unsuitable):
        note(reason)
    bad, done = len(batch.bad), 0
    with progress("segmenting", len(batch.found)) as report:
        for number, item in enumerate(batch.found):
            report(number, len(batch.found))
            try:
                _one(item.read(), item.stem, predictor, plan, out, shares=shares)
                done += 1
            except InputError as error:
                bad += 1
                note(f"{item.name}: {error}")
            except UnsuitableError as error:
                note(f"{item.name}: {error}")
    say(str(out))
    if bad:
        return Exit.BAD_INPUT
    return Exit.DONE if done else Exit.UNSUITABLE


def _one(
    image: Picture | Volume,
    stem: str,
    predictor: Predictor,
    plan: SegmentationPlan,
    out: Path,
    *,
    shares: bool,
) -> None:
    if isinstance(image, Picture):
        color = len(plan.channels) > 1
        array = rgb8(image).transpose(2, 0, 1) if color else rgb8(image)[..., 0][None]
        grid = None
        spacing = image.spacing_mm
    else:
        array, grid, spacing = image.array[None], image.grid, None
    prepared = prepare(array, grid, plan)
    probability = probabilities(predictor, prepared, plan)
    if shares:
        maps = {
            name: on_image(probability[n], prepared).astype(np.float16)
            for n, name in enumerate(plan.classes, start=1)
        }
        write_whole(out / f"{stem}.npz", lambda part: _save(part, maps))
        return
    labels = labels_of(probability, prepared)
    if grid is None:
        labels = labels[None]
        grid = Grid(labels.shape, flat_affine(spacing))
    write_whole(out / f"{stem}.nii.gz", lambda part: write_nifti(labels, grid, part))


def _save(path: Path, maps: dict[str, np.ndarray]) -> None:
    with path.open("wb") as stream:
        np.savez_compressed(stream, **maps)  # type: ignore[arg-type] # names, not options
