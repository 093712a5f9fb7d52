"""What a PACS has and we have not is fetched, once, and the rest when something went wrong."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from pydicom.uid import generate_uid

from medloop.core.errors import ServiceError
from medloop.core.names import SeriesUid, SopUid, StudyUid
from medloop.core.retrieve import Held, Listed, Wanted
from medloop.store.arrivals import OWN
from medloop.store.spool import Spool
from medloop.workflow.pull import Found, Polling, Pull, Rule, look
from medloop.workflow.reception import Reception
from tests.dicom.slices import SERIES_UID, save, stack
from tests.peers import free_port, orthanc
from tests.workflow.cases import NOON

STUDY = StudyUid(SERIES_UID + ".1")


@dataclass
class FakePacs:
    """A PACS that has objects by study; breaks off after so many if told to."""

    studies: dict = field(default_factory=dict)  # study -> {uid: bytes}
    name: str = "archive"
    breaks_after: int | None = None
    is_away: bool = False
    tells_count: bool = True
    sends_elsewhere: object = None
    asked: list = field(default_factory=list)
    fetched: list = field(default_factory=list)

    def find(self, wanted):
        if self.is_away:
            raise ServiceError("archive does not answer")
        self.asked.append(wanted)
        return [
            Held(study, "20260301", ("CT",), len(objects) if self.tells_count else None)
            for study, objects in self.studies.items()
        ]

    def listing(self, study):
        return [Listed(uid, SeriesUid("1.2"), "") for uid in self.studies[study]]

    def fetch(self, study, missing, folder):
        sent = 0
        for part in missing:
            for each in part.objects:
                if sent == self.breaks_after:
                    raise ServiceError("archive broke off the retrieval")
                sent += 1
                self.fetched.append(each.uid)
                if self.sends_elsewhere is not None:
                    self.sends_elsewhere(self.studies[study][each.uid])
                    continue
                path = folder / f"{sent}.dcm"
                path.write_bytes(self.studies[study][each.uid])
                yield path


def a_ct(tmp_path, count, study=STUDY):
    objects = {}
    for piece in stack(range(count), StudyInstanceUID=study, SeriesInstanceUID=f"{study}.5"):
        piece.SOPInstanceUID = generate_uid()
        path = save(piece, tmp_path / "made.dcm")
        objects[SopUid(piece.SOPInstanceUID)] = path.read_bytes()
    return objects


@pytest.fixture
def reception(store, tmp_path):
    spool = Spool(tmp_path / "spool", reserve_bytes=0)
    yield Reception(store, spool, now=lambda: NOON)
    spool.close()


def pull(source, reception, found=None):
    found = look(source, Wanted(modality="CT"), reception.store) if found is None else found
    due = [each for each in found if not each.is_complete]
    way = Pull(source, reception, "somebody", sleep=lambda _: None)
    return list(way.studies(due, lambda _done, _total: None))


def test_a_study_is_fetched_once(reception, tmp_path):
    pacs = FakePacs({STUDY: a_ct(tmp_path, 5)})
    (first,) = pull(pacs, reception)
    assert (first.stored, first.reason) == (5, "")
    assert pull(pacs, reception) == []
    assert len(pacs.fetched) == 5


def test_a_whole_study_settles_at_once(reception, tmp_path):
    pull(FakePacs({STUDY: a_ct(tmp_path, 5)}), reception)
    assert reception.settle(NOON) == 1


def test_a_study_that_is_not_whole_waits_until_it_is_quiet(reception, tmp_path):
    pull(FakePacs({STUDY: a_ct(tmp_path, 5)}, breaks_after=3), reception)
    assert reception.settle(NOON) == 0
    assert reception.settle(NOON + timedelta(minutes=2)) == 1


def test_after_an_interruption_only_the_rest_is_fetched(reception, tmp_path):
    pacs = FakePacs({STUDY: a_ct(tmp_path, 80)}, breaks_after=70)
    (first,) = pull(pacs, reception)
    assert (first.stored, first.reason) == (70, "archive broke off the retrieval")
    pacs.breaks_after = None
    (second,) = pull(pacs, reception)
    assert (second.stored, second.known, second.reason) == (10, 0, "")
    assert len(set(pacs.fetched)) == len(pacs.fetched) == 80


def test_results_of_our_own_stand_for_no_image_and_are_not_fetched(reception, tmp_path):
    pieces = list(a_ct(tmp_path, 6).items())
    pull(FakePacs({STUDY: dict(pieces[:2])}), reception)
    reception.store_now([data for _, data in pieces[4:]], OWN)
    (late,) = pull(FakePacs({STUDY: dict(pieces[:4])}), reception)
    assert late.stored == 2
    assert pull(FakePacs({STUDY: dict(pieces[:4])}), reception) == []
    sent = FakePacs({STUDY: dict(pieces)})
    assert [each.count for each in pull(sent, reception)] == [0]
    assert sent.fetched == []


def test_a_pacs_that_counts_nothing_is_asked_for_its_list(reception, tmp_path):
    pacs = FakePacs({STUDY: a_ct(tmp_path, 3)}, tells_count=False)
    assert [each.stored for each in pull(pacs, reception)] == [3]
    assert [each.count for each in pull(pacs, reception)] == [0]
    assert len(pacs.fetched) == 3


def test_one_study_that_fails_leaves_the_others(reception, tmp_path):
    other = StudyUid("1.2.9")
    pacs = FakePacs({StudyUid("1.2.8"): {}, other: a_ct(tmp_path, 2, other)})
    empty, whole = pull(pacs, reception, look_all(pacs))
    assert empty.reason == "archive lists no object of it"
    assert whole.stored == 2


def look_all(pacs):
    return [Found(replace(held, instances=None), 0) for held in pacs.find(Wanted())]


def test_what_cannot_be_read_is_counted_and_the_rest_kept(reception, tmp_path):
    objects = a_ct(tmp_path, 2) | {SopUid("1.2.3"): b"no DICOM at all"}
    (pulled,) = pull(FakePacs({STUDY: objects}), reception)
    assert (pulled.stored, pulled.refused) == (2, 1)


def test_every_study_that_came_stands_in_the_audit_without_the_patient(reception, tmp_path):
    pull(FakePacs({STUDY: a_ct(tmp_path, 2)}), reception)
    (entry,) = reception.store.audit.entries()
    assert (entry.actor, entry.action, entry.subject) == ("somebody", "pulled", STUDY)
    assert entry.details == {"source": "archive", "new": "2"}


def test_nothing_of_a_pull_is_left_beside_the_store(reception, tmp_path):
    pull(FakePacs({STUDY: a_ct(tmp_path, 5)}, breaks_after=2), reception)
    assert list(reception.store.root.glob("pull-*")) == []


def test_what_goes_to_our_own_receiver_settles_as_soon_as_it_is_there(reception, tmp_path):
    def receive(content):
        incoming = reception.spool.open("receiver")
        incoming.write(content)
        incoming.keep()

    pacs = FakePacs({STUDY: a_ct(tmp_path, 4)}, sends_elsewhere=receive)
    found = look(pacs, Wanted(modality="CT"), reception.store)
    way = Pull(pacs, reception, "somebody", sleep=lambda _: reception.take_in(NOON))
    (pulled,) = way.studies(found, lambda _done, _total: None)
    assert (pulled.sent, pulled.stored) == (4, 0)
    assert reception.settle(NOON) == 1


def test_progress_ends_with_all_that_was_missing(reception, tmp_path):
    told = []
    pacs = FakePacs({STUDY: a_ct(tmp_path, 70)})
    found = look(pacs, Wanted(), reception.store)
    list(Pull(pacs, reception, "x").studies(found, lambda *counts: told.append(counts)))
    assert told == [(64, 70), (70, 70), (70, 70)]


def test_a_rule_is_followed_when_it_is_due(reception, tmp_path):
    pacs = FakePacs({STUDY: a_ct(tmp_path, 2)})
    rule = Rule(pacs, timedelta(minutes=5), "today", Wanted(modality="CT"))
    polling = Polling([rule], reception)
    assert polling.poll(NOON) == 2
    assert polling.poll(NOON + timedelta(minutes=4)) == 0
    assert len(pacs.asked) == 1
    pacs.studies[STUDY] |= a_ct(tmp_path, 1)
    assert polling.poll(NOON + timedelta(minutes=5)) == 1
    today = NOON.astimezone().date()
    assert pacs.asked[-1] == Wanted(first=today, last=today, modality="CT")


def test_a_pacs_that_is_away_stops_no_other_rule(reception, tmp_path, caplog):
    away = FakePacs(is_away=True)
    here = FakePacs({STUDY: a_ct(tmp_path, 2)})
    rules = [Rule(each, timedelta(minutes=5), "today") for each in (away, here)]
    assert Polling(rules, reception).poll(NOON) == 2
    assert "archive does not answer" in caplog.text


def test_what_cannot_be_read_is_not_fetched_again_at_every_turn(reception, tmp_path):
    pacs = FakePacs({STUDY: a_ct(tmp_path, 1) | {SopUid("1.2.3"): b"no DICOM"}})
    polling = Polling([Rule(pacs, timedelta(minutes=5), "today")], reception)
    for turn in range(5):
        polling.poll(NOON + turn * timedelta(minutes=5))
    assert pacs.fetched.count("1.2.3") == 2


@pytest.mark.slow
def test_a_real_orthanc_is_pulled_from_by_dicomweb_and_by_dimse(reception, tmp_path):
    net = pytest.importorskip("medloop.dicom.net.query", reason="pynetdicom is not installed")
    landing = pytest.importorskip("medloop.dicom.net.landing", reason="no pynetdicom")
    web = pytest.importorskip("medloop.dicom.web.source", reason="no dicomweb-client")
    port = free_port()
    with orthanc(tmp_path, modalities={"MEDLOOP": port}) as server:
        here = landing.Here("MEDLOOP", "127.0.0.1", port)
        dimse = net.Pacs("dimse", "127.0.0.1", server.dicom_port, server.aet, here)
        ways = [web.WebPacs("web", server.dicomweb), dimse, replace(dimse, is_moved=True)]
        for number, way in enumerate(ways):
            study = StudyUid(f"1.2.826.{number}")
            server.upload(*a_ct(tmp_path, 20, study).values())
            found = look(way, Wanted(study=study), reception.store)
            (pulled,) = Pull(way, reception, "x").studies(found, lambda *_: None)
            assert (pulled.stored, pulled.reason) == (20, "")
            assert all(f.is_complete for f in look(way, Wanted(study=study), reception.store))
    assert reception.settle(NOON) == 3
