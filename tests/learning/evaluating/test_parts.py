"""Subgroups and sites of cases, by the table beside them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.learning.data import CaseSource, Kind
from medloop.learning.evaluating.parts import UNKNOWN, age_band, groups_of


def some_cases(*names, site=""):
    return [CaseSource(name, name, Kind.SOLID, (), site=site) for name in names]


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("17", "0-17"), ("18", "18-39"), ("39.9", "18-39"), ("040Y", "40-64"), ("64", "40-64"),
        ("65", "65+"), ("006M", "0-17"), ("230M", "18-39"), ("old", UNKNOWN), ("", UNKNOWN),
    ],
)  # fmt: skip
def test_ages_fall_into_bands(text, band):
    assert age_band(text) == band


@given(st.integers(0, 120), st.integers(0, 120))
def test_bands_rise_with_age(one, other):
    order = ["0-17", "18-39", "40-64", "65+"]
    young, old = sorted((one, other))
    assert order.index(age_band(str(young))) <= order.index(age_band(f"{old:03d}Y"))


def test_a_table_that_names_every_case_groups_them(tmp_path):
    (tmp_path / "aa_other.csv").write_text("case,sex\nsomebody,F\n")
    (tmp_path / "cases.csv").write_text("Case,Sex,Tube\nb,M,1\na,F,2\nc,,2\n")
    found, remarks = groups_of(some_cases("a", "b", "c"), tmp_path, ())
    assert found == {"sex": ("F", "M", UNKNOWN)}
    assert remarks == ()
    found, _ = groups_of(some_cases("a", "b", "c"), tmp_path, ("Tube",))
    assert found == {"tube": ("2", "1", "2")}


def test_sites_that_the_data_state_are_groups_without_a_table(tmp_path):
    cases = [*some_cases("a", site="north"), *some_cases("b", site="south")]
    assert groups_of(cases, tmp_path, ())[0] == {"site": ("north", "south")}


def test_what_is_the_same_everywhere_is_no_group(tmp_path):
    assert groups_of(some_cases("a", "b", site="north"), tmp_path, ())[0] == {}


def test_a_column_of_many_values_is_left_out_or_refused(tmp_path):
    names = [f"c{n}" for n in range(30)]
    lines = "\n".join(f"{name},scanner {name}" for name in names)
    (tmp_path / "cases.csv").write_text(f"case,scanner\n{lines}\n")
    found, (remark,) = groups_of(some_cases(*names), tmp_path, ())
    assert found == {}
    assert "30 values" in remark
    with pytest.raises(InputError, match="30 values"):
        groups_of(some_cases(*names), tmp_path, ("scanner",))


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path):
    (tmp_path / "cases.csv").write_text("case,sex\na,F\n")
    with pytest.raises(InputError, match=r"no column 'age'.*case, sex"):
        groups_of(some_cases("a"), Path(tmp_path), ("age",))
