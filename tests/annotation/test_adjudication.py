from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.annotation.adjudication import to_drop, to_say, to_say_grade, to_say_of, to_show
from medloop.annotation.draft import Draft, FindingState, applied, mask_to_plain
from medloop.annotation.matching import side_by_side
from medloop.core.errors import InputError
from tests.annotation.test_draft import a_finding, an_edit, played

NUMBERS = st.integers(0, 3)


def carried_out(draft: Draft, steps) -> Draft:
    for step in steps:
        edit = an_edit(draft.number + 1, step.action, step.target, step.after)
        draft = applied(draft, edit)
    return draft


def some_step(draft, n, what):
    """One of the changes that a reader may make, by a number."""
    key = draft.findings[n % len(draft.findings)].key if draft.findings else "1"
    return {
        "accept": ("accept", key),
        "reject": ("reject", key),
        "restore": ("restore", key),
        "remove": ("remove", key),
        "change": ("change", key, {"center_px": [10.123456789 + 100 * n, 5.0]}),
        "add": (
            "add",
            f"a{draft.added + 1}",
            a_finding(center_px=[7.77777777 + 300 * n, 90.0 * draft.added]),
        ),
        "assess": ("assess", "ICDR", n),
        "mask": ("mask", "", mask_to_plain(f"{n}" * 64, draft.segments)),
        "conclude": ("conclude", "", f"text {n}"),
    }[what]


KINDS = ("accept", "reject", "restore", "remove", "change", "add", "assess", "mask", "conclude")
CHANGES = st.lists(st.tuples(st.sampled_from(KINDS), NUMBERS), max_size=8)


def drafted(changes) -> Draft:
    draft = played()
    for what, n in changes:
        try:
            edit = an_edit(draft.number + 1, *some_step(draft, n, what))
            draft = applied(draft, edit)
        except InputError:
            continue  # this change fits nothing here
    return draft


@settings(max_examples=25)
@given(now=CHANGES, wanted=CHANGES)
def test_a_side_that_is_taken_is_what_the_reading_says(now, wanted):
    now, wanted = drafted(now), drafted(wanted)
    taken = carried_out(now, to_say(now, wanted))
    told = side_by_side({"taken": taken, "wanted": wanted})
    assert told.count == 0
    assert taken.assessments == wanted.assessments
    assert (taken.mask, taken.conclusion) == (wanted.mask, wanted.conclusion)
    added = [each for each in taken.findings if each.state is FindingState.ADDED]
    assert len(added) == sum(each.state is FindingState.ADDED for each in wanted.findings)


@settings(max_examples=25)
@given(now=CHANGES, wanted=CHANGES)
def test_taking_the_same_side_twice_changes_nothing(now, wanted):
    now, wanted = drafted(now), drafted(wanted)
    taken = carried_out(now, to_say(now, wanted))
    assert to_say(taken, wanted) == ()


@settings(max_examples=25)
@given(now=CHANGES, wanted=CHANGES)
def test_findings_are_taken_one_by_one_from_either_side(now, wanted):
    now, wanted = drafted(now), drafted(wanted)
    for row in side_by_side({"now": now, "wanted": wanted}).rows:
        said = row.said["wanted"]
        if row.key.startswith("+") and said is None:
            now = carried_out(now, to_drop(now, row.finding))
        else:
            now = carried_out(now, to_say_of(now, row.key, said))
    assert not any(row.differences for row in side_by_side({"a": now, "b": wanted}).rows)


def test_a_grade_and_a_label_map_are_taken_alone():
    wanted = played(("assess", "ICDR", 4), ("mask", "", mask_to_plain("a" * 64, {})))
    graded = carried_out(played(), to_say_grade(played(), "ICDR", wanted))
    assert (graded.assessments["ICDR"], graded.mask) == (4, None)
    shown = carried_out(played(), to_show(played(), wanted))
    assert (shown.assessments["ICDR"], shown.mask) == (2, "a" * 64)


def test_a_remark_goes_with_the_finding_that_is_taken():
    wanted = played(
        ("change", "1", {"center_px": [10.0, 5.0], "comment": "blurred"}),
        ("add", "a1", {**a_finding(center_px=[90.0, 90.0]), "comment": "faint"}),
    )
    taken = carried_out(played(), to_say(played(), wanted))
    assert [each.comment for each in taken.findings if each.comment] == ["blurred", "faint"]
    added = to_say_of(played(), "+1", wanted.finding("a1"))
    assert carried_out(played(), added).finding("a1").comment == "faint"


def test_a_change_that_was_rejected_is_there_again_when_its_side_is_taken():
    change = ("change", "1", {"center_px": [10.0, 5.0]})
    now, wanted = played(change, ("reject", "1")), played(change)
    (taken, _) = carried_out(now, to_say(now, wanted)).findings
    assert taken.state is FindingState.CHANGED


def test_what_was_drawn_and_then_rejected_is_taken_in_that_order():
    mask = ("mask", "", mask_to_plain("1" * 64, played().segments))
    wanted = played(mask, ("reject", "1"))
    for now in (played(), played(("reject", "1"))):
        taken = carried_out(now, to_say(now, wanted))
        assert taken.rejected_in["1"] == "1" * 64
        assert to_say(taken, wanted) == ()
    late = played(("reject", "1"), mask)
    assert carried_out(played(), to_say(played(), late)).rejected_in["1"] is None
