"""``medloop predict``: one network over many inputs, for researchers.

Networks that grade or classify fill OUT/predictions.csv; those that segment write a file an
input; those that find objects fill OUT/detections.csv or .json.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from medloop.apps.batch import Input, Job, run_batch
from medloop.apps.bundles import find_bundle, open_network, open_second
from medloop.apps.classify import tell_classes
from medloop.apps.console import Exit, UsageError
from medloop.apps.detect import tell_nodules, tell_objects
from medloop.apps.label import label
from medloop.apps.output import require_folder, write_text, write_whole
from medloop.apps.pixels import flat_affine, rgb8
from medloop.apps.settings import Settings
from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import Picture
from medloop.core.study import Content
from medloop.files.nifti import write_nifti
from medloop.imaging.fundus import Field, find_field
from medloop.models.canvas import place
from medloop.models.evidence import SecondReader
from medloop.models.plan import Plan, Task
from medloop.models.predict import Predictor, end_case
from medloop.models.retina import (
    exceedance,
    grade_canvas,
    grade_of,
    grade_probabilities,
    joined,
    segment,
)

NOT_LESIONS = ("OD",)  # the network also outlines the optic disc, to keep it apart


def predict(
    bundle_name: str,
    inputs: Sequence[Path],
    out: Path,
    settings: Settings,
    *,
    probabilities: bool,
) -> Exit:
    """Run the command; inputs that cannot be read or are no pictures are named and left out.

    Raises
    ------
    UsageError
        If the bundle is unknown, `out` is a file, or there is nothing to read.
    """
    require_folder(out)
    bundle = find_bundle(bundle_name, settings)
    task = bundle.plan.task
    if task is Task.SEGMENTATION:
        return label(bundle, inputs, out, settings, shares=probabilities)
    if probabilities and task is not Task.LESIONS:
        verbs = {Task.GRADING: "grades", Task.CLASSIFICATION: "classifies"}
        verb = verbs.get(task, "finds objects")
        raise UsageError(f"--probabilities is for networks that segment; {bundle.name} {verb}")
    if task is Task.CLASSIFICATION:
        return tell_classes(bundle, inputs, out, settings)
    if task in (Task.DETECTION, Task.NODULES):
        tell = tell_objects if task is Task.DETECTION else tell_nodules
        return tell(bundle, inputs, out, settings)
    plan = bundle.photograph_plan
    predictor = open_network(bundle, settings)
    keep: _Table | _Maps = _Maps(out, plan, probabilities)
    if plan.task is Task.GRADING:
        keep = _Table(out, plan, open_second(bundle, settings))

    def one(item: Input) -> None:
        keep.add(item, predictor, item.picture())
        end_case(predictor)

    return run_batch(inputs, Content.PICTURES, Job("predicting", one, keep.finish))


class _Table:
    """Collects grades; the rows of predictions.csv are in the order of the inputs."""

    def __init__(self, out: Path, plan: Plan, second: SecondReader | None) -> None:
        self._path = out / "predictions.csv"
        self._plan = plan
        self._second = second
        self._rows: list[list[str | int | float]] = []

    def add(self, item: Input, predictor: Predictor, picture: Picture) -> None:
        """Grade one picture on every scale of the bundle."""
        rgb, field = seen(picture)
        canvas, _ = place(rgb, field, self._plan)
        logits, _ = grade_canvas(predictor, canvas, self._plan)
        logits = joined(logits, self._second.read(rgb, field) if self._second else None)
        row: list[str | int | float] = [item.name]
        for above in exceedance(logits, self._plan):
            shares = grade_probabilities(above)
            row += [grade_of(above), *(round(float(share), 6) for share in shares)]
        self._rows.append(row)

    def finish(self) -> Path:
        """Write the table and return its path.

        The first scale has the columns prediction, p_0, p_1, ...; the others follow under their
        names: DME, DME_p_0, DME_p_1, ...
        """
        first, *others = self._plan.scales
        head = ["input", "prediction", *(f"p_{k}" for k in range(first.grades))]
        for scale in others:
            head += [scale.name, *(f"{scale.name}_p_{k}" for k in range(scale.grades))]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(self._rows)
        return write_text(self._path, text.getvalue())


@dataclass(frozen=True, slots=True)
class _Maps:
    """Writes one file an input: probabilities by class, or labels 1, 2, ... in their order."""

    out: Path
    plan: Plan
    probabilities: bool

    def add(self, item: Input, predictor: Predictor, picture: Picture) -> None:
        """Segment one picture on its own pixels."""
        maps = {
            name: array
            for name, array in segment(predictor, *seen(picture), self.plan).items()
            if name not in NOT_LESIONS
        }
        if self.probabilities:
            file = self.out / f"{item.stem}.npz"
            write_whole(file, lambda part: _save(part, maps))
            return
        labels = self._labels(maps)
        grid = Grid(labels.shape, flat_affine(picture.spacing_mm))
        file = self.out / f"{item.stem}.nii.gz"
        write_whole(file, lambda part: write_nifti(labels, grid, part))

    def finish(self) -> Path:
        """Return the folder of the files."""
        return self.out

    def _labels(self, maps: Mapping[str, Float[ndarray, "y x"]]) -> UInt8[ndarray, "k y x"]:
        """Give each pixel the class that exceeds its threshold by most."""
        threshold = dict(zip(self.plan.classes, self.plan.thresholds, strict=True))
        best: Float[ndarray, "y x"] | None = None
        labels: UInt8[ndarray, "y x"] | None = None
        for number, (name, array) in enumerate(maps.items(), start=1):
            ratio = array.astype(np.float32) / threshold[name]
            if best is None or labels is None:
                best, labels = np.ones_like(ratio), np.zeros(ratio.shape, np.uint8)
            higher = ratio >= best
            labels[higher] = number
            best = np.maximum(best, ratio)
        if labels is None:
            raise InputError("the bundle has no classes")
        return labels[np.newaxis]


def seen(picture: Picture) -> tuple[UInt8[ndarray, "y x 3"], Field]:
    """Return a picture's bytes and its field of view; without one it is all field."""
    rgb = rgb8(picture)
    rows, columns = picture.size
    center = ((columns - 1) / 2, (rows - 1) / 2)
    whole = Field(center, float(np.hypot(rows, columns)) / 2, (0, 0, columns, rows), 0.0)
    return rgb, find_field(rgb) or whole


def _save(path: Path, maps: Mapping[str, Float[ndarray, "y x"]]) -> None:
    halves = {name: array.astype(np.float16) for name, array in maps.items()}
    with path.open("wb") as stream:
        np.savez_compressed(stream, **halves)  # type: ignore[arg-type] # names, not options
