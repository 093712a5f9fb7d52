import json
from dataclasses import replace

import numpy as np
import pytest

from medloop.models.engines import Machine, Precision
from medloop.models.measured import Measured, Memory, Subject, measure, too_far

HERE = Machine("openvino 1", "a processor", cores=2, has_bf16=True)
SUBJECT = Subject("organs", "ab" * 32, ("fp32", "bf16")).on(HERE, (1, 1, 4, 4))
MEASURED = Measured(SUBJECT, Precision.BF16, {"fp32": 360.0, "bf16": 63.0})
X = np.zeros((1, 1, 4, 4), np.float32)


class Watch:
    """A clock that networks set forward."""

    def __init__(self):
        self.s = 0.0

    def __call__(self):
        return self.s


class Network:
    """Takes its time, then answers the same."""

    def __init__(self, watch, seconds, answer):
        self.watch, self.seconds, self.answer = watch, seconds, answer

    def run(self, x):
        self.watch.s += self.seconds
        return self.answer


def timed(seconds, answers, checked=()):
    watch = Watch()
    networks = {
        p: (lambda p=p: Network(watch, seconds[p], {"logits": np.array([answers[p]])}))
        for p in seconds
    }
    return measure(SUBJECT, networks, X, checked=checked, clock=watch)


FP32, BF16, INT8 = Precision.FP32, Precision.BF16, Precision.INT8


def test_the_fastest_is_chosen():
    found = timed({FP32: 0.3, BF16: 0.06, INT8: 0.03}, {FP32: 1, BF16: 1, INT8: 9})
    assert found.chosen is INT8
    assert found.ms == pytest.approx({"fp32": 300, "bf16": 60, "int8": 30})


@pytest.mark.parametrize("slower", [0.28, 0.3, 0.6])
def test_what_gains_less_than_a_tenth_is_not_used(slower):
    assert timed({FP32: 0.3, INT8: slower}, {FP32: 1, INT8: 1}).chosen is FP32


def test_an_answer_too_far_off_is_refused_however_fast_it_comes():
    found = timed({FP32: 0.3, BF16: 0.01}, {FP32: 1, BF16: 1.03}, checked=[BF16])
    assert found.chosen is FP32
    assert found.refused == {"bf16": "logits differs by 0.03, limit 0.02"}
    assert "bf16 refused" in found.told()


def test_only_what_is_checked_can_be_refused():
    assert timed({FP32: 0.3, INT8: 0.01}, {FP32: 1, INT8: 1.03}).chosen is INT8


def test_measuring_a_slow_network_asks_it_twice():
    watch, asked = Watch(), []

    class Slow(Network):
        def run(self, x):
            asked.append(x)
            return super().run(x)

    measure(SUBJECT, {FP32: lambda: Slow(watch, 5.0, {})}, X, clock=watch)
    assert len(asked) == 2


def test_few_far_voxels_do_not_make_probabilities_differ():
    reference = {"probability": np.full(10_000, 0.5)}
    other = reference["probability"].copy()
    other[:9] = 0.9
    assert not too_far(reference, {"probability": other})
    other[:11] = 0.9
    assert too_far(reference, {"probability": other})


def test_what_is_no_number_is_too_far():
    assert too_far({"logits": np.array([1.0])}, {"logits": np.array([np.nan])})


def test_a_memory_says_what_was_kept_in_it(tmp_path):
    memory = Memory(tmp_path / "new" / "measured.json")
    assert memory.recall(SUBJECT) is None
    memory.keep(MEASURED)
    assert Memory(memory.path).recall(SUBJECT) == MEASURED
    assert memory.recall(replace(SUBJECT, bundle="renamed")) == MEASURED
    assert MEASURED.told() == "1x1x4x4: bf16 63 ms, fp32 360 ms; auto takes bf16"


@pytest.mark.parametrize(
    "other",
    [
        {"sha256": "cd" * 32},
        {"shape": (1, 1, 8, 8)},
        {"engine": "openvino 2"},
        {"processor": "another"},
        {"cores": 4},
        {"offered": ("fp32", "int8")},
    ],
)
def test_another_network_shape_or_machine_is_not_known(tmp_path, other):
    memory = Memory(tmp_path / "measured.json")
    memory.keep(MEASURED)
    assert memory.recall(replace(SUBJECT, **other)) is None


def test_what_was_remembered_first_holds(tmp_path):
    memory = Memory(tmp_path / "measured.json")
    memory.keep(MEASURED)
    assert memory.keep(replace(MEASURED, chosen=FP32)) == MEASURED
    assert memory.all() == (MEASURED,)


@pytest.mark.parametrize(
    "damage",
    ["", "no JSON", "[]", "{}", '{"schema": "medloop.measured/1"}', "\x00"]
    + [
        json.dumps({"schema": "medloop.measured/1", "measured": rows})
        for rows in ([1], [{}], 3)
    ],
)
def test_a_damaged_file_is_forgotten_and_written_anew(tmp_path, damage):
    memory = Memory(tmp_path / "measured.json")
    memory.path.write_text(damage)
    assert memory.all() == ()
    memory.keep(MEASURED)
    assert memory.all() == (MEASURED,)


def test_a_file_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    memory = Memory(tmp_path / "file" / "measured.json")
    assert memory.keep(MEASURED) == MEASURED
    assert memory.all() == ()
