"""``medloop predict``: one network over many inputs, for researchers.

Networks that grade fill OUT/predictions.csv; networks that segment write a file an input.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from medloop.apps.bundles import find_bundle
from medloop.apps.console import Exit, UsageError, note, progress, say
from medloop.apps.output import require_folder, write_whole
from medloop.apps.settings import Settings
from medloop.core.errors import FOREIGN_ERRORS, InputError
from medloop.core.geometry import Grid
from medloop.core.image import Picture
from medloop.files.nifti import write_nifti
from medloop.files.pictures import read_picture
from medloop.files.sniff import sniff
from medloop.imaging.fundus import Field, find_field
from medloop.models.plan import Plan, Task
from medloop.models.predict import Predictor, open_predictor
from medloop.models.retina import grade, segment

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
NOT_LESIONS = ("OD",)  # the network also outlines the optic disc, to keep it apart


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to predict: what to call it, the stem of its output, and how to read it."""

    name: str
    stem: str
    read: Callable[[], Picture]


def predict(
    bundle_name: str,
    inputs: Sequence[Path],
    out: Path,
    settings: Settings,
    *,
    probabilities: bool,
) -> Exit:
    """Run the command; inputs that cannot be read are named and left out.

    Raises
    ------
    UsageError
        If the bundle is unknown, `out` is a file, or there is nothing to read.
    """
    require_folder(out)
    bundle = find_bundle(bundle_name, settings)
    if probabilities and bundle.plan.task is not Task.LESIONS:
        raise UsageError(f"--probabilities is for networks that segment; {bundle.name} grades")
    found, bad = expand(inputs)
    if not found and not bad:
        raise UsageError("there is no picture among the inputs")
    predictor = open_predictor(bundle, precision=settings.precision)
    plan = bundle.plan
    keep = _Table(out, plan) if plan.task is Task.GRADING else _Maps(out, plan, probabilities)
    for reason in bad:
        note(reason)
    with progress("predicting", len(found)) as report:
        for done, item in enumerate(found):
            report(done, len(found))
            try:
                picture = item.read()
            except InputError as error:
                bad.append(item.name)
                note(f"{item.name}: {error}")
                continue
            keep.add(item, predictor, picture)
    say(str(keep.finish()))
    return Exit.BAD_INPUT if bad else Exit.DONE


def expand(inputs: Sequence[Path]) -> tuple[list[Input], list[str]]:
    """List what to predict, folders by name; and what cannot be, with the reason."""
    found: list[Input] = []
    bad: list[str] = []
    for path in inputs:
        try:
            found.extend(_expand(path))
        except InputError as error:
            bad.append(f"{path}: {error}")
    return _with_distinct_stems(found), bad


def _expand(path: Path) -> Iterator[Input]:
    if path.is_dir():
        for file in sorted(path.iterdir()):
            named = file.suffix.lower() in PICTURE_SUFFIXES
            if file.is_file() and (named or sniff(file).is_picture):
                yield _of_file(file)
    elif not path.exists():
        raise InputError("no such file")
    elif path.suffix.lower() == ".npz":
        yield from _of_npz(path)
    else:
        yield _of_file(path)


def _of_file(path: Path) -> Input:
    return Input(str(path), path.stem, lambda: read_picture(path))


def _of_npz(path: Path) -> Iterator[Input]:
    """List the images of a MedMNIST-style file, array by array, in the order of their rows."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files if name.endswith("_images")}
    except FOREIGN_ERRORS as error:
        raise InputError(f"npz cannot be read: {type(error).__name__}") from error
    if not arrays:
        raise InputError("npz holds no array named *_images")
    for name, array in arrays.items():
        is_image = array.ndim in (3, 4) and array.shape[3:] in ((), (3,))
        if array.dtype != np.uint8 or not is_image:
            found = f"{array.dtype} {array.shape}"
            raise InputError(f"{name} is {found}; uint8 (n, y, x) or (n, y, x, 3) is read")
        for row, image in enumerate(array):
            yield Input(f"{path}#{name}/{row}", f"{path.stem}-{name}-{row}", _constant(image))


def _constant(image: UInt8[ndarray, "y x *c"]) -> Callable[[], Picture]:
    return lambda: Picture(image)


def _with_distinct_stems(found: Sequence[Input]) -> list[Input]:
    seen: dict[str, int] = {}
    distinct = []
    for item in found:
        count = seen[item.stem] = seen.get(item.stem, 0) + 1
        stem = item.stem if count == 1 else f"{item.stem}-{count}"
        distinct.append(Input(item.name, stem, item.read))
    return distinct


class _Table:
    """Collects grades; the rows of predictions.csv are in the order of the inputs."""

    def __init__(self, out: Path, plan: Plan) -> None:
        self._path = out / "predictions.csv"
        self._plan = plan
        self._rows: list[list[str | int | float]] = []

    def add(self, item: Input, predictor: Predictor, picture: Picture) -> None:
        """Grade one picture on the first scale of the bundle."""
        grading = grade(predictor, *seen(picture), self._plan)
        shares = [round(float(share), 6) for share in grading.icdr_probabilities]
        self._rows.append([item.name, grading.icdr, *shares])

    def finish(self) -> Path:
        """Write the table and return its path."""
        grades = self._plan.scales[0].grades
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["input", "prediction", *(f"p_{k}" for k in range(grades))])
        writer.writerows(self._rows)
        write_whole(self._path, lambda part: part.write_text(text.getvalue(), encoding="utf-8"))
        return self._path


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
        grid = Grid(labels.shape, _affine(picture))
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
        for label, (name, array) in enumerate(maps.items(), start=1):
            ratio = array.astype(np.float32) / threshold[name]
            if best is None or labels is None:
                best, labels = np.ones_like(ratio), np.zeros(ratio.shape, np.uint8)
            higher = ratio >= best
            labels[higher] = label
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


def rgb8(picture: Picture) -> UInt8[ndarray, "y x 3"]:
    """Return red, green and blue bytes: 16 bits lose the lower 8, gray is repeated."""
    array = picture.array if picture.array.dtype == np.uint8 else picture.array >> 8
    array = array.astype(np.uint8, copy=False)
    return array if picture.is_color else np.repeat(array[..., np.newaxis], 3, axis=2)


def _affine(picture: Picture) -> Float[ndarray, "4 4"]:
    """Lay the picture flat: columns to the left of the patient, rows down, in mm if known."""
    rows_mm, columns_mm = picture.spacing_mm or (1.0, 1.0)
    affine = np.zeros((4, 4))
    affine[0, 2], affine[1, 1], affine[2, 0], affine[3, 3] = columns_mm, rows_mm, 1.0, 1.0
    return affine


def _save(path: Path, maps: Mapping[str, Float[ndarray, "y x"]]) -> None:
    halves = {name: array.astype(np.float16) for name, array in maps.items()}
    with path.open("wb") as stream:
        np.savez_compressed(stream, **halves)  # type: ignore[arg-type] # names, not options
