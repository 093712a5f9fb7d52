"""Results from before results had an urgency get one, by the rules of today.

Bounded batches; where it stopped it goes on, and done twice it changes nothing. How far it has
come stands in a file of the store, so that a store without such results is not looked through
again.
"""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from medloop.core.errors import InputError, ServiceError
from medloop.core.record import from_json, from_record

if TYPE_CHECKING:  # whoever has a store has loaded it
    from medloop.store import Store
    from medloop.store.results import Unranked

log = logging.getLogger(__name__)

BATCH: Final = 200
_FILE: Final = "ranked.json"
_DONE: Final = -1


def rank_earlier(store: "Store", *, limit: int = BATCH) -> int:
    """Rank at most so many earlier results; return how many were looked at, 0 once all were.

    Raises
    ------
    ServiceError
        If database or disk cannot be written now.
    """
    file = store.root / _FILE
    after = _reached(file)
    if after == _DONE:
        return 0
    found = store.results.unranked(after=after, limit=limit)
    ranked = [each for each in map(_ranked, found) if each is not None]
    if ranked:
        store.results.rank(ranked)
    _note(file, found[-1].job if len(found) == limit else _DONE)
    return len(found)


def _ranked(found: "Unranked") -> "tuple[Unranked, int, str] | None":
    """Return a result with its urgency and why; None where it stays as it is."""
    from medloop.clinical.urgency import triage  # noqa: PLC0415 - loads every clinical question

    try:
        told = triage(from_record(from_json(found.record)).result)
    except InputError as bad:
        log.warning("result of job %s keeps no urgency: %s", found.job, bad)
        return None
    if not told.urgency and not told.because:
        return None
    return found, int(told.urgency), told.because


def _reached(file: Path) -> int:
    """Return the job up to which results were ranked, 0 where that is not known."""
    try:
        after = json.loads(file.read_text(encoding="utf-8"))["job"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return after if isinstance(after, int) else 0


def _note(file: Path, job: int) -> None:
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_text(json.dumps({"job": job}), encoding="utf-8")
        part.replace(file)
    except OSError as error:
        raise ServiceError(f"{file.name} cannot be written: {error.strerror}") from error
