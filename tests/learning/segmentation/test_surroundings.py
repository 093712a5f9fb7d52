"""What is left out is filled from other patients, or hidden, and nothing else changes."""

import numpy as np

from medloop.learning.sampling import places_of
from medloop.learning.segmentation.prepared import BLANK, UNKNOWN, PreparedCase
from medloop.learning.segmentation.surroundings import (
    NO_CHANGE,
    Patch,
    Surroundings,
    changed,
    offset,
    wholest,
)

SIZE = (12, 16, 16)
FILLED, HIDDEN = Surroundings(filled=1.0), Surroundings(hidden=1.0)


def a_case(value, shift=(0, 0, 0), *, gaps=False):
    """An organ in even tissue; with gaps, only its surroundings in the upper half are there."""
    labels = np.zeros(SIZE, np.int16)
    organ = tuple(slice(5 + s, 8 + s) for s in shift)
    labels[organ] = 1
    image = np.full((1, *SIZE), value, np.float32)
    if gaps:
        left_out = (np.arange(SIZE[0])[:, None, None] < 6) & (labels == 0)
        labels[left_out] = BLANK
        image[0][left_out] = -9
    return PreparedCase(image, labels, places_of(labels, rng=np.random.default_rng(0)))


def shown(case, shift=(0, 0, 0)):
    axes = (0, 1, 2)
    back = [-round(s) for s in shift]
    image = np.stack([np.roll(channel, back, axes) for channel in case.image])
    return Patch(image, np.roll(case.labels, back, axes))


def rng():
    return np.random.default_rng(3)


def test_gaps_are_filled_from_another_patient_at_the_same_place():
    case, other = a_case(1.0, gaps=True), a_case(2.0, shift=(0, 2, 1))
    other.image[0, 0, 9, 8] = 7.0  # lies where the case's (0, 7, 7) is
    out = changed(case, shown(case), [other], shown, FILLED, rng())
    was_blank = case.labels == BLANK
    assert out.image[0, 0, 7, 7] == 7.0
    assert (out.image[0][was_blank] >= 2).all()
    assert (out.image[0][~was_blank] == case.image[0][~was_blank]).all()
    assert (out.labels[~was_blank] == case.labels[~was_blank]).all()
    assert (out.labels[was_blank] == 0).all()


def test_what_is_labelled_in_the_other_patient_is_unknown_here():
    case, other = a_case(1.0, gaps=True), a_case(2.0)
    other.labels[0, 0, 0] = 2
    out = changed(case, shown(case), [other], shown, FILLED, rng())
    assert out.labels[0, 0, 0] == UNKNOWN
    assert (out.labels == UNKNOWN).sum() == 1


def test_where_the_other_patient_has_gaps_they_stay():
    case = a_case(1.0, gaps=True)
    out = changed(case, shown(case), [a_case(2.0, gaps=True)], shown, FILLED, rng())
    assert np.array_equal(out.labels, case.labels)
    assert np.array_equal(out.image, case.image)


def test_a_hidden_part_is_dark_and_its_labels_unknown():
    case = a_case(1.0)
    case.image[0, 0, 0, 0] = -3
    out = changed(case, shown(case), [], shown, HIDDEN, rng())
    dark = (out.image[0] == -3).all(axis=(1, 2))
    assert 0 < dark.sum() < SIZE[0]
    assert (np.diff(dark.astype(int)) != 0).sum() == 1  # one side of one plane
    assert (out.labels[dark] <= 0).all()
    assert np.array_equal(out.labels[~dark], case.labels[~dark])
    assert (out.labels == UNKNOWN).sum() == (case.labels[dark] > 0).sum()


def test_unless_asked_nothing_is_drawn_or_changed():
    case, generator = a_case(1.0, gaps=True), rng()
    out = changed(case, shown(case), [a_case(2.0)], shown, NO_CHANGE, generator)
    assert np.array_equal(out.image, case.image)
    assert generator.random() == rng().random()


def test_patients_are_brought_together_by_what_both_have():
    assert offset(a_case(1.0), a_case(1.0, shift=(1, -2, 3))).tolist() == [1, -2, 3]


def test_the_patients_with_the_fewest_gaps_fill_others():
    cases = [a_case(float(n), gaps=n != 2) for n in range(5)]
    assert wholest(cases)[0] is cases[2]
    assert len(wholest(cases)) == 2
