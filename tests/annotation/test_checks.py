"""Whatever is sent as an edit is understood, or refused in words; nothing else happens."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.annotation.checks import checked, segment_mistakes
from medloop.annotation.draft import corrected, draft_of
from medloop.annotation.fields import FIELDS, Extent
from medloop.core.edit import Action, Edit
from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.record import from_record, to_json, to_record
from tests.workflow.cases import a_case, a_result

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PICTURE = Extent(size_px=(60, 40))
VOLUME = Extent(Grid((10, 20, 30), np.diag([2.5, 1.0, 1.0, 1.0])[[2, 1, 0, 3]]))
CODE = {"scheme": "SCT", "value": "52988006", "meaning": "Lesion"}


def a_draft():
    case = a_case()
    return draft_of(from_record(to_record(a_result(case), case.study, "eye")))


def an_edit(action, target="", after=None) -> Edit:
    return Edit(1, Action(action), target, None, after, 0.0, 0, NOON)


def test_the_outermost_voxels_and_pixels_belong_to_the_image():
    assert PICTURE.holds_px(-0.5, 39.5)
    assert not PICTURE.holds_px(-0.51, 0)
    assert not PICTURE.holds_px(0, 39.6)
    assert VOLUME.holds_mm(29.5, 19.5, 23.7)
    assert not VOLUME.holds_mm(29.5, 19.5, 23.8)


@pytest.mark.parametrize(
    ("value", "fits"),
    [(0, True), (4, True), (5, False), (2.0, False), (True, False), ("2", False)],
)
def test_a_grade_is_one_of_its_scale_in_value_and_kind(value, fits):
    edit = an_edit("assess", "ICDR", value)
    if fits:
        assert checked(a_draft(), edit, PICTURE)[1].assessments["ICDR"] == value
    else:
        with pytest.raises(InputError, match="ICDR is one of 0, 1, 2, 3, 4"):
            checked(a_draft(), edit, PICTURE)


def test_a_grade_may_be_left_open():
    assert checked(a_draft(), an_edit("assess", "ICDR"), PICTURE)[1].assessments["ICDR"] is None


def test_an_added_finding_is_completed():
    edit, draft = checked(
        a_draft(), an_edit("add", "", {"concept": CODE, "box": None}), PICTURE
    )
    assert edit.target == "a1"
    assert edit.after == {
        "concept": CODE,
        "site": None,
        "measurements": [],
        "probability": None,
    }
    assert draft.finding("a1").finding.probability is None


def test_the_mask_goes_back_only_to_one_it_has_had():
    edit = an_edit("mask", "", {"sha256": "ab" * 32, "segments": "nonsense"})
    found, draft = checked(a_draft(), edit, PICTURE, masks=("ab" * 32,))
    assert draft.mask == "ab" * 32
    assert found.after["segments"][0]["name"] == "lesion"
    with pytest.raises(InputError, match="no such mask"):
        checked(a_draft(), edit, PICTURE)


def test_a_message_quotes_no_more_than_a_name():
    with pytest.raises(InputError) as caught:
        checked(a_draft(), an_edit("assess", "x" * 5000, 1), PICTURE)
    assert len(str(caught.value)) < 400


LEAF = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 10),
    st.integers(),
    st.floats(),
    st.text(max_size=9),
    st.sampled_from(["a\ud800", "\x00", "mm", "SCT", math.nan, math.inf, 10**400]),
)
ANYTHING = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                st.sampled_from([*FIELDS, "low", "high", "value", "unit", "name", "concept"]),
                st.text(max_size=5),
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        "concept": st.one_of(st.just(CODE), ANYTHING),
        "site": st.one_of(st.none(), st.just(CODE), ANYTHING),
        "measurements": st.lists(
            st.one_of(
                ANYTHING,
                st.fixed_dictionaries(
                    {"concept": st.just(CODE), "value": LEAF, "unit": st.just("mm")}
                ),
            ),
            max_size=3,
        ),
        "probability": LEAF,
        "center_px": st.lists(LEAF, min_size=2, max_size=2),
        "center_lps_mm": st.lists(LEAF, min_size=3, max_size=3),
        "box": ANYTHING,
        "segment": LEAF,
        "comment": LEAF,
    },
)


@given(
    st.sampled_from(list(Action)),
    st.one_of(st.sampled_from(["", "1", "a1", "ICDR", "gradable"]), st.text(max_size=8)),
    st.one_of(LIKELY, ANYTHING),
    st.sampled_from([PICTURE, VOLUME]),
)
def test_anything_is_refused_in_one_line_or_can_be_kept_told_and_written(
    action, target, after, extent
):
    try:
        edit, draft = checked(a_draft(), replace(an_edit(action, target), after=after), extent)
    except InputError as refused:
        said = str(refused)
        assert said
        assert "\n" not in said
        said.encode()
        return
    told = json.dumps([edit.target, edit.after], allow_nan=False, ensure_ascii=False).encode()
    target, after = json.loads(told)
    again = draft_of(
        from_record(to_record(a_result(a_case()), a_case().study, "eye")),
        [replace(edit, target=target, after=after)],
    )
    assert again == draft
    result = corrected(a_result(a_case()), draft)
    to_json(to_record(result, a_case().study, "eye")).encode()


@given(ANYTHING)
def test_any_description_of_a_segment_is_judged(plain):
    assert all(isinstance(line, str) for line in segment_mistakes(plain))
