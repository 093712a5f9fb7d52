"""Who is whom, and how long ago."""

import pytest

from medloop.core.prior import days_between
from medloop.core.study import Patient

ANN = Patient("Doe^Ann", "P1", "19600101", "F")


@pytest.mark.parametrize(
    "other",
    [
        ANN,
        Patient("Roe^Ann", "P1", "19600101", "F"),  # married
        Patient("", "P1"),
        Patient("", " P1 ", "19600101"),
    ],
)
def test_the_same_identifier_is_the_same_patient(other):
    assert ANN.is_same(other)
    assert other.is_same(ANN)


@pytest.mark.parametrize(
    "other",
    [
        Patient("Doe^Ann", "P2", "19600101", "F"),
        Patient("Doe^Ann", "", "19600101", "F"),
        Patient("Doe^Ann", "P1", "19600102", "F"),
        Patient("Doe^Ann", "P1", "19600101", "M"),
    ],
)
def test_a_name_alone_is_nobody_and_what_contradicts_is_somebody_else(other):
    assert not ANN.is_same(other)
    assert not other.is_same(ANN)


def test_nobody_is_nobody():
    assert not Patient("Doe^Ann").is_same(Patient("Doe^Ann"))


@pytest.mark.parametrize(
    ("earlier", "later", "days"),
    [
        ("20240101", "20250101", 366),
        ("20250101", "20250101", 0),
        ("20250102", "20250101", -1),
        ("", "20250101", None),
        ("20250101", "2025-01-01", None),
        ("20250231", "20250301", None),
    ],
)
def test_days_are_counted(earlier, later, days):
    assert days_between(earlier, later) == days
