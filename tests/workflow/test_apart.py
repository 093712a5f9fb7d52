"""What all readers said of results in a store, and what may be trained on because of it."""

from datetime import UTC, datetime

import numpy as np
import pytest

from medloop.annotation.blinding import panel
from medloop.annotation.pairs import Measure, agreements, value_for
from medloop.annotation.quality import Standing, gate
from medloop.core.edit import Action, Edit
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.store import open_store
from medloop.store.reading import Meaning, Purpose, Version
from medloop.workflow.apart import Ledger, counts_of
from medloop.workflow.lightbox import lightbox_of
from medloop.workflow.reviewing import add_edit, mask_edit, review_of
from medloop.workflow.scene import look_up
from medloop.workflow.stored import StoreArchive
from tests.apps.web.jobs_done import a_ct

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BALLS = (((-20.0, 5.0, 30.0), 12.0),)


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture
def grid() -> Grid:
    affine = np.array(
        [[0, 0, 2.0, -40.0], [0, 2.0, 0, -30.0], [5.0, 0, 0, 10.0], [0, 0, 0, 1.0]]
    )
    return Grid((6, 32, 40), affine, "2.25.816")


@pytest.fixture
def job(store, tmp_path, grid):
    volume = Volume(np.full(grid.shape, -900, np.int16), grid, "HU")
    return a_ct(store, tmp_path / "ct", volume, BALLS, now=NOON)


def a_ledger(store, wanted=2) -> Ledger:
    lightbox = lightbox_of(store.root)

    def images(looked):
        found = lightbox.find(looked.study.uid, looked.selection)
        case = StoreArchive(store).case(looked.study, looked.selection)
        return found or lightbox.prepare(case)

    return Ledger(store, lambda _analysis: wanted, images)


def draws(store, job, grid, reader, columns, purpose=Purpose.READ) -> None:
    """Draw a box of ten columns from a column on, and hand it in."""
    labels = np.zeros(grid.shape, np.uint8)
    labels[2, 5:15, columns : columns + 10] = 1
    review = review_of(store, store.readings.open(job.id, reader, purpose, now=NOON))
    edit = mask_edit(store, review, labels, review.draft.segments, grid)
    add_edit(store, review, edit, expected=0, now=NOON, actor=reader)
    store.readings.hand_in(review.reading.id, now=NOON)


def standing(store, job, kappa_min=0.6, measure=Measure.MASK) -> Standing:
    seen = [one for each in a_ledger(store).compared() for one in each.seen]
    found = agreements(seen, rng=np.random.default_rng(1), draws=0)
    readings = panel(store.readings.of_job(job.id), wanted=2)
    value = value_for(found, "lung", measure)
    return gate(readings, value, kappa_min=kappa_min).standing


def test_readers_who_draw_alike_let_their_label_leave(store, job, grid):
    draws(store, job, grid, "li", 10)
    assert standing(store, job) is Standing.MISSING
    draws(store, job, grid, "wang", 12)  # 8 of 10 columns are common: Dice 0.8
    assert standing(store, job, kappa_min=0.8) is Standing.AGREED
    assert standing(store, job, kappa_min=0.81) is Standing.DISAGREED


def test_an_adjudication_opens_the_gate(store, job, grid):
    draws(store, job, grid, "li", 0)
    draws(store, job, grid, "wang", 20)
    assert standing(store, job) is Standing.DISAGREED
    draws(store, job, grid, "chen", 10, Purpose.ADJUDICATE)
    assert standing(store, job) is Standing.ADJUDICATED


def test_what_nobody_measured_stays_here(store, job, grid):
    draws(store, job, grid, "li", 0)
    draws(store, job, grid, "wang", 0)
    # One grade throughout has no kappa.
    assert standing(store, job, measure=Measure.GRADE) is Standing.UNMEASURED


def test_a_ledger_compares_again_only_what_changed(store, job, grid):
    draws(store, job, grid, "li", 10)
    draws(store, job, grid, "wang", 12)
    ledger = a_ledger(store)
    first = ledger.compared()
    assert ledger.compared()[0] is first[0]
    draws(store, job, grid, "zhao", 14)
    assert ledger.compared()[0].readers == ("li", "wang", "zhao")


def test_a_ledger_out_of_time_says_how_much_is_left(store, job, grid):
    draws(store, job, grid, "li", 10)
    draws(store, job, grid, "wang", 12)
    ledger = a_ledger(store)
    ledger.budget_s = -1.0
    assert (ledger.compared(), ledger.waiting) == ((), 1)
    ledger.budget_s = 60.0
    assert len(ledger.compared()) == 1
    assert ledger.waiting == 0


def test_what_is_changed_after_the_final_report_does_not_count(store, job, grid):
    draws(store, job, grid, "wang", 12)
    reading = store.readings.open(job.id, "li", now=NOON)
    final = Version(0, Meaning.FINAL, "li", NOON, "en", "", "", "0" * 64)
    store.readings.sign(reading.id, final)
    edit = Edit(0, Action.REJECT, "1", None, None, 0.0, 0, NOON)
    add_edit(
        store,
        review_of(store, store.readings.get(reading.id)),
        edit,
        expected=0,
        now=NOON,
        actor="li",
    )
    verdicts = {
        each.names: each.values
        for each in a_ledger(store).compared()[0].seen
        if each.task.measure is Measure.VERDICT
    }
    assert verdicts["li", "wang"] == (1, 1)


def test_labels_that_nobody_knows_are_background(job, store):
    segments = look_up(store, job.id).recorded.segments
    one = np.array([[1, 1, 9, 0]])
    other = np.array([[1, 0, 9, 0]])
    assert counts_of(one, other, segments) == {"nodule 1": (2, 3)}
