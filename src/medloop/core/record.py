"""A result as the plain values that result.json holds, and back.

The same result gives the same bytes but for ``timings_s`` and ``finished``, which stand last.
Numbers keep six significant digits; what is not finite becomes null, and a place that is not
finite is left out.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from medloop.core.code import Code
from medloop.core.errors import InputError
from medloop.core.finding import (
    Assessment,
    Box,
    Finding,
    Measurement,
    Provenance,
    Result,
    Tracking,
    Weights,
)
from medloop.core.study import Notice, SopUid, Study, StudyUid

SCHEMA = "medloop.result/1"
STAGES = ("read", "prepare", "infer", "post", "write")

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
Record = dict[str, Plain]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a record says: the result without label maps and heat maps, and what it is about."""

    study: StudyUid
    source: str
    result: Result


def to_record(result: Result, study: Study, source: str) -> Record:
    """Return the record of a result; `source` is the file or folder a person would name.

    Raises
    ------
    ValueError
        If the time of the result has no zone.
    """
    made = result.provenance
    if made.finished.tzinfo is None:
        raise ValueError(f"finished has no time zone: {made.finished}")
    main = made.weights[0] if made.weights else None
    timings = {stage: result.timings_s.get(stage, 0.0) for stage in STAGES} | dict(
        result.timings_s
    )
    return {
        "schema": SCHEMA,
        "study": {"uid": str(study.uid), "source": source},
        "inputs": {"sha256": made.input_sha256, "instances": [str(uid) for uid in made.inputs]},
        "analysis": {
            "name": made.analysis,
            "version": made.version,
            "bundle": main.bundle if main else None,
            "weights_sha256": main.sha256 if main else None,
        },
        "bundles": [
            {
                "bundle": used.bundle,
                "version": used.version,
                "weights_sha256": used.sha256,
                "precision": used.precision,
            }
            for used in made.weights
        ],
        "findings": [_finding(finding) for finding in result.findings],
        "assessments": {scale: _plain(value) for scale, value in result.assessments.items()},
        "warnings": [
            {
                "code": notice.code,
                "text": notice.text,
                "values": {name: _plain(value) for name, value in notice.values},
            }
            for notice in result.warnings
        ],
        "timings_s": {stage: _plain(seconds) for stage, seconds in timings.items()},
        "finished": made.finished.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }


def to_json(record: Record) -> str:
    """Write a record as JSON text: UTF-8, two-space indents, a newline at the end."""
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str) -> Record:
    """Read JSON text back into a record.

    Raises
    ------
    InputError
        If the text is not a JSON object of this schema.
    """
    try:
        record = json.loads(text)
    except ValueError as error:
        raise InputError("result is not JSON") from error
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise InputError(f"result has schema {schema!r}, expected {SCHEMA!r}")
    return record


def from_record(record: Record) -> Recorded:
    """Return what a record says, without the pixels that it never held.

    Raises
    ------
    InputError
        If a part is missing or of the wrong kind.
    """
    if record.get("schema") != SCHEMA:
        raise InputError(f"result has schema {record.get('schema')!r}, expected {SCHEMA!r}")
    try:
        study, assessments = _dict(record, "study"), _dict(record, "assessments")
        result = Result(
            provenance=_to_provenance(record),
            findings=tuple(_to_finding(finding) for finding in _dicts(record, "findings")),
            assessments={scale: _to_assessment(value) for scale, value in assessments.items()},
            warnings=tuple(_to_notice(notice) for notice in _dicts(record, "warnings")),
            timings_s={stage: _number(s) for stage, s in _dict(record, "timings_s").items()},
        )
        return Recorded(StudyUid(_text(study, "uid")), _text(study, "source"), result)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"result lacks or misstates a part: {error}") from error


