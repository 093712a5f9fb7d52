"""Names that follow from content."""

import re
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from medloop.core.finding import Provenance, Weights
from medloop.core.study import SopUid
from medloop.dicom.write.content import decimal, number_item
from medloop.dicom.write.uids import IMPLEMENTATION_UID, result_uid, uid_from
from tests.dicom.phantoms_written import COUNT, NOW

A_RESULT = Provenance(
    "retina", "1", (Weights("grading", "1", "ab"),), (SopUid("1.2"),), "cd", NOW
)


@given(st.lists(st.text(), min_size=1))
def test_every_name_is_a_valid_uid(parts):
    uid = uid_from(*parts)
    assert len(uid) <= 64
    assert re.fullmatch(r"2\.25\.(0|[1-9]\d*)", uid)


def test_what_made_a_result_decides_its_uids():
    others = [
        replace(A_RESULT, version="2"),
        replace(A_RESULT, analysis="lung"),
        replace(A_RESULT, input_sha256="ce"),
        replace(A_RESULT, inputs=(SopUid("1.3"),)),
        replace(A_RESULT, weights=(Weights("grading", "1", "ac"),)),
        replace(A_RESULT, weights=(Weights("grading", "1", "ab", "bf16"),)),
    ]
    uids = {result_uid(p, "seg") for p in (A_RESULT, *others)} | {result_uid(A_RESULT, "sr")}
    assert len(uids) == 8


def test_the_time_of_a_result_does_not_change_its_uids():
    later = replace(A_RESULT, finished=NOW + timedelta(days=1))
    assert result_uid(later, "seg") == result_uid(A_RESULT, "seg")


def test_the_implementation_has_a_uid_of_at_most_64_characters():
    assert len(IMPLEMENTATION_UID) <= 64


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_fits_16_characters_and_is_kept_exactly(value):
    assert len(decimal(value)) <= 16
    (measured,) = number_item(COUNT, value, "1").MeasuredValueSequence
    assert float(measured.get("FloatingPointValue", measured.NumericValue)) == value
