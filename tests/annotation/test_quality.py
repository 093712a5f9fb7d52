import math

import pytest

from medloop.annotation.blinding import panel
from medloop.annotation.quality import Standing, gate
from medloop.store.reading import Purpose
from tests.annotation.test_blinding import a_reading

LI, WANG = a_reading(1, "li", done=True), a_reading(2, "wang", done=True)
CHEN = a_reading(3, "chen", done=True, purpose=Purpose.ADJUDICATE)


@pytest.mark.parametrize(
    ("kappa", "standing"),
    [
        (0.59, Standing.DISAGREED),
        (0.6, Standing.AGREED),
        (1.0, Standing.AGREED),
        (math.nan, Standing.UNMEASURED),
    ],
)
def test_labels_leave_when_their_readers_agree_well_enough(kappa, standing):
    told = gate(panel([LI, WANG], wanted=2), kappa, kappa_min=0.6)
    assert told.standing is standing
    assert told.is_open is (standing is Standing.AGREED)


@pytest.mark.parametrize("kappa", [-0.2, math.nan])
def test_an_adjudicated_label_leaves_whatever_the_readers_thought(kappa):
    told = gate(panel([LI, WANG, CHEN], wanted=2), kappa)
    assert told.standing is Standing.ADJUDICATED
    assert told.is_open
    assert "chen" in told.reason


def test_what_one_reader_should_read_leaves_when_it_is_in():
    assert gate(panel([LI], wanted=1), math.nan).is_open
    assert not gate(panel([], wanted=1), math.nan).is_open


def test_a_second_reading_that_is_missing_keeps_the_label_here():
    told = gate(panel([LI], wanted=2), 0.9)
    assert told.standing is Standing.MISSING
    assert "1 of 2" in told.reason
