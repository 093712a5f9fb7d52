"""What a folder does not state and its files have to tell: kind, channels, classes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from medloop.core.errors import InputError
from medloop.files.nifti_channels import read_nifti_header
from medloop.learning.data.description import CaseSource, Channel, Dataset, Kind, Mask, Task
from medloop.learning.data.listing import read_json
from medloop.learning.data.nnunet import label_classes
from medloop.learning.data.pixels import is_stack, read_grid_array, read_image

MOST_CLASSES: Final = 64

Classes = Mapping[str, tuple[int, ...]]


def kind_of(path: Path) -> Kind:
    """Say whether a file is a picture; one that cannot be read counts by its name."""
    try:
        return Kind.SOLID if is_stack(path) else Kind.FLAT
    except InputError:
        return Kind.SOLID if ".nii" in path.name else Kind.FLAT


def channels_in(path: Path) -> tuple[Channel, ...]:
    """Return the channels of one file: several where a NIfTI has a fourth axis."""
    try:
        count = read_nifti_header(path).channels if ".nii" in path.name else 1
    except InputError:
        count = 1  # check names it
    if count == 1:
        return (Channel(path),)
    return tuple(Channel(path, index=c) for c in range(count))


def channels_of(cases: Sequence[CaseSource]) -> tuple[str, ...]:
    """Name the channels by the first case that can be read: gray, color, or numbered."""
    for case in cases:
        if len(case.channels) > 1:
            return tuple(f"image_{n}" for n in range(len(case.channels)))
        try:
            count = len(read_image(case).array)
        except InputError:
            continue  # check names it
        return ("red", "green", "blue") if count == 3 else ("image",)
    return ("image",)


def unique(cases: Sequence[CaseSource]) -> tuple[CaseSource, ...]:
    """Add a number to each name that was given before."""
    seen: dict[str, int] = {}
    named = []
    for case in cases:
        times = seen[case.name] = seen.get(case.name, 0) + 1
        named.append(case if times == 1 else replace(case, name=f"{case.name} ({times})"))
    return tuple(named)


def segmentation(root: Path, layout: str, cases: tuple[CaseSource, ...]) -> Dataset:
    """Describe images with masks; classes as `dataset.json` or else the masks have them.

    Raises
    ------
    InputError
        If `dataset.json` is damaged, or the masks hold too many values.
    """
    classes, ignored, remarks = _classes(root, cases)
    return Dataset(
        name=root.name,
        layout=layout,
        root=root,
        task=Task.SEGMENTATION,
        channels=channels_of(cases),
        classes=classes,
        cases=cases,
        ignored=ignored,
        remarks=remarks,
    )


def _classes(
    root: Path, cases: Sequence[CaseSource]
) -> tuple[Classes, int | None, tuple[str, ...]]:
    if (root / "dataset.json").is_file():
        return (*label_classes(read_json(root / "dataset.json")), ())
    values: set[float] = set()
    for case in cases:
        if not isinstance(case.label, Mask):
            continue
        try:
            array, _ = read_grid_array(case.label.path)
        except InputError:
            continue  # check names it
        values |= set(np.unique(array).tolist())
        if len(values) > MOST_CLASSES:
            raise InputError(
                f"masks hold over {MOST_CLASSES} values; write their classes to dataset.json:"
                ' {"labels": {"background": 0, "name": 1}}'
            )
    found = sorted(int(v) for v in values if v)
    remark = f"no dataset.json names the classes; masks hold {', '.join(map(str, found))}"
    return {str(value): (value,) for value in found}, None, (remark,)
