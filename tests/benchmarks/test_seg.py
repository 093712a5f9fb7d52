import numpy as np
from benchmarks.seg import Drawn, read_ours, read_theirs, write_ours, write_theirs


def test_both_sides_write_and_read_the_same_labels(tmp_path):
    drawn = Drawn.in_folder(tmp_path, 4, 5)
    assert set(np.unique(drawn.labels.array)) == set(range(6))
    write_ours(drawn, tmp_path / "ours.dcm")
    write_theirs(drawn, tmp_path / "theirs.dcm")
    for read in (
        read_ours(drawn, tmp_path / "ours.dcm"),
        read_theirs(drawn, tmp_path / "ours.dcm"),
        read_theirs(drawn, tmp_path / "theirs.dcm"),
    ):
        assert np.array_equal(read, drawn.labels.array)
