"""Values as JSON holds them: findings, codes and segments, and back.

Numbers keep six significant digits; what is not finite becomes null, and a place that is not
finite is left out.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from medloop.core.code import Code
from medloop.core.finding import Assessment, Box, Finding, Measurement, Tracking
from medloop.core.image import Segment

if TYPE_CHECKING:
    Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
else:
    Plain = object  # what checks types at run time cannot follow a type into itself
Record = dict[str, Plain]


def to_plain(value: object) -> Plain:
    """Return what JSON can hold, rounded; numpy's numbers become Python's."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}") + 0.0 if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [to_plain(item) for item in value]
    raise ValueError(f"a record cannot hold a {type(value).__name__}")


def code_to_plain(code: Code) -> Plain:
    """Describe a coded concept."""
    return {"scheme": code.scheme, "value": code.value, "meaning": code.meaning}


def finding_to_plain(finding: Finding) -> Record:
    """Describe a finding."""
    plain: Record = {
        "concept": code_to_plain(finding.concept),
        "site": code_to_plain(finding.site) if finding.site else None,
        "measurements": [
            {
                "name": measured.concept.meaning,
                "concept": code_to_plain(measured.concept),
                "value": to_plain(measured.value),
                "unit": measured.unit,
            }
            for measured in finding.measurements
        ],
        "probability": to_plain(finding.probability),
    }
    for key, place in (
        ("center_lps_mm", finding.center_lps_mm),
        ("center_px", finding.center_px),
    ):
        if place is not None and all(math.isfinite(x) for x in place):
            plain[key] = to_plain(place)
    box = finding.box
    if box is not None and all(math.isfinite(x) for x in (*box.low, *box.high)):
        plain["box"] = {"low": to_plain(box.low), "high": to_plain(box.high)}
    if finding.segment is not None:
        plain["segment"] = int(finding.segment)
    if finding.tracking is not None:
        plain["tracking"] = {"name": finding.tracking.name, "uid": finding.tracking.uid}
    return plain


def finding_from_plain(plain: Record) -> Finding:
    """Read a finding.

    Raises
    ------
    KeyError, TypeError, ValueError
        If a part is missing or of the wrong kind.
    """
    box = dict_in(plain, "box") if "box" in plain else None
    segment, probability = plain.get("segment"), plain["probability"]
    named = dict_in(plain, "tracking") if "tracking" in plain else None
    return Finding(
        concept=code_from_plain(dict_in(plain, "concept")),
        site=None if plain["site"] is None else code_from_plain(dict_in(plain, "site")),
        measurements=tuple(
            Measurement(
                concept=code_from_plain(dict_in(measured, "concept")),
                value=number_of(measured["value"]),
                unit=text_in(measured, "unit"),
            )
            for measured in dicts_in(plain, "measurements")
        ),
        probability=None if probability is None else number_of(probability),
        center_lps_mm=_point3(plain["center_lps_mm"]) if "center_lps_mm" in plain else None,
        center_px=_point2(plain["center_px"]) if "center_px" in plain else None,
        box=Box(numbers_of(box["low"]), numbers_of(box["high"])) if box else None,
        segment=None if segment is None else int(number_of(segment)),
        tracking=Tracking(text_in(named, "name"), text_in(named, "uid")) if named else None,
    )


def code_from_plain(plain: Record) -> Code:
    """Read a coded concept; raises as `finding_from_plain`."""
    return Code(text_in(plain, "scheme"), text_in(plain, "value"), text_in(plain, "meaning"))


def segment_to_plain(number: int, segment: Segment) -> Record:
    """Describe what a label stands for; its color as ``#rrggbb``."""
    return {
        "number": int(number),
        "name": segment.name,
        "category": code_to_plain(segment.category),
        "concept": code_to_plain(segment.concept),
        "site": code_to_plain(segment.site) if segment.site else None,
        "color": f"#{bytes(segment.color).hex()}",
    }


def segment_from_plain(plain: Record) -> tuple[int, Segment]:
    """Read what a label stands for; raises as `finding_from_plain`."""
    number, color = plain["number"], bytes.fromhex(text_in(plain, "color").removeprefix("#"))
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError("number of a segment is not a whole number from 1 on")
    if len(color) != 3:
        raise ValueError("color is not #rrggbb")
    site = None if plain.get("site") is None else code_from_plain(dict_in(plain, "site"))
    category, concept = (
        code_from_plain(dict_in(plain, key)) for key in ("category", "concept")
    )
    rgb = (color[0], color[1], color[2])
    return number, Segment(text_in(plain, "name"), category, concept, rgb, site)


def assessment_from_plain(plain: Plain) -> Assessment:
    """Read what an assessment holds; raises `TypeError` for a list of what is no number."""
    if isinstance(plain, list):
        return numbers_of(plain)
    if isinstance(plain, dict):
        return {key: str(value) for key, value in plain.items()}
    return plain


def number_of(plain: Plain) -> float:
    """Read a number, null as NaN, or raise `TypeError`."""
    if plain is None:
        return math.nan
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        raise TypeError(f"{type(plain).__name__} where a number belongs")
    return float(plain)


def numbers_of(plain: Plain) -> tuple[float, ...]:
    """Read a list of numbers, or raise `TypeError`."""
    if not isinstance(plain, list):
        raise TypeError(f"{type(plain).__name__} where numbers belong")
    return tuple(number_of(item) for item in plain)


def _point2(plain: Plain) -> tuple[float, float]:
    x, y = numbers_of(plain)
    return x, y


def _point3(plain: Plain) -> tuple[float, float, float]:
    x, y, z = numbers_of(plain)
    return x, y, z


def dict_in(plain: Record, key: str) -> Record:
    """Look an object up, or raise `KeyError` or `TypeError`, as the next three do."""
    found = plain[key]
    if not isinstance(found, dict):
        raise TypeError(f"{key} is not an object")
    return found


def list_in(plain: Record, key: str) -> list[Plain]:
    """Look a list up."""
    found = plain[key]
    if not isinstance(found, list):
        raise TypeError(f"{key} is not a list")
    return found


def dicts_in(plain: Record, key: str) -> list[Record]:
    """Look a list of objects up."""
    found = list_in(plain, key)
    objects = [item for item in found if isinstance(item, dict)]
    if len(objects) != len(found):
        raise TypeError(f"{key} holds something that is not an object")
    return objects


def text_in(plain: Record, key: str) -> str:
    """Look a text up."""
    found = plain[key]
    if not isinstance(found, str):
        raise TypeError(f"{key} is not text")
    return found
