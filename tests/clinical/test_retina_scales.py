import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.clinical.retina.scales import (
    CN_STAGES,
    CN_TO_ICDR,
    FOUR_CLASS_MAP,
    QUADRANTS,
    LesionCounts,
    cn1984,
    dme_from_exudates,
    etdrs_range,
    four_class,
    four_class_probabilities,
    grades_agree,
    is_referable,
    least_icdr,
)

counts = st.dictionaries(
    st.sampled_from(("MA", "HE", "EX", "SE")),
    st.dictionaries(st.sampled_from((*QUADRANTS, "")), st.integers(0, 40)),
).map(LesionCounts)


def some(**kinds):
    """So many of each kind in the superotemporal quadrant."""
    return LesionCounts({kind: {"ST": number} for kind, number in kinds.items()})


def everywhere(kind, number):
    return LesionCounts({kind: dict.fromkeys(QUADRANTS, number)})


@pytest.mark.parametrize(
    ("lesions", "stage"),
    [
        (some(), "none"),
        (some(MA=0, HE=0), "none"),
        (some(MA=1), "I"),
        (some(HE=1), "I"),
        (some(MA=3, HE=2), "I"),
        (some(EX=1), "II"),
        (some(MA=5, HE=5, EX=1), "II"),
        (some(SE=1), "III"),
        (some(MA=5, EX=5, SE=1), "III"),
        (everywhere("HE", 21), "I"),
    ],
)
def test_cn1984_is_the_stage_of_the_gravest_lesion(lesions, stage):
    assert cn1984(lesions) == stage


@given(counts)
def test_cn1984_never_says_what_is_not_searched_for(lesions):
    assert cn1984(lesions) in CN_STAGES[:4]


@pytest.mark.parametrize(
    ("lesions", "grade"),
    [
        (some(), 0),
        (some(MA=1), 1),
        (some(MA=100), 1),
        (some(HE=1), 2),
        (some(EX=1), 2),
        (some(SE=1), 2),
        (everywhere("HE", 20), 2),
        (everywhere("HE", 21), 3),
        (LesionCounts({"HE": {"ST": 90, "SN": 90, "IT": 90, "IN": 20}}), 2),
        (LesionCounts({"HE": {"": 200}}), 2),
    ],
)
def test_lesions_set_a_lower_bound_of_icdr(lesions, grade):
    assert least_icdr(lesions) == grade


@pytest.mark.parametrize(
    ("icdr", "lesions", "levels"),
    [
        (0, some(), "10"),
        (0, some(MA=1), "10-20"),
        (0, some(HE=1), "10-47"),
        (1, some(MA=1), "20"),
        (1, some(), "20"),
        (1, some(EX=1), "20-47"),
        (2, some(HE=1), "35-47"),
        (2, everywhere("HE", 1), "35-47"),
        (2, everywhere("HE", 21), "35-53"),
        (3, some(HE=1), "53"),
        (4, some(HE=1), "61-85"),
    ],
)
def test_the_etdrs_range_spans_grade_and_lesions(icdr, lesions, levels):
    assert etdrs_range(icdr, lesions) == levels


@pytest.mark.parametrize("icdr", [-1, 5])
def test_a_grade_that_does_not_exist_has_no_etdrs_range(icdr):
    with pytest.raises(ValueError, match="0 to 4"):
        etdrs_range(icdr, some())


@pytest.mark.parametrize("icdr", range(5))
@pytest.mark.parametrize("dme", range(3))
def test_more_than_mild_retinopathy_or_any_macular_edema_is_referable(icdr, dme):
    assert is_referable(icdr, dme) == (icdr in (2, 3, 4) or dme in (1, 2))


@pytest.mark.parametrize(
    ("lesions", "grades"),
    [
        (some(), {0}),
        (some(MA=1), {1, 2, 3}),
        (some(HE=1), {2, 3}),
        (some(EX=1), {2, 3}),
        (some(SE=1), {2, 3}),
        (everywhere("HE", 21), {3}),
    ],
)
def test_the_grades_that_agree_with_lesions_are_those_of_the_table(lesions, grades):
    assert {icdr for icdr in range(5) if grades_agree(icdr, lesions)} == grades


def test_every_stage_has_its_grades():
    assert tuple(CN_TO_ICDR) == CN_STAGES
    assert CN_TO_ICDR["I"] == {1, 2, 3}
    assert CN_TO_ICDR["II"] == CN_TO_ICDR["III"] == {2, 3}
    assert CN_TO_ICDR["IV"] == CN_TO_ICDR["V"] == CN_TO_ICDR["VI"] == {4}


@pytest.mark.parametrize(
    ("distance", "grade"), [(None, 0), (0.0, 2), (0.99, 2), (1.0, 2), (1.01, 1), (3.0, 1)]
)
def test_macular_edema_follows_from_the_nearest_exudate(distance, grade):
    assert dme_from_exudates(distance) == grade


def test_four_classes_join_severe_and_proliferative_and_say_so():
    assert [four_class(icdr) for icdr in range(5)] == [0, 1, 2, 3, 3]
    assert "3 = 3 or 4" in FOUR_CLASS_MAP
    shares = four_class_probabilities((0.1, 0.2, 0.3, 0.25, 0.15))
    assert shares == pytest.approx((0.1, 0.2, 0.3, 0.4))


@given(counts, st.sampled_from(("MA", "HE", "EX", "SE")), st.sampled_from(QUADRANTS))
def test_one_more_lesion_never_lowers_stage_or_bound(lesions, kind, quadrant):
    more = {k: dict(v) for k, v in lesions.by_kind.items()}
    more.setdefault(kind, {})
    more[kind][quadrant] = more[kind].get(quadrant, 0) + 1
    graver = LesionCounts(more)
    assert least_icdr(graver) >= least_icdr(lesions)
    assert CN_STAGES.index(cn1984(graver)) >= CN_STAGES.index(cn1984(lesions))
