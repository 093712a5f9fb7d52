"""What ``medloop predict`` reads: every picture, or volume, among the inputs, one by one."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8
from numpy import ndarray

from medloop.apps.analyze import gather_inputs
from medloop.apps.console import Exit, UsageError, note, progress, say
from medloop.core.errors import FOREIGN_ERRORS, InputError, UnsuitableError
from medloop.core.geometry import apart
from medloop.core.image import Picture, Volume
from medloop.core.study import Content, Selection, Series, Study
from medloop.workflow.intake import read_case

_NAMES = {Content.PICTURES: "a picture", Content.VOLUME: "a volume"}


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to predict: what to call it, the stem of its output, and how to read it.

    `others` are the further channels, in their order, where each is an image of its own;
    `series_uid` is empty unless DICOM states it.
    """

    name: str
    stem: str
    read: Callable[[], Picture | Volume]
    others: tuple["Input", ...] = ()
    series_uid: str = ""

    def picture(self) -> Picture:
        """Read what must be a picture."""
        image = self.read()
        if not isinstance(image, Picture):
            raise UnsuitableError("is a volume; the bundle reads pictures")
        return image

    def volume(self) -> tuple[Shaped[ndarray, "c k j i"], Volume]:
        """Read what must be a volume: all its channels, and the first.

        Raises
        ------
        InputError
            If a channel lies on another grid than the first.
        """
        first, *others = [part.read() for part in (self, *self.others)]
        if not isinstance(first, Volume):
            raise UnsuitableError("is a picture; the bundle reads volumes")
        arrays = [first.array]
        for part, image in zip(self.others, others, strict=True):
            grid = image.grid if isinstance(image, Volume) else None
            reason = apart(first.grid, grid, first.array.shape, image.array.shape)
            if reason:
                raise InputError(f"{Path(part.name).name}: {reason}")
            arrays.append(image.array)
        return np.stack(arrays), first


@dataclass(frozen=True, slots=True)
class Batch:
    """The images, sorted by path; and what is bad or unsuitable, a line each."""

    found: tuple[Input, ...]
    bad: tuple[str, ...]
    unsuitable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """What happens to each input, and at the end; `finish` returns what was written."""

    doing: str
    one: Callable[[Input], None]
    finish: Callable[[], Path]


def run_batch(inputs: Sequence[Path], wanted: Content, job: Job, *, channels: int = 1) -> Exit:
    """Do a job for every picture, or volume; name what is bad or unsuitable and leave it out.

    Volumes of several `channels` are files named as nnU-Net does: CASE_0000, CASE_0001 ...

    Raises
    ------
    UsageError
        If there is nothing to read.
    """
    with open_batch(inputs, wanted) as batch:
        if not (batch.found or batch.bad or batch.unsuitable):
            kind = _NAMES[wanted].removeprefix("a ")
            raise UsageError(f"there is no {kind} among the inputs")
        has_parts = wanted is Content.VOLUME and channels > 1
        return _each(_grouped(batch, channels) if has_parts else batch, job)


def _grouped(batch: Batch, channels: int) -> Batch:
    """Put the channels of a case together; what lacks one is bad."""
    cases: dict[tuple[Path, str], dict[int, Input]] = {}
    found, bad = [], list(batch.bad)
    for item in batch.found:
        stem, mark, number = item.stem.rpartition("_")
        if mark and len(number) == 4 and number.isdigit():
            cases.setdefault((Path(item.name).parent, stem), {})[int(number)] = item
        else:
            bad.append(
                f"{item.name}: is one channel, the network reads {channels}: name the files"
                f" CASE_0000 ... CASE_{channels - 1:04d}"
            )
    for (_, stem), parts in cases.items():
        missing = [n for n in range(channels) if n not in parts]
        first = parts[min(parts)]
        if missing:
            bad.append(f"{first.name}: {stem}_{missing[0]:04d}, a channel, is missing")
        else:
            others = tuple(parts[n] for n in range(1, channels))
            found.append(replace(parts[0], stem=stem, others=others))
    return Batch(tuple(_with_distinct_stems(found)), tuple(bad), batch.unsuitable)


