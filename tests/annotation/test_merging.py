"""Whatever is taken from whom: each finding points to what its own reader drew."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.annotation.adjudication import (
    Masks,
    to_drop,
    to_say,
    to_show_all,
    to_take,
)
from medloop.annotation.draft import Draft, applied, draft_of, mask_to_plain, segment_for
from medloop.annotation.matching import is_there, side_by_side
from medloop.core.code import Code
from medloop.core.errors import InputError
from medloop.core.finding import Finding
from medloop.core.plain import finding_to_plain
from tests.annotation.test_adjudication import carried_out
from tests.annotation.test_draft import a_recorded, an_edit

SHAPE = (4, 6, 8)
NODULE = Code("SCT", "27925004", "Nodule")
PROPOSED = 2
READERS = ("li", "wang")


class Shelf:
    """Label maps by a name each."""

    def __init__(self):
        self.held = {}

    def keep(self, labels, segments):
        assert set(np.unique(labels)) - {0} <= set(segments)
        name = f"{len(self.held):064d}"
        self.held[name] = labels.copy()
        return name

    def masks(self):
        return Masks(self.held.__getitem__, self.keep)


def place(label):
    """Where finding number `label` of anybody is; added ones are far apart."""
    return (100.0 * label, 0.0, 0.0)


def a_model(shelf):
    recorded = a_recorded(PROPOSED)
    findings = tuple(
        Finding(NODULE, center_lps_mm=place(n), segment=n) for n in range(1, PROPOSED + 1)
    )
    segments = {n: segment_for(n, findings[0]) for n in range(1, PROPOSED + 1)}
    result = replace(recorded.result, findings=findings)
    labels = np.zeros(SHAPE, np.uint8)
    labels[0, 0, :2], labels[0, 1, :2] = 1, 2
    shelf.held[None] = labels
    return replace(recorded, result=result, segments=segments)


def a_reading(recorded, shelf, voxels, added, rejects) -> Draft:
    """Draw proposed objects anew, add others where nobody is, and reject some."""
    labels = np.zeros(SHAPE, np.uint8)
    labels.flat[list(voxels)] = list(voxels.values())
    draft = draft_of(recorded)
    segments = dict(draft.segments)
    for n in range(PROPOSED + 1, PROPOSED + 1 + len(added)):
        segments[n] = segment_for(n, recorded.result.findings[0])
    labels[labels > max(segments)] = 0
    mask = ("mask", "", mask_to_plain(shelf.keep(labels, segments), segments))
    steps = [mask, *(("reject", str(key)) for key in sorted(rejects))]
    for n, where in enumerate(added, start=1):
        found = Finding(NODULE, center_lps_mm=place(where), segment=PROPOSED + n)
        steps.append(("add", f"a{n}", finding_to_plain(found)))
    for number, step in enumerate(steps, start=1):
        draft = applied(draft, an_edit(number, *step))
    return draft


VOXELS = st.dictionaries(st.integers(0, 191), st.integers(1, 5), max_size=40)
ADDED = st.lists(st.integers(3, 6), unique=True, max_size=3)  # at the same places, or others
SIDE = st.tuples(VOXELS, ADDED, st.sets(st.integers(1, PROPOSED)))
TAKES = st.lists(
    st.tuples(
        st.sampled_from(["row", "row", "row", "mask", "all"]),
        st.sampled_from(READERS),
        st.integers(0, 6),
    ),
    max_size=8,
)


def drawn(shelf, draft, found):
    return shelf.held[draft.mask] == found.finding.segment


@settings(max_examples=150, deadline=None)
@given(li=SIDE, wang=SIDE, takes=TAKES)
def test_each_finding_points_to_the_voxels_that_its_own_reader_drew(li, wang, takes):
    shelf = Shelf()
    recorded = a_model(shelf)
    drafts = {
        name: a_reading(recorded, shelf, *side)
        for name, side in zip(READERS, (li, wang), strict=True)
    }
    mine = draft_of(recorded)
    origin = {each.key: drawn(shelf, mine, each) for each in mine.findings}
    for kind, reader, n in takes:
        theirs = drafts[reader]
        rows = side_by_side({**drafts, "": mine}).rows
        row = rows[n % len(rows)]
        pairs = side_by_side({"": mine, reader: theirs}).rows
        try:
            mine, origin = taken(
                shelf, kind, (mine, origin), (theirs, row, row.said[reader], pairs, reader)
            )
        except InputError:  # they lie on each other
            continue
        there = [each for each in mine.findings if is_there(each)]
        numbers = [each.finding.segment for each in there]
        assert len(set(numbers)) == len(numbers)
        assert set(numbers) <= set(mine.segments)
        names = [each.name for each in mine.segments.values()]
        assert len(set(names)) == len(names)
        for each in there:
            np.testing.assert_array_equal(drawn(shelf, mine, each), origin[each.key])


def taken(shelf, kind, now, what):
    """Take what is said, and say what each finding should point to then."""
    mine, origin = now
    theirs, row, said, pairs, reader = what
    origin = dict(origin)
    before = {each.key for each in mine.findings}
    if kind == "all":
        after = carried_out(mine, to_say(mine, theirs))
        at = {
            each[reader].finding.center_lps_mm: each[reader]
            for each in (p.said for p in pairs)
            if each[reader]
        }
        for each in after.findings:
            origin[each.key] = drawn(shelf, theirs, at[each.finding.center_lps_mm])
    elif kind == "mask":
        after = carried_out(mine, to_show_all(mine, theirs, shelf.masks()))
        for pair in pairs:
            me, them = pair.said[""], pair.said[reader]
            if me is not None and them is not None:
                origin[me.key] = drawn(shelf, theirs, them)
    elif said is None:
        after = carried_out(mine, to_drop(mine, row.finding))
    else:
        after = carried_out(mine, to_take(mine, row.key, theirs, said, shelf.masks()))
        again = to_take(after, row.key, theirs, said, shelf.masks())
        assert again == (), "what was taken twice is taken once"
        new = {each.key for each in after.findings} - before
        same = [
            e.key
            for e in after.findings
            if e.finding.center_lps_mm == said.finding.center_lps_mm
        ]
        key = next(iter(new), same[0])
        if is_there(said):
            origin[key] = drawn(shelf, theirs, said)
    return after, origin


def test_what_two_readers_added_under_one_number_are_two_objects():
    shelf = Shelf()
    recorded = a_model(shelf)
    li = a_reading(recorded, shelf, {100: 3, 101: 3}, [3], set())
    wang = a_reading(recorded, shelf, {150: 3}, [4], set())
    mine = draft_of(recorded)
    for reader in (li, wang):
        (said,) = [each for each in reader.findings if each.key == "a1"]
        mine = carried_out(mine, to_take(mine, "+1", reader, said, shelf.masks()))
    assert [each.finding.segment for each in mine.findings] == [1, 2, 3, 4]
    labels = shelf.held[mine.mask]
    assert list(labels.flat[[100, 101, 150]]) == [3, 3, 4]
    assert [mine.segments[n].name for n in (3, 4)] == ["Nodule 3", "Nodule 4"]


def test_objects_that_lie_on_each_other_are_refused_with_the_finding_they_lie_on():
    shelf = Shelf()
    recorded = a_model(shelf)
    li = a_reading(recorded, shelf, {100: 3, 101: 3}, [3], set())
    wang = a_reading(recorded, shelf, {101: 3}, [4], set())
    mine = carried_out(
        draft_of(recorded),
        to_take(draft_of(recorded), "+1", li, li.finding("a1"), shelf.masks()),
    )
    with pytest.raises(InputError, match="it lies on finding a1 in 1 voxels"):
        to_take(mine, "+2", wang, wang.finding("a1"), shelf.masks())
