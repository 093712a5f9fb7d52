"""Studies that stay in a PACS are listed once they are quiet, and routed."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medloop.core.errors import InputError, ServiceError
from medloop.core.retrieve import Held
from medloop.core.study import Selection, StudyUid
from medloop.store.named import named_by
from medloop.store.retention import Rules, due
from medloop.workflow.listing import Listing
from medloop.workflow.pull import Rule
from medloop.workflow.stored import StoreArchive
from tests.store.studies import a_study

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERY = timedelta(minutes=1)


@dataclass
class Pacs:
    """A PACS with one study, whose objects are nowhere else."""

    folder: Path
    count: int | None = 4
    name: str = "pacs"
    damaged: bool = False
    away: bool = False
    asked: list[str] = field(default_factory=list)

    def find(self, wanted):
        if self.away:
            raise ServiceError("pacs cannot be reached")
        return (Held(StudyUid("1.2"), instances=self.count),)

    def listing(self, study):
        return range(4)

    def study(self, uid):
        self.asked.append(uid)
        if self.damaged:
            raise InputError("PACS holds no object of the study")
        whole = a_study(self.folder / "scans", uid)
        series = tuple(
            replace(s, instances=tuple(replace(i, path=Path(), sha256="") for i in s.instances))
            for s in whole.series
        )
        return replace(whole, series=series)


@dataclass(frozen=True)
class Every:
    name: str = "every"

    def select(self, study):
        return [Selection(study.series)]


@pytest.fixture
def pacs(tmp_path):
    return Pacs(tmp_path)


@pytest.fixture
def listing(pacs, store):
    return Listing(Rule(pacs, EVERY), pacs, store, lambda: [Every()], quiet_s=60)


def after(minutes: int) -> datetime:
    return NOON + minutes * EVERY


def test_a_study_is_listed_and_routed_once_it_is_quiet(listing, pacs, store):
    assert [listing.poll(after(n)) for n in range(4)] == [0, 1, 0, 0]
    assert pacs.asked == ["1.2"]
    (job,) = store.jobs.all()
    assert len(job.selection) == 4
    assert list(store.archive.objects()) == []


def test_a_study_that_grows_waits_and_is_listed_again(listing, pacs, store):
    listing.poll(after(0))
    pacs.count = 5
    assert listing.poll(after(1)) == 0
    assert listing.poll(after(2)) == 1
    assert listing.poll(after(3)) == 0  # of what it holds, one object cannot be read
    pacs.count = 6
    assert [listing.poll(after(n)) for n in (4, 5)] == [0, 1]
    assert len(store.jobs.all()) == 1


def test_what_was_listed_before_is_known_to_the_next_process(listing, pacs, store):
    listing.poll(after(0))
    listing.poll(after(1))
    again = replace(listing, _seen={}, _listed={}, _due=None)
    assert [again.poll(after(n)) for n in (2, 3)] == [0, 0]
    assert len(pacs.asked) == 1


def test_objects_are_counted_where_the_pacs_does_not(listing, pacs):
    pacs.count = None
    assert [listing.poll(after(n)) for n in range(3)] == [0, 1, 0]


def test_trouble_is_told_and_holds_nothing_up(listing, pacs, caplog):
    pacs.away = True
    assert listing.poll(after(0)) == 0
    assert "cannot be reached" in caplog.text
    pacs.away, pacs.damaged = False, True
    assert [listing.poll(after(n)) for n in (1, 2, 3)] == [0, 1, 0]
    assert "holds no object" in caplog.text


def test_what_is_not_here_is_neither_missed_nor_let_go(listing, store):
    listing.poll(after(0))
    listing.poll(after(1))
    with store.database.reading() as connection:
        assert named_by(connection).objects == frozenset()
    assert due(store, Rules(max_bytes=1), now=after(600)) == ()
    study = StoreArchive(store).study(StudyUid("1.2"))
    with pytest.raises(InputError, match="in a PACS"):
        StoreArchive(store).case(study, Selection(study.series))
