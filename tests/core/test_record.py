"""A result survives its record, and its record is honest JSON."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.code import Code
from medloop.core.errors import InputError
from medloop.core.finding import (
    Box,
    Finding,
    Measurement,
    Provenance,
    Result,
    Tracking,
    Weights,
)
from medloop.core.record import from_json, from_record, to_json, to_record
from medloop.core.study import Notice, SopUid, Study, StudyUid

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NODULE = Code("SCT", "27925004", "Nodule")
DIAMETER = Code("SCT", "81827009", "Diameter")
STUDY = Study(StudyUid("2.25.7"), "eye", ())

texts = st.text(st.sampled_from('aZ0 "\\\n\u2028眼底'), max_size=4)
numbers = st.floats()
codes = st.tuples(texts, texts, texts)
points = st.tuples(numbers, numbers)
triples = st.tuples(numbers, numbers, numbers)
findings = st.fixed_dictionaries(
    {
        "concept": codes,
        "site": st.none() | codes,
        "measurements": st.lists(st.tuples(codes, numbers, texts), max_size=2),
        "probability": st.none() | numbers,
        "center_lps_mm": st.none() | triples,
        "center_px": st.none() | points,
        "box": st.none() | st.tuples(points, points) | st.tuples(triples, triples),
        "segment": st.none() | st.integers(0, 255),
        "tracking": st.none() | st.tuples(texts, texts),
    }
)
said = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    numbers,
    texts,
    st.lists(numbers, max_size=5).map(tuple),
    st.dictionaries(texts, texts, max_size=3),
)
results = st.fixed_dictionaries(
    {
        "findings": st.lists(findings, max_size=2),
        "assessments": st.dictionaries(texts, said, max_size=4),
        "warnings": st.dictionaries(texts, texts | numbers | st.integers(-9, 9), max_size=3),
        "weights": st.lists(codes, max_size=2),
        "finished": st.datetimes(
            min_value=datetime(1970, 1, 1),  # noqa: DTZ001 (the strategy adds the zone)
            timezones=st.just(UTC) | st.just(timezone(timedelta(hours=8))),
        ),
        "timings_s": st.dictionaries(st.sampled_from(["read", "infer", "load"]), numbers),
    }
)


def drawn(parts) -> Result:
    """Build outside the strategy: type checks at random are no business of Hypothesis."""
    made = Provenance(
        analysis="retina",
        version="0.1",
        weights=tuple(Weights(*code) for code in parts["weights"]),
        inputs=(SopUid("1.2.3"),),
        input_sha256="cc",
        finished=parts["finished"],
    )
    return Result(
        made,
        tuple(drawn_finding(**finding) for finding in parts["findings"]),
        parts["assessments"],
        warnings=(Notice("odd", "odd", tuple(parts["warnings"].items())),),
        timings_s=parts["timings_s"],
    )


def drawn_finding(*, concept, site, measurements, box, tracking, **places) -> Finding:
    return Finding(
        concept=Code(*concept),
        site=Code(*site) if site else None,
        measurements=tuple(Measurement(Code(*code), *rest) for code, *rest in measurements),
        box=Box(*box) if box else None,
        tracking=Tracking(*tracking) if tracking else None,
        **places,
    )


def a_result(**changes) -> Result:
    weights = (Weights("grading", "1.0", "aa"), Weights("lesions", "2.0", "bb"))
    made = Provenance("retina", "0.1", weights, (SopUid("1.2.3"),), "cc", NOON)
    nodule = Finding(
        concept=NODULE,
        measurements=(Measurement(DIAMETER, 8.123456789, "mm"),),
        probability=0.62,
        center_lps_mm=(1.0, 2.0, 3.0),
        segment=4,
    )
    return replace(Result(made, (nodule,), {"ICDR": 2}, timings_s={"infer": 0.5}), **changes)


@given(results, texts)
def test_a_record_says_the_same_after_json_and_back(parts, source):
    record = to_record(drawn(parts), STUDY, source)
    recorded = from_record(from_json(to_json(record)))
    again = to_record(recorded.result, replace(STUDY, uid=recorded.study), recorded.source)
    assert to_json(again) == to_json(record)


@given(results)
def test_no_number_outside_json_is_ever_written(parts):
    def refuse(constant):
        raise AssertionError(constant)

    json.loads(to_json(to_record(drawn(parts), STUDY, "eye.jpg")), parse_constant=refuse)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_six_significant_digits(value):
    record = to_record(a_result(assessments={"x": value}), STUDY, "")
    assert record["assessments"]["x"] == pytest.approx(value, rel=5.1e-6, abs=0)


def test_the_record_is_laid_out_as_promised():
    record = to_record(a_result(), STUDY, "eye.jpg")
    assert record["schema"] == "medloop.result/1"
    assert record["study"] == {"uid": "2.25.7", "source": "eye.jpg"}
    assert record["analysis"] == {
        "name": "retina",
        "version": "0.1",
        "bundle": "grading",
        "weights_sha256": "aa",
    }
    assert [used["bundle"] for used in record["bundles"]] == ["grading", "lesions"]
    assert [used["precision"] for used in record["bundles"]] == ["fp32", "fp32"]
    assert list(record["timings_s"]) == ["read", "prepare", "infer", "post", "write"]
    (finding,) = record["findings"]
    assert finding["concept"] == {"scheme": "SCT", "value": "27925004", "meaning": "Nodule"}
    assert finding["measurements"][0]["name"] == "Diameter"
    assert finding["measurements"][0]["value"] == 8.12346
    assert finding["center_lps_mm"] == [1.0, 2.0, 3.0]
    assert finding["segment"] == 4
    assert "box" not in finding
    assert record["finished"] == "2026-03-01T12:00:00Z"


def test_the_precision_of_a_network_is_kept_and_was_fp32_before_it_was_told():
    rounded = replace(a_result().provenance, weights=(Weights("lungs", "1", "aa", "bf16"),))
    record = to_record(a_result(provenance=rounded), STUDY, "")
    assert from_record(record).result.provenance == rounded
    del record["bundles"][0]["precision"]
    (used,) = from_record(record).result.provenance.weights
    assert used.precision == "fp32"


def test_two_runs_differ_in_times_alone():
    later = replace(a_result().provenance, finished=NOON + timedelta(hours=1))
    one = to_record(a_result(), STUDY, "eye.jpg")
    two = to_record(a_result(provenance=later, timings_s={"read": 9.0}), STUDY, "eye.jpg")
    assert list(one)[-2:] == ["timings_s", "finished"]
    for record in (one, two):
        del record["timings_s"], record["finished"]
    assert to_json(one) == to_json(two)


def test_numpy_numbers_become_plain_ones():
    said = {"p": np.float64(0.1), "all": tuple(np.array([0.25, 0.75]))}
    record = to_record(a_result(assessments=said), STUDY, "")
    text = json.dumps(record["assessments"])
    assert text == '{"p": 0.1, "all": [0.25, 0.75]}'


def test_a_place_that_is_not_finite_is_left_out():
    lost = Finding(
        concept=NODULE, center_px=(math.nan, 3.0), box=Box((0.0, 0.0), (math.inf, 1.0))
    )
    (finding,) = to_record(a_result(findings=(lost,)), STUDY, "")["findings"]
    assert "center_px" not in finding
    assert "box" not in finding


def test_chinese_stays_readable_in_the_text():
    result = a_result(warnings=(Notice("blurred", "图像模糊"),))
    assert "图像模糊" in to_json(to_record(result, STUDY, ""))


def test_a_result_without_a_time_zone_is_misuse():
    naive = replace(a_result().provenance, finished=NOON.replace(tzinfo=None))
    with pytest.raises(ValueError, match="time zone"):
        to_record(a_result(provenance=naive), STUDY, "")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "other"}', '"medloop.result/1"'])
def test_text_of_another_kind_is_bad_input(text):
    with pytest.raises(InputError):
        from_json(text)


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        (key, bad)
        for key in ("study", "analysis", "findings", "finished", "timings_s")
        for bad in (None, 3, "x", [3], {})
        if (key, bad) != ("timings_s", {})  # a record may have no timings
    ],
)
def test_a_record_with_a_broken_part_is_bad_input(key, bad):
    record = to_record(a_result(), STUDY, "eye.jpg") | {key: bad}
    with pytest.raises(InputError):
        from_record(record)
