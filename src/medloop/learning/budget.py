"""A budget of time: a few steps are timed, and the length of the training follows."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Final

from torch import nn

from medloop.core.errors import SettingError
from medloop.learning.loop import Batches, Loss, Run, Schedule, fit
from medloop.learning.whole import write_text

_TIMED: Final = 8  # steps, after those that warm up
_WARM: Final = 3
_EPOCHS: Final = 20  # at least, so that there are checkpoints; an epoch is shortened for it
_SPARE: Final = 0.92  # of the time for steps, the rest for checkpoints and what is not timed
_WATCHING: Final = 1.1  # a validation costs about a tenth


@dataclass(frozen=True, slots=True)
class Length:
    """How long a training is, and the seconds a step that it was planned with."""

    epochs: int
    steps: int  # batches an epoch; 0 for as many as the cases fill
    step_s: float

    def in_words(self, minutes: float) -> str:
        """Say it on a line, with the settings that give the same weights again."""
        steps = f" --set steps={self.steps}" if self.steps else ""
        return (
            f"budget: {minutes:g} minutes a network at {self.step_s:.2f} s a step; the same"
            f" again, however fast the machine: --set epochs={self.epochs}{steps}"
        )


def length_for(minutes: float, step_s: float, steps: int, *, watches: bool = False) -> Length:
    """Fill the time with epochs of `steps` batches, or with more and shorter ones.

    Raises
    ------
    SettingError
        If it is not enough for one step.
    """
    count = int(minutes * 60 * _SPARE / (step_s * (_WATCHING if watches else 1.0)))
    if count < 1:
        raise SettingError(f"setting minutes={minutes:g}: one step takes {step_s:.1f} s")
    if count >= _EPOCHS * steps:
        return Length(count // steps, 0, step_s)
    epochs = min(_EPOCHS, count)
    return Length(epochs, max(1, count // epochs), step_s)


def kept_length(path: Path, plan: Callable[[], Length]) -> Length:
    """Return the length that was decided on, or decide and keep it: a resume finds the same."""
    if path.is_file():
        return Length(**json.loads(path.read_text(encoding="utf-8")))
    decided = plan()
    write_text(path, json.dumps(asdict(decided)) + "\n")
    return decided


def time_step(
    network: nn.Module, batches: Batches, loss: Loss, schedule: Schedule, run: Run
) -> float:
    """Train a network that is thrown away for some steps; return the median seconds a step."""
    times: list[float] = []
    steps = min(schedule.steps, _WARM + _TIMED)
    short = Schedule(epochs=-(-(_WARM + _TIMED) // steps), steps=steps, rate=0.0, head_rate=0.0)
    alone = Run(
        run.seed,
        run.device,
        precision=run.precision,
        pulse=lambda _done, _all: times.append(time.perf_counter()),
    )
    fit(network, lambda rng: islice(batches(rng), steps), loss, short, alone)
    gaps = [after - before for before, after in pairwise(times)]
    return statistics.median(gaps[_WARM - 1 :])
