"""Which attributes an object must have: their Type in its IOD, as highdicom tabulates PS3.3."""

import json
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

_STRICTEST: Final = ("1", "1C", "2", "2C", "3", "None")

_Place = tuple[tuple[str, ...], str]  # keywords of the sequences around it, its own


@cache
def _standard(name: str) -> Mapping[str, Any]:  # JSON, laid out as highdicom does
    content = pkgutil.get_data("highdicom", f"_standard/{name}.json")
    loaded: Mapping[str, Any] = json.loads(content or b"{}")
    return loaded


@cache
def _types_of_iod(sop_class: str) -> Mapping[_Place, str]:
    """Return the strictest Type of each attribute over the modules of an IOD."""
    iod = _standard("sop_class_iod_map").get(sop_class)
    modules = _standard("iod_module_map").get(str(iod), [])
    types: dict[_Place, str] = {}
    for module in modules:
        for entry in _standard("module_attribute_map").get(module["key"], []):
            place = (tuple(entry["path"]), entry["keyword"])
            types[place] = min(types.get(place, "3"), str(entry["type"]), key=_STRICTEST.index)
    return types


@cache
def _types_anywhere() -> Mapping[tuple[str, str], str]:
    """Return the strictest Type of an attribute directly below a sequence, in any module."""
    types: dict[tuple[str, str], str] = {}
    for entries in _standard("module_attribute_map").values():
        for entry in entries:
            if entry["path"]:
                place = (entry["path"][-1], entry["keyword"])
                types[place] = min(
                    types.get(place, "3"), str(entry["type"]), key=_STRICTEST.index
                )
    return types


def type_of(sop_class: str, path: tuple[str, ...], keyword: str) -> str:
    """Return ``"1"``, ``"1C"``, ``"2"``, ``"2C"`` or ``"3"``; ``"3"`` where nothing is known.

    Within functional groups and other macros, which are not tabulated for each IOD, the Type
    is that below a sequence of the same name anywhere.
    """
    known = _types_of_iod(sop_class).get((path, keyword))
    if known is None and path:
        known = _types_anywhere().get((path[-1], keyword))
    return known if known in _STRICTEST[:4] else "3"
