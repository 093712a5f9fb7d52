"""The DICOM objects of a result folder, in the order in which a PACS should get them."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom import dcmread

from medloop.core.errors import InputError, UnsuitableError
from medloop.dicom.foreign import DICOM_ERRORS, quiet

# What others refer to goes first, reports last: a viewer opened meanwhile finds all of them.
ORDER: Final = ("photograph", "seg", "rtstruct", "heatmap", "overlay", "sr", "report")


@dataclass(frozen=True, slots=True)
class Product:
    """One object on disk; `syntax` is its Transfer Syntax UID."""

    path: Path
    uid: str
    sop_class: str
    syntax: str

    @property
    def name(self) -> str:
        """Name of its file."""
        return self.path.name


def products_in(folder: Path, wanted: Collection[str] = ()) -> tuple[Product, ...]:
    """List the objects of a result folder; `wanted` names some of them (``"sr"``), or all.

    Raises
    ------
    UnsuitableError
        If there is none.
    InputError
        If the folder is gone, or a file is none of DICOM.
    """
    if not folder.is_dir():
        raise InputError("the folder of the result is gone")
    found = [path for path in folder.glob("*.dcm") if not wanted or path.stem in wanted]
    if not found:
        raise UnsuitableError("the result has no DICOM object for it")
    return tuple(_product(path) for path in sorted(found, key=_rank))


def _rank(path: Path) -> tuple[int, str]:
    known = ORDER.index(path.stem) if path.stem in ORDER else 0
    return known, path.name


def _product(path: Path) -> Product:
    try:
        with quiet():
            header = dcmread(path, specific_tags=["SOPClassUID", "SOPInstanceUID"])
            return Product(
                path=path,
                uid=str(header.SOPInstanceUID),
                sop_class=str(header.SOPClassUID),
                syntax=str(header.file_meta.TransferSyntaxUID),
            )
    except DICOM_ERRORS as error:
        raise InputError(f"{path.name} is no DICOM file") from error