def _plain(value: object) -> Plain:
    """Return what JSON can hold, rounded; numpy's numbers become Python's."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}") + 0.0 if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    raise ValueError(f"a record cannot hold a {type(value).__name__}")


def _code(code: Code) -> Plain:
    return {"scheme": code.scheme, "value": code.value, "meaning": code.meaning}


def _finding(finding: Finding) -> Plain:
    plain: Record = {
        "concept": _code(finding.concept),
        "site": _code(finding.site) if finding.site else None,
        "measurements": [
            {
                "name": measured.concept.meaning,
                "concept": _code(measured.concept),
                "value": _plain(measured.value),
                "unit": measured.unit,
            }
            for measured in finding.measurements
        ],
        "probability": _plain(finding.probability),
    }
    for key, place in (
        ("center_lps_mm", finding.center_lps_mm),
        ("center_px", finding.center_px),
    ):
        if place is not None and all(math.isfinite(x) for x in place):
            plain[key] = _plain(place)
    box = finding.box
    if box is not None and all(math.isfinite(x) for x in (*box.low, *box.high)):
        plain["box"] = {"low": _plain(box.low), "high": _plain(box.high)}
    if finding.segment is not None:
        plain["segment"] = int(finding.segment)
    if finding.tracking is not None:
        plain["tracking"] = {"name": finding.tracking.name, "uid": finding.tracking.uid}
    return plain


def _to_weights(used: Record) -> Weights:
    precision = _text(used, "precision") if "precision" in used else "fp32"
    sha256 = _text(used, "weights_sha256")
    return Weights(_text(used, "bundle"), _text(used, "version"), sha256, precision)


def _to_provenance(record: Record) -> Provenance:
    analysis, inputs = _dict(record, "analysis"), _dict(record, "inputs")
    return Provenance(
        analysis=_text(analysis, "name"),
        version=_text(analysis, "version"),
        weights=tuple(_to_weights(used) for used in _dicts(record, "bundles")),
        inputs=tuple(SopUid(str(uid)) for uid in _list(inputs, "instances")),
        input_sha256=_text(inputs, "sha256"),
        finished=datetime.fromisoformat(_text(record, "finished")),
    )


def _to_finding(plain: Record) -> Finding:
    box = _dict(plain, "box") if "box" in plain else None
    segment, probability = plain.get("segment"), plain["probability"]
    named = _dict(plain, "tracking") if "tracking" in plain else None
    return Finding(
        concept=_to_code(_dict(plain, "concept")),
        site=None if plain["site"] is None else _to_code(_dict(plain, "site")),
        measurements=tuple(
            Measurement(
                concept=_to_code(_dict(measured, "concept")),
                value=_number(measured["value"]),
                unit=_text(measured, "unit"),
            )
            for measured in _dicts(plain, "measurements")
        ),
        probability=None if probability is None else _number(probability),
        center_lps_mm=_point3(plain["center_lps_mm"]) if "center_lps_mm" in plain else None,
        center_px=_point2(plain["center_px"]) if "center_px" in plain else None,
        box=Box(_numbers(box["low"]), _numbers(box["high"])) if box else None,
        segment=None if segment is None else int(_number(segment)),
        tracking=Tracking(_text(named, "name"), _text(named, "uid")) if named else None,
    )


def _to_code(plain: Record) -> Code:
    return Code(_text(plain, "scheme"), _text(plain, "value"), _text(plain, "meaning"))


def _to_notice(plain: Record) -> Notice:
    values = tuple(
        (name, math.nan if value is None else value)
        for name, value in _dict(plain, "values").items()
        if value is None or isinstance(value, str | int | float)
    )
    return Notice(_text(plain, "code"), _text(plain, "text"), values)


def _to_assessment(plain: Plain) -> Assessment:
    if isinstance(plain, list):
        return _numbers(plain)
    if isinstance(plain, dict):
        return {key: str(value) for key, value in plain.items()}
    return plain


def _number(plain: Plain) -> float:
    if plain is None:
        return math.nan
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        raise TypeError(f"{type(plain).__name__} where a number belongs")
    return float(plain)


def _numbers(plain: Plain) -> tuple[float, ...]:
    if not isinstance(plain, list):
        raise TypeError(f"{type(plain).__name__} where numbers belong")
    return tuple(_number(item) for item in plain)


def _point2(plain: Plain) -> tuple[float, float]:
    x, y = _numbers(plain)
    return x, y


def _point3(plain: Plain) -> tuple[float, float, float]:
    x, y, z = _numbers(plain)
    return x, y, z


def _dict(plain: Record, key: str) -> Record:
    found = plain[key]
    if not isinstance(found, dict):
        raise TypeError(f"{key} is not an object")
    return found


def _list(plain: Record, key: str) -> list[Plain]:
    found = plain[key]
    if not isinstance(found, list):
        raise TypeError(f"{key} is not a list")
    return found


def _dicts(plain: Record, key: str) -> list[Record]:
    found = _list(plain, key)
    objects = [item for item in found if isinstance(item, dict)]
    if len(objects) != len(found):
        raise TypeError(f"{key} holds something that is not an object")
    return objects


def _text(plain: Record, key: str) -> str:
    found = plain[key]
    if not isinstance(found, str):
        raise TypeError(f"{key} is not text")
    return found
