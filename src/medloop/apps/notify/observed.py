"""A result as single observations, which HL7 v2 and FHIR both send: concept, value, unit."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from medloop.core.code import Code
from medloop.core.errors import InputError
from medloop.core.finding import Assessment, Finding
from medloop.core.record import Recorded, from_json, from_record
from medloop.dicom.codes import (
    CONCEPTS,
    NO,
    PROBABILITY,
    SCALES,
    YES,
    concept_of,
    dcm,
    fits_code,
    grade_code,
    unit_of,
)

FINDING = dcm("121071", "Finding")
COMMENT = dcm("121106", "Comment")
CONCLUSION = dcm("121077", "Conclusion")
ADDENDUM = Code("LN", "55107-7", "Addendum Document")
SITE = Code("SCT", "363698007", "Finding Site")


@dataclass(frozen=True, slots=True)
class Observed:
    """One statement; `unit` is UCUM where the value is a number."""

    concept: Code
    value: Code | float | str
    unit: str = ""


def read_result(products: Path) -> Recorded:
    """Read the record in a result folder.

    Raises
    ------
    InputError
        If it is gone or damaged.
    """
    try:
        text = (products / "result.json").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError("the record of the result cannot be read") from error
    return from_record(from_json(text))


def about_study(recorded: Recorded) -> tuple[Observed, ...]:
    """List what is said of the study as a whole: assessments, then notices."""
    result = recorded.result
    stated = [
        each for key, value in result.assessments.items() for each in _assessed(key, value)
    ]
    remarks = (Observed(COMMENT, notice.text) for notice in result.warnings)
    return (*filter(_is_known, stated), *_written(recorded), *remarks)


def _written(recorded: Recorded) -> Iterator[Observed]:
    """Tell what the reader wrote, if one signed."""
    signed = recorded.result.provenance.attested
    if signed is None:
        return
    for concept, text in ((CONCLUSION, signed.conclusion), (ADDENDUM, signed.addendum)):
        if text:
            yield Observed(concept, text)


def about_finding(finding: Finding) -> tuple[Observed, ...]:
    """List what is said of one finding: what, where, how probable, how large."""
    told = [Observed(FINDING, finding.concept)]
    if finding.site is not None:
        told.append(Observed(SITE, finding.site))
    if finding.probability is not None:
        told.append(Observed(PROBABILITY, finding.probability, "1"))
    told += [Observed(each.concept, each.value, each.unit) for each in finding.measurements]
    return tuple(filter(_is_known, told))


def _is_known(observed: Observed) -> bool:
    """Whether there is a value: what could not be measured is left out."""
    return not isinstance(observed.value, float) or math.isfinite(observed.value)


def _assessed(key: str, value: Assessment) -> Iterator[Observed]:
    """Name an assessment as the structured report does (`dicom.write.groups`)."""
    match value:
        case bool():
            yield Observed(concept_of(key), YES if value else NO)
        case int() if key in SCALES:
            yield Observed(concept_of(key), grade_code(key, value))
        case int() | float():
            yield Observed(concept_of(key), value, unit_of(key))
        case str() if key in CONCEPTS and fits_code(key, value):
            yield Observed(concept_of(key), grade_code(key, value))
        case str():
            yield Observed(concept_of(key), value)
        case tuple():
            unit = unit_of(key)
            yield from (Observed(concept_of(key, n), v, unit) for n, v in enumerate(value))
        case Mapping():
            yield from (Observed(concept_of(key, name), v) for name, v in value.items())
        case None:
            pass
