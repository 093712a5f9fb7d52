"""A stored object as DICOM JSON (PS3.18 F.2), large binary values as addresses."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pydicom

from medloop.core.errors import InputError
from medloop.dicom.damage import damage
from medloop.dicom.deflate import open_inflated
from medloop.dicom.foreign import DICOM_ERRORS, quiet

INLINE_BYTES: Final = 1024  # binary values up to here stand in the JSON itself
_ROOT: Final = "medloop:"  # stands for the address of the server, which is not known yet
_CHARSET, _PIXELS = "00080005", "7FE00010"
_TRAILING: Final = "FFFCFFFC"


def metadata_of(path: Path) -> bytes:
    """Return one object as a line of DICOM JSON; addresses begin at a root to be put in.

    Raises
    ------
    InputError
        If the file is no readable DICOM object.
    """
    with quiet():
        try:
            with open_inflated(path) as file:
                dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True)
            found = _readable(dataset)
            place = _place(dataset)
            has_pixels = "Rows" in dataset and "Columns" in dataset
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}") from error
        except DICOM_ERRORS as error:
            raise InputError(f"DICOM file is damaged: {damage(error)}") from error
    cleaned = _cleaned(found, f"{_ROOT}{place}/bulkdata")
    if _CHARSET in cleaned:
        cleaned[_CHARSET] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    if has_pixels:
        cleaned[_PIXELS] = {"vr": "OW", "BulkDataURI": f"{_ROOT}{place}/bulkdata/{_PIXELS}"}
    return json.dumps(cleaned, ensure_ascii=False, separators=(",", ":")).encode()


def with_root(line: bytes, root: str) -> bytes:
    """Put the address of the server in."""
    key = b'"BulkDataURI":"'
    return line.replace(key + _ROOT.encode(), key + json.dumps(root)[1:-1].encode())


def _readable(dataset: pydicom.Dataset) -> dict[str, Any]:
    """Write each element as JSON, and leave out what cannot be read.

    pydicom has a switch for this that makes the whole process strict for the while; with two
    threads it may stay so.
    """
    found = {}
    for tag in dataset.keys():  # noqa: SIM118 - a data set yields elements, and reads them
        try:
            element = dataset[tag]
            found[f"{tag:08X}"] = element.to_json_dict(None, 1 << 40)
        except DICOM_ERRORS:
            continue
    return found


def _place(dataset: pydicom.Dataset) -> str:
    study, series, uid = (
        str(dataset.get(name) or "0")
        for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    )
    return f"/studies/{study}/series/{series}/instances/{uid}"


def _cleaned(elements: Mapping[str, Any], place: str) -> dict[str, Any]:
    return {
        tag: _element(element, f"{place}/{tag}")
        for tag, element in elements.items()
        if not tag.endswith("0000") and tag != _TRAILING
    }


def _element(element: Mapping[str, Any], place: str) -> dict[str, Any]:
    vr = element["vr"]
    if vr == "SQ":
        items = [
            _cleaned(item, f"{place}/{index}")
            for index, item in enumerate(element.get("Value") or ())
        ]
        return {"vr": vr, "Value": items} if items else {"vr": vr}
    inline = element.get("InlineBinary")
    if inline is not None and len(inline) > INLINE_BYTES * 4 // 3:
        return {"vr": vr, "BulkDataURI": place}
    if inline is not None:
        return {"vr": vr, "InlineBinary": inline} if inline else {"vr": vr}
    values = element.get("Value")
    return {"vr": vr, "Value": [_sane(value) for value in values]} if values else {"vr": vr}


def _sane(value: object) -> object:
    """JSON has no words for what is no finite number (PS3.18 F.2.5 has)."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def bulk_data(dataset: pydicom.Dataset, place: str) -> bytes:
    """Return the binary value at a place such as ``00420011`` or ``00081115/0/00420011``.

    Raises
    ------
    InputError
        If there is none.
    """
    *way, last = place.split("/")
    try:
        for tag, index in zip(way[::2], way[1::2], strict=True):
            dataset = dataset[int(tag, 16)].value[int(index)]
        value: object = dataset[int(last, 16)].value
    except (*DICOM_ERRORS, OverflowError) as error:
        raise InputError("no such bulk data in this object") from error
    if not isinstance(value, bytes):
        raise InputError("no such bulk data in this object")
    return value
