"""Curves hold each epoch once, whatever interrupts the training."""

import cv2
import pytest

torch = pytest.importorskip("torch")

from medloop.learning.curves import (  # noqa: E402
    Point,
    Recorder,
    curve_path,
    draw_curves,
    read_curve,
)

pytestmark = pytest.mark.train


def a_point(epoch, loss=0.5, validation=None):
    return Point(epoch, loss, pace=1.0, seconds=2.0, validation=validation)


def test_epochs_done_anew_replace_the_old_ones(tmp_path):
    path = curve_path(tmp_path, "fold0")
    recorder = Recorder(path)
    for epoch in (1, 2, 3):
        recorder(a_point(epoch))
    again = Recorder(path)  # a run that goes on from the checkpoint of epoch 1
    again(a_point(2, loss=0.4, validation=0.6))
    assert read_curve(path) == (a_point(1), a_point(2, 0.4, 0.6))


def test_there_is_no_curve_before_the_first_epoch(tmp_path):
    assert read_curve(tmp_path / "none") == ()
    assert draw_curves(tmp_path) is None


def test_the_drawing_has_a_line_a_network(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")

    def inks(parts):
        for part in parts:
            recorder = Recorder(curve_path(tmp_path / "work", part))
            for epoch in (1, 2, 3):
                recorder(a_point(epoch, loss=1 / epoch + len(part), validation=2 / epoch))
        drawn = cv2.imread(str(draw_curves(tmp_path)))
        spread = drawn.max(axis=2).astype(int) - drawn.min(axis=2)
        return {tuple(c // 32) for c in drawn[spread > 100]}

    one = inks(["fold0"])
    both = inks(["fold0", "final"])
    assert one
    assert len(both) > len(one)


def test_tensorboard_is_told_every_epoch_once_also_after_a_resume(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    name = "tensorboard.backend.event_processing.event_accumulator"
    reader = pytest.importorskip(name, reason="tensorboard is not installed")
    path, board = tmp_path / "fold0.curve.jsonl", tmp_path / "board"
    before = Recorder(path, board)
    for epoch in (1, 2, 3):
        before(a_point(epoch, loss=1.0))
    before.close()
    after = Recorder(path, board)
    for epoch in (3, 4):
        after(a_point(epoch, loss=0.25, validation=0.5))
    after.close()
    events = reader.EventAccumulator(str(board)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [
        (1, 1.0),
        (2, 1.0),
        (3, 0.25),
        (4, 0.25),
    ]
    assert [e.step for e in events.Scalars("validation")] == [3, 4]
