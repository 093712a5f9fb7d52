"""A result as the plain values that result.json holds, and back.

The same result gives the same bytes but for ``timings_s`` and ``finished``, which stand last.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from medloop.core.errors import InputError
from medloop.core.finding import (
    Provenance,
    Result,
    Weights,
)
from medloop.core.image import Segment
from medloop.core.plain import (
    Plain,
    Record,
    assessment_from_plain,
    dict_in,
    dicts_in,
    finding_from_plain,
    finding_to_plain,
    list_in,
    number_of,
    segment_from_plain,
    segment_to_plain,
    text_in,
    to_plain,
)
from medloop.core.signed import attestation_from_plain, attestation_to_plain
from medloop.core.study import Notice, SopUid, Study, StudyUid

__all__ = [
    "SCHEMA",
    "STAGES",
    "Plain",
    "Record",
    "Recorded",
    "from_json",
    "from_record",
    "to_json",
    "to_record",
]

SCHEMA = "medloop.result/1"
STAGES = ("read", "prepare", "infer", "post", "write")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a record says: the result without label maps and heat maps, and what it is about.

    `segments` are what the labels stand for; None where an earlier version wrote the record.
    """

    study: StudyUid
    source: str
    result: Result
    segments: Mapping[int, Segment] | None = None


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
    labels = result.labels.segments.items() if result.labels is not None else ()
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
        "findings": [finding_to_plain(finding) for finding in result.findings],
        "assessments": {scale: to_plain(value) for scale, value in result.assessments.items()},
        "segments": [segment_to_plain(number, segment) for number, segment in labels],
        "warnings": [
            {
                "code": notice.code,
                "text": notice.text,
                "values": {name: to_plain(value) for name, value in notice.values},
            }
            for notice in result.warnings
        ],
        **({"signed": attestation_to_plain(made.attested)} if made.attested else {}),
        "timings_s": {stage: to_plain(seconds) for stage, seconds in timings.items()},
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
        study, assessments = dict_in(record, "study"), dict_in(record, "assessments")
        result = Result(
            provenance=_to_provenance(record),
            findings=tuple(
                finding_from_plain(finding) for finding in dicts_in(record, "findings")
            ),
            assessments={
                scale: assessment_from_plain(value) for scale, value in assessments.items()
            },
            warnings=tuple(_to_notice(notice) for notice in dicts_in(record, "warnings")),
            timings_s={
                stage: number_of(s) for stage, s in dict_in(record, "timings_s").items()
            },
        )
        segments = None
        if "segments" in record:
            segments = dict(segment_from_plain(each) for each in dicts_in(record, "segments"))
        return Recorded(
            StudyUid(text_in(study, "uid")), text_in(study, "source"), result, segments
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"result lacks or misstates a part: {error}") from error


def _to_weights(used: Record) -> Weights:
    precision = text_in(used, "precision") if "precision" in used else "fp32"
    sha256 = text_in(used, "weights_sha256")
    return Weights(text_in(used, "bundle"), text_in(used, "version"), sha256, precision)


def _to_provenance(record: Record) -> Provenance:
    analysis, inputs = dict_in(record, "analysis"), dict_in(record, "inputs")
    return Provenance(
        analysis=text_in(analysis, "name"),
        version=text_in(analysis, "version"),
        weights=tuple(_to_weights(used) for used in dicts_in(record, "bundles")),
        inputs=tuple(SopUid(str(uid)) for uid in list_in(inputs, "instances")),
        input_sha256=text_in(inputs, "sha256"),
        finished=datetime.fromisoformat(text_in(record, "finished")),
        attested=attestation_from_plain(dict_in(record, "signed"))
        if "signed" in record
        else None,
    )


def _to_notice(plain: Record) -> Notice:
    values = tuple(
        (name, math.nan if value is None else value)
        for name, value in dict_in(plain, "values").items()
        if value is None or isinstance(value, str | int | float)
    )
    return Notice(text_in(plain, "code"), text_in(plain, "text"), values)
