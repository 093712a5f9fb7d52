"""Which layout a folder has, by what is in it."""

from pathlib import Path

from medloop.core.errors import InputError
from medloop.learning.data.coco import read_coco
from medloop.learning.data.decathlon import read_decathlon
from medloop.learning.data.description import Dataset
from medloop.learning.data.dicom_series import is_dicom, read_dicom
from medloop.learning.data.folders import read_class_folders, read_pairs
from medloop.learning.data.listing import read_json
from medloop.learning.data.luna import COLUMNS, read_luna
from medloop.learning.data.medmnist import read_medmnist
from medloop.learning.data.nnunet import read_nnunet
from medloop.learning.data.openkbp import is_openkbp, read_openkbp
from medloop.learning.data.table import read_table

_KNOWN = (
    "nnU-Net raw (imagesTr, dataset.json), Medical Segmentation Decathlon (dataset.json),"
    " a table (.csv with image, label), LUNA's table, COCO (.json), MedMNIST (.npz),"
    " images beside labels or masks, a folder a class, OpenKBP, DICOM with SEG or RTSTRUCT"
)


def open_dataset(path: Path) -> Dataset:
    """Recognize a data set's layout by content and describe it; `Dataset.layout` says which.

    `path` is the data set's folder, or its table, ``dataset.json`` or ``.npz``.

    Raises
    ------
    InputError
        If nothing that is known is there, or it is damaged; the message names the file.
    """
    if path.is_file():
        return _file(path)
    if not path.is_dir():
        raise InputError(f"{path} is not there")
    for name in ("dataset.json", "labels.csv"):
        if _is_decisive(path / name):
            return _file(path / name)
    tables = [*sorted(path.glob("*.csv")), *sorted(path.glob("CSVFILES/*.csv"))]
    table = next((table for table in tables if table.is_file() and _is_table(table)), None)
    if table is not None:
        return _table(table, path)
    objects = _coco_tables(path)
    if objects:
        return read_coco(objects, path)
    if (path / "images").is_dir() and any((path / n).is_dir() for n in ("labels", "masks")):
        return read_pairs(path)
    return _by_files(path)


def _file(path: Path) -> Dataset:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return read_medmnist(path)
    if suffix == ".csv":
        return _table(path, path.parent)
    if suffix == ".json":
        header = read_json(path)
        if "annotations" in header:
            return read_coco((path,), path.parent)
        if "training" in header and not _has_numbered_channels(path.parent):
            return read_decathlon(path.parent)
        return read_nnunet(path.parent)
    raise InputError(f"{path.name} is no data set; known are {_KNOWN}")


def _table(table: Path, root: Path) -> Dataset:
    return read_luna(table, root) if set(COLUMNS) <= _heading(table) else read_table(table)


def _has_numbered_channels(root: Path) -> bool:
    """Whether images are named CASE_0000: nnU-Net, whose version 1 lists them as well."""
    return any((root / "imagesTr").glob("*_0000.*"))


def _is_decisive(path: Path) -> bool:
    """Whether a file describes the whole folder; a `dataset.json` may only name classes."""
    if not path.is_file():
        return False
    if path.suffix == ".csv":
        return _is_table(path)
    return bool({"training", "annotations"} & set(read_json(path))) or (
        path.with_name("imagesTr").is_dir()
    )


def _by_files(path: Path) -> Dataset:
    if is_openkbp(path):
        return read_openkbp(path)
    packed = sorted(path.glob("*.npz"))
    if len(packed) == 1:
        return read_medmnist(packed[0])
    if len(packed) > 1:
        raise InputError(f"{path.name} holds {len(packed)} .npz files; give one of them")
    first = next((f for f in sorted(path.rglob("*")) if f.is_file() and is_dicom(f)), None)
    if first is not None:
        return read_dicom(path)
    try:
        return read_class_folders(path)
    except InputError as error:
        raise InputError(f"{path.name} has no known layout; known are {_KNOWN}") from error


def _heading(table: Path) -> set[str]:
    with table.open(encoding="utf-8-sig", errors="replace") as lines:
        return {name.strip().strip('"').lower() for name in lines.readline().split(",")}


def _is_table(table: Path) -> bool:
    columns = _heading(table)
    has_both = all(
        any(c == name or c.startswith(f"{name}_") for c in columns)
        for name in ("image", "label")
    )
    return has_both or set(COLUMNS) <= columns


def _coco_tables(path: Path) -> tuple[Path, ...]:
    found = []
    for table in [*sorted(path.glob("*.json")), *sorted(path.glob("annotations/*.json"))]:
        try:
            header = read_json(table)
        except InputError:
            continue
        if {"images", "annotations", "categories"} <= set(header):
            found.append(table)
    return tuple(found)