def _each(batch: Batch, job: Job) -> Exit:
    for reason in (*batch.bad, *batch.unsuitable):
        note(reason)
    bad, done = len(batch.bad), 0
    with progress(job.doing, len(batch.found)) as report:
        for number, item in enumerate(batch.found):
            report(number, len(batch.found))
            try:
                job.one(item)
                done += 1
            except InputError as error:
                bad += 1
                note(f"{item.name}: {error}")
            except UnsuitableError as error:
                note(f"{item.name}: {error}")
    say(str(job.finish()))
    if bad:
        return Exit.BAD_INPUT
    return Exit.DONE if done else Exit.UNSUITABLE


@contextmanager
def open_batch(inputs: Sequence[Path], wanted: Content = Content.PICTURES) -> Iterator[Batch]:
    """Find the pictures, or volumes, in DICOM, folders, zips, image files and MedMNIST .npz.

    What zips hold can be read while the block runs. The images of a .npz file come array by
    array, in the order of their rows.
    """
    tables = [path for path in inputs if path.suffix.lower() == ".npz" and path.is_file()]
    others = [path for path in inputs if path not in tables]
    with tempfile.TemporaryDirectory(prefix="medloop-") as folder:
        scratch = Path(folder)
        intake = gather_inputs(others, scratch)
        bad = [f"{problem.source}: {problem.reason}" for problem in intake.problems]
        found: list[tuple[Path, Input]] = []
        unsuitable: list[str] = []
        for study in intake.studies:
            for series in study.series:
                if series.content is wanted:
                    items = _of_series(study, series, scratch)
                    found.extend((Path(item.name), item) for item in items)
                else:
                    reads = f"the bundle reads {_NAMES[wanted].removeprefix('a ')}s"
                    what = _NAMES.get(series.content, "no image")
                    unsuitable.append(f"{series.source}: is {what}; {reads}")
        for path in tables:
            try:
                found.extend((path, item) for item in _of_npz(path))
            except InputError as error:
                bad.append(f"{path}: {error}")
        found.sort(key=lambda pair: pair[0])  # stable: the rows of a .npz stay in order
        distinct = _with_distinct_stems([item for _, item in found])
        yield Batch(tuple(distinct), tuple(bad), tuple(unsuitable))


def _of_series(study: Study, series: Series, scratch: Path) -> Iterator[Input]:
    if series.content is Content.VOLUME:
        first = series.instances[0].path
        whole = Selection((series,))
        place = first if len(series.instances) == 1 else first.parent
        name = whole.source if first.is_relative_to(scratch) else str(place)
        uid = series.uid if series.instances[0].sop_class else ""
        yield Input(name, _stem(place), _reader(study, whole, name), series_uid=uid)
        return
    for instance in series.instances:
        selection = Selection((replace(series, instances=(instance,)),))
        is_unpacked = instance.path.is_relative_to(scratch)
        name = selection.source if is_unpacked else str(instance.path)
        yield Input(name, _stem(instance.path), _reader(study, selection, name))


def _reader(study: Study, selection: Selection, name: str) -> Callable[[], Picture | Volume]:
    def read() -> Picture | Volume:
        case = read_case(study, selection)
        image = case.images[0]
        for notice in case.warnings:
            note(f"{name}: {notice.text}")
        return image

    return read


def _stem(path: Path) -> str:
    """Drop the suffix, unless it is a number: the last part of a UID used as a name."""
    if path.name.lower().endswith(".nii.gz"):
        return path.name[: -len(".nii.gz")]
    return path.name if path.suffix[1:].isdigit() else path.stem


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
    for name, array in arrays.items():
        for row, image in enumerate(array):
            yield Input(f"{path}#{name}/{row}", f"{path.stem}-{name}-{row}", _constant(image))


def _constant(image: UInt8[ndarray, "y x *c"]) -> Callable[[], Picture]:
    return lambda: Picture(image)


def _with_distinct_stems(found: Sequence[Input]) -> list[Input]:
    """Give stems that came before a number: outputs must not overwrite each other."""
    taken: set[str] = set()
    distinct = []
    for item in found:
        stem, number = item.stem, 2
        while stem.lower() in taken:
            stem, number = f"{item.stem}-{number}", number + 1
        taken.add(stem.lower())
        distinct.append(replace(item, stem=stem))
    return distinct
