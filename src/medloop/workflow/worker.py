"""Running jobs: one by hand, or all that wait in the store.

The class of an error decides how a job ends; this is the one place where a bug is caught.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from medloop.core.errors import InputError, ServiceError, UnsuitableError
from medloop.core.finding import Result
from medloop.core.study import Case, Selection, Study
from medloop.workflow.ports import Analysis, Archive

log = logging.getLogger(__name__)


class Ending(StrEnum):
    """How a run ended."""

    DONE = "done"
    SKIPPED = "skipped"  # the analysis does not suit the data
    FAILED = "failed"  # the data is bad, or we have a bug
    RETRY = "retry"  # the world is wrong just now


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, why (empty when done), and the result folder (None unless done)."""

    state: Ending
    reason: str = ""
    path: Path | None = None


def run(
    analysis: Analysis,
    archive: Archive,
    study: Study,
    selection: Selection,
    *,
    write: Callable[[Case, Result], Path],
    clock: Callable[[], float] = time.perf_counter,
) -> Outcome:
    """Read, analyze and write one selection; never raises but for interruptions.

    `write` keeps the products and returns their folder. What reading took and had to say is
    added to the result that `write` gets.
    """
    try:
        started = clock()
        case = archive.case(study, selection)
        read_s = clock() - started
        result = analysis.analyze(case)
        result = replace(
            result,
            warnings=tuple(dict.fromkeys(case.warnings + result.warnings)),
            timings_s={**result.timings_s, "read": read_s},
        )
        return Outcome(Ending.DONE, path=write(case, result))
    except UnsuitableError as unsuitable:
        return Outcome(Ending.SKIPPED, str(unsuitable))
    except InputError as bad:
        return Outcome(Ending.FAILED, str(bad))
    except ServiceError as trouble:
        return Outcome(Ending.RETRY, str(trouble))
    except Exception as bug:
        log.exception("analysis %s has a bug", analysis.name)
        return Outcome(Ending.FAILED, f"internal error: {type(bug).__name__}")
