"""Times what a reader waits for: sentences, preview and signature on a chest CT of 300 slices.

python -m benchmarks.sign_report [--slices 300] [--side 512]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
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
from medloop.store import open_store
from medloop.workflow.reissue import Press, attested, issue_due, report_html
from medloop.workflow.revising import Revising
from medloop.workflow.stored import StoreArchive


def main() -> None:
    """Draw a CT, correct it, and time each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--side", type=int, default=512)
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
        _timed(
            "signature (without its password)",
            lambda: signed(store, reading, Meaning.FINAL, now=now, revising=revising),
        )
        press = Press(StoreArchive(store), lambda: datetime.now(UTC), {})
        _timed("documents, in the background", lambda: issue_due(store, press))
        store.close()


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


if __name__ == "__main__":
    main()
