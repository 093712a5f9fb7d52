import pytest

from medloop.core.errors import InputError
from medloop.dicom.net.limits import may_call, may_connect, read_callers


@pytest.mark.parametrize(
    ("lines", "title", "address", "is_in"),
    [
        ((), "ANY", "10.0.0.1", True),
        (("CT1",), "CT1", "10.0.0.1", True),
        (("CT1",), "ct1", "10.0.0.1", False),
        (("CT1",), " CT1 ", "10.0.0.1", True),
        (("CT1@10.0.0.1",), "CT1", "10.0.0.2", False),
        (("@10.0.0.0/24",), "ANY", "10.0.0.200", True),
        (("@10.0.0.0/24",), "ANY", "10.0.1.1", False),
        (("@fd00::/8",), "ANY", "fd00::1", True),
        (("@10.0.0.0/24",), "ANY", "::ffff:10.0.0.5", True),
        (("CT1", "MR1@10.0.0.1"), "MR1", "10.0.0.1", True),
    ],
)
def test_who_may_call(lines, title, address, is_in):
    assert may_call(read_callers(lines), title, address) is is_in


def test_who_may_connect_before_saying_a_title():
    callers = read_callers(["CT1@10.0.0.1", "@192.168.0.0/16"])
    assert may_connect(callers, "10.0.0.1")
    assert may_connect(callers, "192.168.7.7")
    assert not may_connect(callers, "10.0.0.2")
    assert may_connect(read_callers(["CT1"]), "10.0.0.2")


@pytest.mark.parametrize("line", ["", "CT1@", "CT1@nowhere", "A" * 17, "a\\b"])
def test_a_line_that_means_nothing_is_bad_input(line):
    with pytest.raises(InputError):
        read_callers([line])
