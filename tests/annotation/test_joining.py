"""One number is one object for all readers, however each of them numbered it."""

import numpy as np

from medloop.annotation.draft import applied, draft_of, mask_to_plain
from medloop.annotation.joining import joined, numbering_of
from medloop.core.code import Code
from medloop.core.finding import Finding, Measurement
from medloop.core.plain import finding_to_plain
from tests.annotation.test_draft import an_edit
from tests.annotation.test_merging import NODULE, SHAPE, Shelf, a_model, a_reading, place

NEAR, FAR = {60: 0, 61: 0}, {150: 0}  # voxels of two objects that readers add
SIZE = Measurement(Code("SCT", "81827009", "Diameter"), 7.0, "mm")


def three_readers():
    """Li and Zhao add an object as 3; Wang adds another one as 3, and theirs as 4."""
    shelf = Shelf()
    model = a_model(shelf)
    own = {0: 1, 1: 1, 8: 2, 9: 2}
    li = a_reading(model, shelf, own | dict.fromkeys(NEAR, 3), [3], set())
    wang = a_reading(
        model, shelf, own | dict.fromkeys(FAR, 3) | dict.fromkeys(NEAR, 4), [5, 3], set()
    )
    return shelf, [li, wang, li]


def test_an_object_that_readers_number_differently_is_joined_with_its_like():
    shelf, drafts = three_readers()
    numbering = numbering_of(drafts)
    array = joined(
        [(shelf.held[d.mask], t) for d, t in zip(drafts, numbering.tables, strict=True)]
    )
    assert [each.finding.segment for each in numbering.findings] == [1, 2, 3]
    assert sorted(np.flatnonzero(array == 3)) == sorted(NEAR)
    assert not array.flat[list(FAR)].any()  # one of three has it
    assert array.shape == SHAPE


def test_an_object_that_one_reader_has_shares_its_number_with_nothing():
    _, drafts = three_readers()
    numbering = numbering_of(drafts)
    far = numbering.tables[1][3]
    assert far not in {n for table in numbering.tables[::2] for n in table.values()}
    names = [each.name for each in numbering.segments.values()]
    assert len(set(names)) == len(names)


def test_readers_who_number_alike_keep_their_numbers():
    _, drafts = three_readers()
    numbering = numbering_of([drafts[0], drafts[2]])
    assert all(a == b for table in numbering.tables for a, b in table.items())
    assert numbering.segments == drafts[0].segments


def test_a_label_of_nobodys_finding_is_not_taken_for_anothers_object():
    shelf = Shelf()
    model = a_model(shelf)
    drawn = {0: 1, 8: 2, 60: 3}
    li = a_reading(model, shelf, drawn, [3], set())
    wang = a_reading(model, shelf, drawn, [3], set())
    wang = applied(wang, an_edit(wang.number + 1, "remove", "a1"))
    numbering = numbering_of([li, wang])
    assert numbering.tables[0][3] == 3
    assert numbering.tables[1][3] > 3


def test_sizes_are_typed_where_all_have_typed_the_same():
    shelf = Shelf()
    model = a_model(shelf)

    def typed(*, by):
        draft = draft_of(model)
        draft = applied(draft, an_edit(1, "mask", "", mask_to_plain(None, draft.segments)))
        finding = Finding(NODULE, measurements=(SIZE,), center_lps_mm=place(1), segment=1)
        said = {"measurements": finding_to_plain(finding)["measurements"]}
        return applied(draft, an_edit(2, "change", "1", said)) if by else draft

    for both, expected in (((1, 1), True), ((1, 0), False), ((0, 0), False)):
        first, *_ = numbering_of([typed(by=each) for each in both]).findings
        assert first.is_typed is expected
