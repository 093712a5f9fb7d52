"""What waits in the spool is indexed many at a time while it comes, and soon in any case."""

from datetime import UTC, datetime, timedelta

import pytest

from medloop.store.spool import Spool
from medloop.workflow.indexing import ENOUGH, LONGEST, Indexing
from medloop.workflow.reception import Reception
from tests.dicom.slices import a_slice, save

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENT = timedelta(seconds=0.05)


@pytest.fixture
def indexing(store, tmp_path):
    spool = Spool(tmp_path / "spool", reserve_bytes=0, segment_bytes=1 << 20)
    yield Indexing(Reception(store, spool))
    spool.close()


def come(indexing, folder, numbers) -> None:
    for n in numbers:
        piece = a_slice((0.0, 0.0, float(n)), SOPInstanceUID=f"2.25.{n + 1}")
        incoming = indexing.reception.spool.open("CT1")
        incoming.write(save(piece, folder / "piece.dcm").read_bytes())
        incoming.keep()


def test_objects_are_indexed_once_no_more_come(indexing, tmp_path):
    come(indexing, tmp_path, range(2))
    assert indexing.look(NOON) == 0
    come(indexing, tmp_path, range(2, 3))
    assert indexing.look(NOON + MOMENT) == 0
    assert indexing.look(NOON + 2 * MOMENT) == 3
    assert indexing.look(NOON + 3 * MOMENT) == 0


def test_many_objects_are_indexed_though_more_may_come(indexing, tmp_path):
    come(indexing, tmp_path, range(ENOUGH + 1))
    assert indexing.look(NOON) == ENOUGH + 1


def test_objects_that_trickle_in_wait_for_a_moment_at_most(indexing, tmp_path):
    come(indexing, tmp_path, range(1))
    assert indexing.look(NOON) == 0
    come(indexing, tmp_path, range(1, 2))
    assert indexing.look(NOON + LONGEST) == 2
    come(indexing, tmp_path, range(2, 3))
    assert indexing.look(NOON + LONGEST + MOMENT) == 0
