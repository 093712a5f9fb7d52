"""Run a command in a fresh process, and say what it took: seconds, and memory at its peak.

Linux counts the memory of whoever starts a process into the peak of what it starts. So a small
launcher stands between (this file, run by ``python -I -S``): the peak is the command's own. The
launcher also takes the limits that the command is to have.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process and those it starts may have; None is no limit.

    `data_bytes` bounds private memory that can be written (RLIMIT_DATA): all that is allocated,
    used or not, so more than what is resident; files that are mapped do not count.
    """

    data_bytes: int | None = None
    cores: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended. `peak_mb` is its largest resident set, in 10^6 bytes."""

    code: int
    seconds: float
    peak_mb: float
    errors: str


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    limits: Limits = NO_LIMITS,
    *,
    timeout_s: float = _TIMEOUT_S,
) -> Ran:
    """Run a command and wait for it; its standard output is dropped.

    What has not ended in time is killed: libraries that are refused memory may try for ever.
    """
    started = time.perf_counter()
    order = json.dumps([list(command), limits.data_bytes, limits.cores])
    with subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(__file__).resolve()), order],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as launcher:
        try:
            answer, errors = launcher.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return Ran(-signal.SIGKILL, timeout_s, 0.0, f"not done after {timeout_s:.0f} s")
        finally:
            if launcher.poll() is None:
                os.killpg(launcher.pid, signal.SIGKILL)
    if launcher.returncode:
        raise OSError(errors.strip())
    code, maxrss = json.loads(answer)
    unit = 1 if sys.platform == "darwin" else 1024
    return Ran(code, time.perf_counter() - started, maxrss * unit / 1e6, errors)


def _launch(command: list[str], data_bytes: int | None, cores: int | None) -> None:
    import resource  # noqa: PLC0415 (Windows lacks it)

    if cores is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    if data_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, data_bytes))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss]))


if __name__ == "__main__":
    _launch(*json.loads(sys.argv[1]))
