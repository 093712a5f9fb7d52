"""Routing is a pure function over what analyses select."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, UnsuitableError
from medloop.core.study import (
    Content,
    Instance,
    Selection,
    Series,
    SeriesUid,
    SopUid,
    Study,
    StudyUid,
)
from medloop.workflow.routing import (
    Refusal,
    Route,
    folder_name,
    instances_of,
    route,
    selection_from,
    suiting,
    urgency_of,
)


def a_series(uid: str, *, photographs: int = 1, modality: str = "OP") -> Series:
    instances = tuple(
        Instance(SopUid(f"{uid}.{n}"), "", Path(f"{uid}.{n}.jpg"), f"{n:064}")
        for n in range(photographs)
    )
    return Series(SeriesUid(uid), modality, "", Content.PICTURES, instances, uid)


def a_study(*series: Series) -> Study:
    return Study(StudyUid("2.25.1"), "eyes", series)


@dataclass(frozen=True)
class EachPhotograph:
    """Selects every photograph for itself; says no to the rest."""

    name: str = "retina"
    error: Exception | None = None

    def select(self, study: Study) -> tuple[Selection, ...]:
        if self.error:
            raise self.error
        return tuple(
            Selection((replace(series, instances=(instance,)),))
            for series in study.series
            if series.modality == "OP"
            for instance in series.instances
        )

    def analyze(self, case):
        raise NotImplementedError


def test_each_photograph_becomes_a_route_with_a_folder_of_its_own():
    routes = route([a_study(a_series("1", photographs=3))], [EachPhotograph()])
    assert [each.folder for each in routes] == ["retina", "retina-2", "retina-3"]
    assert [each.selection.series[0].instances[0].uid for each in routes] == [
        "1.0",
        "1.1",
        "1.2",
    ]


def test_an_unsuitable_study_is_refused_with_the_reason():
    no = EachPhotograph(error=UnsuitableError("no photograph, 3 CT series"))
    (refusal,) = route([a_study()], [no])
    assert refusal == Refusal(a_study(), no, "no photograph, 3 CT series")
    assert not refusal.is_bad


def test_bad_data_is_told_from_the_wrong_tool():
    (refusal,) = route([a_study()], [EachPhotograph(error=InputError("slice gap 9 mm"))])
    assert refusal.is_bad


def test_selecting_nothing_is_a_refusal_too():
    (refusal,) = route([a_study(a_series("1", modality="CT"))], [EachPhotograph()])
    assert "retina" in refusal.reason


def test_answers_come_study_by_study_and_one_refusal_stops_nothing():
    yes, no = EachPhotograph(), EachPhotograph("lung", error=UnsuitableError("no CT"))
    one, two = a_study(a_series("1")), replace(a_study(a_series("2")), uid=StudyUid("2.25.2"))
    answers = route([one, two], [no, yes])
    assert [(type(a), a.study.uid) for a in answers] == [
        (Refusal, "2.25.1"),
        (Route, "2.25.1"),
        (Refusal, "2.25.2"),
        (Route, "2.25.2"),
    ]


@given(st.data())
def test_a_selection_survives_as_names(data):
    study = a_study(*(a_series(str(n), photographs=4) for n in range(3)))
    chosen = data.draw(st.permutations(study.series))[: data.draw(st.integers(1, 3))]
    selection = Selection(
        tuple(
            replace(
                series,
                instances=tuple(
                    data.draw(st.permutations(series.instances))[: data.draw(st.integers(1, 4))]
                ),
            )
            for series in chosen
        )
    )
    assert selection_from(study, instances_of(selection)) == selection


@pytest.mark.parametrize("uids", [(), ("9.9",), ("1.0", "9.9")])
def test_a_selection_of_what_the_study_lacks_is_bad_input(uids):
    with pytest.raises(InputError, match="holds"):
        selection_from(a_study(a_series("1")), uids)


@given(st.text())
def test_a_folder_name_never_leaves_its_folder(text):
    assert (Path("/root") / folder_name(text)).parent == Path("/root")
    assert folder_name(text) not in {"", ".", ".."}


@given(st.from_regex(r"[0-9]+(\.[0-9]+){1,20}", fullmatch=True).filter(lambda u: len(u) < 65))
def test_a_uid_is_its_own_folder_name(uid):
    assert folder_name(uid) == uid


def test_an_analysis_that_does_not_suit_is_silent_where_another_does():
    fits, other = EachPhotograph(), EachPhotograph("lung", UnsuitableError("no CT"))
    broken = EachPhotograph("heart", InputError("damaged"))
    study = a_study(a_series("1"))
    kept = suiting(route([study], [other, fits, broken]))
    assert [each.analysis.name for each in kept] == ["retina", "heart"]
    nobody = suiting(route([study], [other]))
    assert [each.reason for each in nobody] == ["no CT"]


def test_the_highest_priority_of_analysis_and_modality_counts():
    (answer,) = route([a_study(a_series("2.25.2"))], [EachPhotograph()])
    assert urgency_of(answer, {}) == 0
    assert urgency_of(answer, {"retina": 3, "OP": 7, "CT": 9}) == 7
    assert urgency_of(answer, {"retina": -1, "CT": 9}) == -1
