"""What the loaders share: reading JSON and finding the files of a folder."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from medloop.core.errors import FOREIGN_ERRORS, InputError

PICTURES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
VOLUMES: Final = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd")

Json = Mapping[str, object]


def read_json(path: Path) -> Json:
    """Read a JSON object.

    Raises
    ------
    InputError
        If the file is missing, damaged, or not an object.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except FOREIGN_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise InputError(f"{path.name} is no readable JSON: {reason}") from error
    if not isinstance(data, dict):
        raise InputError(f"{path.name} holds a {type(data).__name__}, not an object")
    return data


def items_of(data: Json, key: str, where: str) -> list[Json]:
    """Return a list of objects; empty if the key is absent.

    Raises
    ------
    InputError
        If it is anything else.
    """
    found = data.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise InputError(f"{where}: {key} is no list of objects")
    return found


def images_in(folder: Path) -> tuple[Path, ...]:
    """List the pictures and volumes directly in a folder, sorted; hidden files are not seen."""
    return tuple(
        sorted(
            path
            for path in folder.iterdir()
            if path.name.lower().endswith(PICTURES + VOLUMES)
            and not path.name.startswith(".")
            and path.is_file()
        )
    )


def stem_of(path: Path) -> str:
    """Return the name without its ending: ``scan`` of ``scan.nii.gz``."""
    name = path.name
    for ending in PICTURES + VOLUMES:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem


def masks_alone(folder: Path, used: Collection[Path]) -> tuple[str, ...]:
    """Remark on the masks in a folder that belong to no image."""
    alone = [p.name for p in images_in(folder) if p not in used] if folder.is_dir() else []
    if not alone:
        return ()
    more = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
    return (f"{folder.name} holds masks without an image: {', '.join(alone[:3])}{more}",)


def is_there(path: Path) -> bool:
    """Whether a file is there; names that no file can have are not."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def inside(root: Path, name: str, where: str) -> Path:
    """Resolve a name that a data set gives for one of its files.

    Raises
    ------
    InputError
        If it is no name, or leads out of the folder.
    """
    if not Path(name).name or not name.isprintable():
        raise InputError(f"{where}: {name[:80]!r} is no name of a file")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(f"{where}: {name} lies outside the data set's folder")
    return root / name
