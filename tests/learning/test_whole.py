"""Files of a training appear whole under the name that was asked for, or not at all."""

import errno

import pytest

from medloop.core.errors import ServiceError
from medloop.learning.whole import appearing


def test_what_was_written_beside_takes_its_name(tmp_path):
    with appearing(tmp_path / "weights.onnx") as beside:
        beside.write_bytes(b"x")
        assert not (tmp_path / "weights.onnx").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["weights.onnx"]


def test_a_file_that_cannot_be_written_is_named_as_it_was_asked_for(tmp_path):
    asked = tmp_path / "gone" / "weights.onnx"
    with pytest.raises(ServiceError) as caught, appearing(asked) as beside:
        beside.write_bytes(b"x")
    assert str(caught.value) == f"{asked} cannot be written: No such file or directory"


def test_a_full_disk_is_told_by_the_file_that_was_asked_for(tmp_path):
    asked = tmp_path / "weights.onnx"
    with pytest.raises(ServiceError) as caught, appearing(asked) as beside:
        raise OSError(errno.ENOSPC, "No space left on device", str(beside))
    assert str(caught.value) == f"{asked} cannot be written: No space left on device"
