"""A mask from elsewhere means the reading's segments of the same names."""

import numpy as np
from numpy.testing import assert_array_equal

from medloop.annotation.brought import described, drawn_by, renumbered
from medloop.core.attestation import Drawn
from medloop.core.code import Code
from medloop.core.image import LabelMap, Segment

KIND = Code("SCT", "49755003", "Morphologically Altered Structure")
NODULE = Code("SCT", "27925004", "Nodule")


def called(name: str) -> Segment:
    return Segment(name, KIND, NODULE, (1, 2, 3))


KNOWN = {1: called("Nodule 1"), 4: called("Nodule 4")}


def test_names_decide_and_not_numbers():
    brought = LabelMap(
        np.array([[0, 1, 2]], np.uint8), {1: called("nodule  4"), 2: called("Nodule 1")}
    )
    found = renumbered(brought, KNOWN)
    assert_array_equal(found.array, [[0, 4, 1]])
    assert found.segments == KNOWN


def test_what_is_new_keeps_a_free_number_and_gets_the_next_otherwise():
    brought = LabelMap(
        np.array([[1, 2, 0]], np.uint8), {1: called("Cyst"), 2: called("Scar"), 3: called("x")}
    )
    found = renumbered(brought, KNOWN)
    assert_array_equal(found.array, [[5, 2, 0]])
    assert {n: s.name for n, s in found.segments.items()} == {
        1: "Nodule 1",
        2: "Scar",
        4: "Nodule 4",
        5: "Cyst",
    }


def test_two_of_one_name_stay_two():
    brought = LabelMap(
        np.array([[1, 2]], np.uint8), {1: called("Nodule 1"), 2: called("Nodule 1")}
    )
    assert_array_equal(renumbered(brought, KNOWN).array, [[1, 2]])


def test_an_empty_mask_stays_one():
    brought = LabelMap(np.zeros((2, 2), np.uint8), {1: called("Cyst")})
    assert_array_equal(renumbered(brought, KNOWN).array, np.zeros((2, 2)))


def test_numbers_alone_are_described():
    found = described(np.array([[0, 4, 9]]), KNOWN, category=KIND, concept=NODULE, site=None)
    assert found[4] == KNOWN[4]
    assert (found[9].name, found[9].concept) == ("Segment 9", NODULE)


def test_what_a_reader_changed_and_what_they_drew_alone_are_told_apart():
    model = LabelMap(np.array([[1, 1, 2, 0]], np.uint8), {})
    segments = {n: called(f"{n}") for n in (1, 2, 3)}
    labels = LabelMap(np.array([[1, 0, 2, 3]], np.uint16), segments)
    assert drawn_by(labels, model) == {1: Drawn.SEMIAUTOMATIC, 3: Drawn.MANUAL}
    assert drawn_by(LabelMap(model.array, segments), model) == {}
