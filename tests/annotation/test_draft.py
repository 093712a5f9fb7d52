"""A draft is the record with the edits played back: nothing else decides what it says."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.annotation.draft import (
    CORRECTED,
    Draft,
    FindingState,
    applied,
    before,
    corrected,
    draft_of,
    key_for_added,
    mask_to_plain,
)
from medloop.core.edit import Action, Edit
from medloop.core.errors import InputError
from medloop.core.plain import finding_to_plain
from medloop.core.record import from_record, to_record
from tests.workflow.cases import LESION, a_case, a_result

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEMORRHAGE = {"scheme": "99MEDLOOP", "value": "RET-HE", "meaning": "Hemorrhage"}


def a_recorded(count: int = 2):
    case = a_case()
    result = a_result(case)
    findings = tuple(
        replace(result.findings[0], center_px=(float(n), 1.0)) for n in range(1, count + 1)
    )
    record = to_record(replace(result, findings=findings), case.study, "eye")
    return from_record(record)


def an_edit(number, action, target="", after=None) -> Edit:
    return Edit(number, Action(action), target, None, after, 2.0, 3, NOON)


def played(*steps, count=2) -> Draft:
    edits = [an_edit(n, *step) for n, step in enumerate(steps, start=1)]
    return draft_of(a_recorded(count), edits)


def states(draft: Draft) -> dict[str, str]:
    return {each.key: each.state.value for each in draft.findings}


def a_finding(**fields):
    plain = finding_to_plain(a_recorded().result.findings[0])
    return plain | {"concept": HEMORRHAGE, "center_px": [7.0, 8.0], "segment": None} | fields


def test_without_edits_everything_is_as_it_was_proposed():
    draft = played()
    assert states(draft) == {"1": "proposed", "2": "proposed"}
    assert not draft.is_changed
    assert (draft.mask, draft.conclusion, draft.assessments["ICDR"]) == (None, None, 2)
    assert {n: each.name for n, each in draft.segments.items()} == {1: "lesion"}


def test_accepting_changes_nothing_that_the_model_says():
    draft = played(("accept", "1"), ("accept", "2"))
    assert states(draft) == {"1": "accepted", "2": "accepted"}
    assert not draft.is_changed


def test_a_changed_finding_knows_what_was_proposed_and_goes_back_to_it():
    draft = played(("change", "1", {"center_px": [30.5, 20.0], "probability": None}))
    found = draft.finding("1")
    assert (found.state, found.finding.center_px) == (FindingState.CHANGED, (30.5, 20.0))
    assert found.finding.probability is None
    assert found.before == a_recorded().result.findings[0]
    again = applied(draft, an_edit(2, "restore", "1"))
    assert again.findings == played().findings


def test_a_place_is_taken_away_by_null():
    draft = played(("change", "1", {"center_px": None, "segment": None}))
    assert draft.finding("1").finding.center_px is None
    assert draft.finding("1").finding.segment is None


def test_rejecting_and_accepting_again_keeps_what_was_changed():
    steps = [("change", "1", {"center_px": [3.0, 4.0]}), ("reject", "1"), ("accept", "1")]
    found = played(*steps).finding("1")
    assert (found.state, found.finding.center_px) == (FindingState.CHANGED, (3.0, 4.0))


def test_added_findings_get_keys_that_are_never_used_twice():
    draft = played(("add", "a1", a_finding()), ("remove", "a1"))
    assert states(draft) == {"1": "proposed", "2": "proposed"}
    assert key_for_added(draft) == "a2"
    back = applied(draft, an_edit(3, "restore", "a1"))
    assert states(back)["a1"] == "added"
    with pytest.raises(InputError, match="the next added finding is a2"):
        applied(back, an_edit(4, "add", "a1", a_finding()))


def test_a_finding_may_begin_a_segment_of_its_own():
    draft = played(("add", "a1", a_finding(segment=7)))
    assert draft.segments[7].name == "Hemorrhage 7"
    assert draft.segments[7].concept.value == "RET-HE"


@pytest.mark.parametrize(
    ("action", "target", "said"),
    [
        ("accept", "3", "there is no finding 3"),
        ("remove", "1", "reject it"),
        ("reject", "a1", "remove it"),
        ("accept", "a1", "nothing to accept"),
        ("restore", "a1", "nothing to restore"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(action, target, said):
    draft = played(("add", "a1", a_finding()))
    with pytest.raises(InputError, match=said):
        applied(draft, an_edit(2, action, target))


@pytest.mark.parametrize(
    ("action", "after"),
    [
        ("change", None),
        ("change", {"concept": "lesion"}),
        ("change", {"center_px": [1.0]}),
        ("change", {"center_px": ["a", "b"]}),
        ("change", {"measurements": [{}]}),
        ("mask", {"sha256": 3, "segments": []}),
        ("mask", {"sha256": None, "segments": [{"number": 0, "color": "#000000"}]}),
        ("conclude", 7),
        ("assess", ["a"]),
    ],
)
def test_an_edit_that_cannot_be_read_is_bad_input(action, after):
    with pytest.raises(InputError, match="edit 1 cannot be read"):
        played((action, "1", after))


def test_what_stood_there_is_told_before_each_edit():
    draft = played(("reject", "1"), ("conclude", "", "no lesion"))
    assert before(draft, Action.ACCEPT, "1")["state"] == "rejected"
    assert before(draft, Action.CONCLUDE, "") == "no lesion"
    assert before(draft, Action.ASSESS, "ICDR") == 2
    assert before(draft, Action.ADD, "a1") is None
    assert before(draft, Action.MASK, "") == mask_to_plain(None, draft.segments)


def test_seconds_clicks_and_the_number_of_the_last_edit_are_counted():
    draft = played(("accept", "1"), ("conclude", "", "x"))
    assert (draft.number, draft.seconds, draft.clicks) == (2, 4.0, 6)


def test_an_untouched_result_stays_itself():
    result = a_result(a_case())
    again = corrected(result, draft_of(a_recorded(1)), result.labels)
    assert again.findings == result.findings
    assert again.warnings == result.warnings
    assert again.labels is result.labels


def test_the_corrected_result_has_what_the_reader_left_and_says_so():
    draft = played(("reject", "1"), ("add", "a1", a_finding()), ("assess", "ICDR", 3), count=2)
    result = corrected(a_result(a_case()), draft)
    assert [each.center_px for each in result.findings] == [(2.0, 1.0), (7.0, 8.0)]
    assert result.assessments["ICDR"] == 3
    notice = result.warnings[-1]
    assert (notice.code, dict(notice.values)) == (
        CORRECTED,
        {"rejected": 1, "changed": 0, "added": 1},
    )


def test_a_segment_that_only_rejected_findings_name_leaves_the_label_map():
    result = a_result(a_case())
    one = corrected(result, played(("reject", "1"), count=2))
    assert 1 in one.labels.segments
    assert (one.labels.array == result.labels.array).all()
    none = corrected(result, played(("reject", "1"), ("reject", "2"), count=2))
    assert 1 not in none.labels.segments
    assert not none.labels.array.any()
    assert result.labels.array.any()


def test_the_readers_labels_take_the_place_of_the_models():
    result = a_result(a_case())
    drawn = replace(result.labels, array=np.ones_like(result.labels.array))
    draft = played(("mask", "", mask_to_plain("ab" * 32, result.labels.segments)))
    assert draft.mask == "ab" * 32
    assert corrected(result, draft, drawn).labels is drawn


def test_an_added_finding_has_the_concept_that_was_given():
    draft = played(("add", "a1", a_finding(concept=vars_of(LESION))))
    assert draft.finding("a1").finding.concept == LESION


def vars_of(code):
    return {"scheme": code.scheme, "value": code.value, "meaning": code.meaning}


KEYS = st.sampled_from(["1", "2", "a1", "a2"])
STEPS = st.one_of(
    st.tuples(st.sampled_from(["accept", "reject", "restore", "remove"]), KEYS),
    st.tuples(st.just("change"), KEYS, st.just({"center_px": [5.0, 6.0]})),
    st.tuples(st.just("add"), st.sampled_from(["a1", "a2"]), st.just(a_finding())),
    st.tuples(st.just("conclude"), st.just(""), st.text(max_size=9)),
    st.tuples(st.just("assess"), st.just("ICDR"), st.integers(0, 4)),
)


def kept_edits(steps) -> list[Edit]:
    """Let those edits stand that fit when their turn comes, as a server does."""
    draft, kept = draft_of(a_recorded()), []
    for step in steps:
        edit = an_edit(len(kept) + 1, *step)
        try:
            draft = applied(draft, edit)
        except InputError:
            continue
        kept.append(edit)
    return kept


@given(st.lists(STEPS, max_size=12))
def test_a_draft_is_a_function_of_the_record_and_the_edits(steps):
    edits = kept_edits(steps)
    whole = draft_of(a_recorded(), edits)
    assert whole == draft_of(a_recorded(), edits)
    half = draft_of(a_recorded(), edits[: len(edits) // 2])
    for edit in edits[len(edits) // 2 :]:
        half = applied(half, edit)
    assert half == whole


@given(st.lists(STEPS, max_size=12))
def test_proposed_findings_never_get_lost_and_restoring_all_brings_back_the_model(steps):
    edits = kept_edits(steps)
    draft = draft_of(a_recorded(), edits)
    assert [each.key for each in draft.findings][:2] == ["1", "2"]
    for key in [each.key for each in draft.findings]:
        action = "remove" if key.startswith("a") else "restore"
        draft = applied(draft, an_edit(draft.number + 1, action, key))
    assert draft.findings == draft_of(a_recorded()).findings


@given(st.lists(STEPS, max_size=12))
def test_a_corrected_result_holds_what_was_not_rejected_and_never_changes_the_models(steps):
    result = a_result(a_case())
    pixels = result.labels.array.copy()
    draft = draft_of(a_recorded(), kept_edits(steps))
    kept = corrected(result, draft).findings
    rejected = sum(each.state is FindingState.REJECTED for each in draft.findings)
    if draft.is_changed:
        assert len(kept) == len(draft.findings) - rejected
    assert (result.labels.array == pixels).all()
