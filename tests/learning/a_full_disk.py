"""A program whose disk is full after the first epoch.

No file may grow beyond 1 kB then; or, with a second word, another file fills the file system.
"""

import resource
import sys
from contextlib import suppress
from pathlib import Path

from medloop.core.errors import ServiceError
from medloop.learning.loop import Run, fit
from tests.learning.test_loop import SCHEDULE, a_network, batches, loss


def fill(progress) -> None:
    if progress.epoch != 1:
        return
    if len(sys.argv) > 2:
        with suppress(OSError):
            (Path(sys.argv[1]) / "others").write_bytes(bytes(100_000))
    else:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))


if __name__ == "__main__":
    try:
        run = Run(1, checkpoint=Path(sys.argv[1]) / "checkpoint")
        fit(a_network(), batches, loss, SCHEDULE, run, fill)
    except ServiceError as why:
        sys.exit(str(why))
