"""Names of people as DICOM holds them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.core.person import checked_name, plain_name


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Li^Ming=李^明", "Li^Ming=李^明"),
        (" Li ^ Ming ", "Li^Ming"),
        ("李^明", "李^明"),
        ("=李^明", "=李^明"),
        ("Li^Ming^^Dr.^=", "Li^Ming^^Dr."),
        ("Li Ming", "Li Ming"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("  ", ""),
        ("^=^", ""),
    ],
)
def test_a_name_is_tidied(typed, kept):
    assert checked_name(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "a\\b",
        "a\nb",
        "a\u202eb",
        "a=b=c=d",
        "a^b^c^d^e^f",
        "x" * 65,
        "Li=" + "x" * 65,
    ],
)
def test_what_dicom_cannot_hold_is_refused(typed):
    with pytest.raises(InputError, match="a person's name"):
        checked_name(typed)


@given(st.text(max_size=200))
def test_any_text_becomes_a_name_of_one_component(text):
    name = plain_name(text)
    assert checked_name(name) == name
    assert not set(name) & set("^=\\")
