"""Times what a reader waits for: sentences, preview and signature on a chest CT of 300 slices.

Documents are made in the background; they are made several times, of preliminary reports, and
medians are told, with the processor's time beside what the clock says.

python -m benchmarks.sign_report [--slices 300] [--side 512] [--rounds 5]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from tests.apps.web.jobs_done import a_ball
from tests.workflow.read_cases import CENTERS, a_read_ct, read
from tests.workflow.signing import signed

from medloop.annotation import masks
from medloop.annotation.draft import mask_to_plain
from medloop.clinical.conclusion import concluded
from medloop.clinical.lung import codes
from medloop.clinical.reports import pictures_for
from medloop.core.attestation import Meaning
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.store import Store, open_store
from medloop.store.reading import Reading
from medloop.workflow.reissue import Press, attested, issue_due, report_html
from medloop.workflow.revising import Revising
from medloop.workflow.stored import StoreArchive


def main() -> None:
    """Draw a CT, correct it, and time each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    volume = a_chest(asked.slices, asked.side)
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        store = open_store(root / "store")
        job = a_read_ct(store, root / "ct", now=now, volume=volume)
        reading = read(store, job, ("reject", "2", None), now=now)
        revising = Revising(store, StoreArchive(store))
        _timed("sentences", lambda: _told(revising, reading.id))
        labels = np.zeros(volume.grid.shape, np.uint8)
        labels[a_ball(volume.grid, CENTERS[0], 20.0)] = 1
        kept = store.archive.put(masks.encode(labels, volume.grid))
        plain = mask_to_plain(kept, {1: codes.segment_of(1)})
        read(store, job, ("mask", "", plain), now=now)
        _timed("sentences after the first mask was drawn", lambda: _told(revising, reading.id))
        labels[a_ball(volume.grid, CENTERS[0], 22.0)] = 1
        kept = store.archive.put(masks.encode(labels, volume.grid))
        plain = mask_to_plain(kept, {1: codes.segment_of(1)})
        read(store, job, ("mask", "", plain), now=now)
        _timed("sentences after the next mask was drawn", lambda: _told(revising, reading.id))
        _timed("sentences again", lambda: _told(revising, reading.id))
        _timed("preview", lambda: _preview(revising, reading.id))
        _documents(store, reading, revising, asked.rounds)
        store.close()


def _documents(store: Store, reading: Reading, revising: Revising, rounds: int) -> None:
    """Sign again and again, and time the documents of each version."""
    press = Press(StoreArchive(store), lambda: datetime.now(UTC), {})
    spent = []
    for number in range(rounds):
        now = datetime.now(UTC)
        sign = partial(signed, store, reading, Meaning.PRELIMINARY, now=now, revising=revising)
        if number:
            sign()
        else:
            _timed("signature (without its password)", sign)
        spent.append(_spent(lambda: issue_due(store, press)))
    _tell("documents, in the background, of a process that begins", spent[:1])
    if spent[1:]:
        _tell("documents, in the background, of one that runs", spent[1:])


def a_chest(slices: int, side: int) -> Volume:
    """Noisy air."""
    affine = np.array(
        [[0, 0, 0.7, -0.35 * side], [0, 0.7, 0, -0.35 * side], [1.0, 0, 0, -10], [0, 0, 0, 1.0]]
    )
    grid = Grid((slices, side, side), affine, "2.25.816")
    return Volume(
        np.random.default_rng(0).integers(-900, -800, grid.shape).astype(np.int16), grid, "HU"
    )


def _told(revising: Revising, number: int) -> object:
    revision = revising.read(number)
    return concluded(revision.case, revision.result, "en")


def _preview(revising: Revising, number: int) -> object:
    revision = revising.whole(number)
    result = attested(revision, None)
    return report_html(revision, result, "en", figures=pictures_for(revision.case, result))


def _timed(name: str, act: Callable[[], object]) -> None:
    started = time.perf_counter()
    act()
    print(f"{name}: {time.perf_counter() - started:.3f} s")


def _spent(act: Callable[[], object]) -> tuple[float, float]:
    """Return what something takes by the clock, and of processors (seconds)."""
    clock, processor = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - clock, time.process_time() - processor


def _tell(name: str, spent: list[tuple[float, float]]) -> None:
    clock, processor = (statistics.median(each) for each in zip(*spent, strict=True))
    print(f"{name}: {clock:.2f} s, {processor:.2f} s of processors (median of {len(spent)})")


if __name__ == "__main__":
    main()
