"""nnU-Net raw data (Isensee 2021): versions 1 and 2, 2-D and 3-D, several channels, regions."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from medloop.core.errors import InputError
from medloop.learning.data.description import (
    TEST,
    CaseSource,
    Channel,
    Dataset,
    Kind,
    Mask,
    Task,
)
from medloop.learning.data.listing import (
    PICTURES,
    Json,
    images_in,
    inside,
    is_there,
    masks_alone,
    read_json,
)
from medloop.learning.data.pixels import is_stack

_CHANNEL: Final = re.compile(r"(.+)_(\d{4})")

Found = dict[str, dict[int, Path]]


def read_nnunet(root: Path) -> Dataset:
    """Read ``imagesTr``, ``labelsTr`` and, if there, ``imagesTs`` as `dataset.json` tells.

    ``"patients": {case: patient}``, which nnU-Net itself passes over, says whom cases show.
    Cases whose images or mask are missing are listed nevertheless; `check` names them.

    Raises
    ------
    InputError
        If `dataset.json` lacks channels or labels, or no image is named ``CASE_0000``.
    """
    header = read_json(root / "dataset.json")
    second = "channel_names" in header
    channels = numbered(header, "channel_names" if second else "modality")
    classes, ignored = label_classes(header)
    ending = str(header.get("file_ending", ".nii.gz"))
    cases = _cases(root / "imagesTr", ending, len(channels), _listed(header, root))
    if not cases:
        raise InputError(f"imagesTr holds no CASE_0000{ending}")
    cases += _cases(root / "imagesTs", ending, len(channels), {})
    patients = header.get("patients")
    whose = patients if isinstance(patients, Mapping) else {}
    return Dataset(
        name=str(header.get("name", root.name)),
        layout=f"nnU-Net raw data, version {2 if second else 1}",
        root=root,
        task=Task.SEGMENTATION,
        channels=channels,
        classes=classes,
        cases=tuple(
            replace(case, patient=str(whose.get(case.name, case.patient))) for case in cases
        ),
        ignored=ignored,
        remarks=fewer_than_stated(header, cases)
        + masks_alone(root / "labelsTr", _masks_of(cases)),
    )


def numbered(header: Json, key: str) -> tuple[str, ...]:
    """Return the names under ``{"0": name, "1": name, ...}`` in order.

    Raises
    ------
    InputError
        If they are absent or not numbered from 0.
    """
    names = header.get(key)
    if not isinstance(names, Mapping) or not names:
        raise InputError(f"dataset.json states no {key}")
    if set(names) != {str(n) for n in range(len(names))}:
        raise InputError(f"dataset.json: {key} are not numbered 0 to {len(names) - 1}")
    return tuple(str(names[str(n)]) for n in range(len(names)))


def label_classes(header: Json) -> tuple[Mapping[str, tuple[int, ...]], int | None]:
    """Return the values that make each class, and the value of pixels to ignore.

    Version 2 writes ``{name: value or [values]}``, version 1 and the Medical Segmentation
    Decathlon ``{"value": name}``.

    Raises
    ------
    InputError
        If there are none, or a value is no whole number.
    """
    labels = header.get("labels")
    if not isinstance(labels, Mapping) or not labels:
        raise InputError("dataset.json states no labels")
    pairs = [
        (str(name), key) if str(key).isdigit() else (str(key), name)
        for key, name in labels.items()
    ]
    classes: dict[str, tuple[int, ...]] = {}
    ignored = None
    for name, value in pairs:
        values = _whole(value, name)
        if name.lower() == "ignore":
            ignored = values[0]
        elif values != (0,):
            classes[name] = values
    return classes, ignored


def _whole(value: object, name: str) -> tuple[int, ...]:
    values = value if isinstance(value, list) and value else [value]
    try:
        return tuple(int(str(v)) for v in values)
    except ValueError as error:
        raise InputError(f"dataset.json: label {name} is {value}, no whole number") from error


def _found(folder: Path, ending: str) -> Found:
    """Group the files of a folder: case, then number of the channel."""
    found: Found = {}
    if not folder.is_dir():
        return found
    for path in images_in(folder):
        match = _CHANNEL.fullmatch(path.name[: -len(ending)])
        if match and path.name.endswith(ending):
            found.setdefault(match[1], {})[int(match[2])] = path
    return found


def _listed(header: Json, root: Path) -> Found:
    """Read the optional ``"dataset": {case: {"images": [...], "label": ...}}`` of version 2."""
    listed = header.get("dataset")
    if not isinstance(listed, Mapping):
        return {}
    return {
        str(name): {
            n: inside(root, str(f), "dataset.json") for n, f in enumerate(item["images"])
        }
        for name, item in listed.items()
        if isinstance(item, Mapping) and isinstance(item.get("images"), list)
    }


def _cases(folder: Path, ending: str, channels: int, listed: Found) -> list[CaseSource]:
    split, labels = ("", "labelsTr") if folder.name == "imagesTr" else (TEST, "labelsTs")
    cases = []
    for name, files in sorted((listed or _found(folder, ending)).items()):
        paths = _all_channels(files, folder / name, ending, channels)
        first = paths[0]
        is_flat = not is_stack(first) if is_there(first) else first.suffix == ".png"
        label = folder.parent / labels / f"{name}{ending}"
        cases.append(
            CaseSource(
                name,
                name,
                Kind.FLAT if is_flat else Kind.SOLID,
                tuple(Channel(path) for path in paths),
                Mask(label) if split != TEST or is_there(label) else None,
                split=split,
            )
        )
    return cases


def _masks_of(cases: list[CaseSource]) -> set[Path]:
    return {case.label.path for case in cases if isinstance(case.label, Mask)}


def _all_channels(
    files: dict[int, Path], stem: Path, ending: str, channels: int
) -> tuple[Path, ...]:
    """Return a path for each channel, there or not; one color picture stands for three."""
    if set(files) == {0} and channels == 3 and ending in PICTURES:
        return (files[0],)
    missing = {n: stem.with_name(f"{stem.name}_{n:04}{ending}") for n in range(channels)}
    return tuple(path for _, path in sorted((missing | files).items()))


def fewer_than_stated(header: Json, cases: list[CaseSource]) -> tuple[str, ...]:
    """Remark on a number of training cases that is not the one stated."""
    stated = header.get("numTraining")
    there = sum(case.split != TEST for case in cases)
    if isinstance(stated, int) and stated != there:
        return (f"dataset.json promises {stated} training cases; {there} are there",)
    return ()
