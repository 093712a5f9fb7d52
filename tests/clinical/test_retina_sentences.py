from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.clinical.report.language import Language
from medloop.clinical.retina.codes import CONCEPTS, OPTIC_DISC, QUADRANT_SITES
from medloop.clinical.retina.lesions import kind_of, lesion_table, quadrant_of, tally
from medloop.clinical.retina.notices import disagreements
from medloop.clinical.retina.scales import LesionCounts
from medloop.clinical.retina.sentences import follow_up, retina_report
from medloop.models.bundle import load_bundle
from tests.clinical.cases import a_case, a_result, with_assessments
from tests.phantoms import a_fundus

EN, ZH = Language.ENGLISH, Language.CHINESE

grades = st.fixed_dictionaries(
    {
        "ICDR": st.integers(0, 4),
        "DME": st.integers(0, 2),
        "referable": st.booleans(),
        "gradable": st.booleans(),
    }
)

# ICO 2018, high-resource settings: months until seen, and whether referral is asked for.
MONTHS = {
    "follow_0": (24, False),
    "follow_1": (12, False),
    "follow_probable": (6, True),
    "follow_2": (6, True),
    "follow_dme_1": (3, True),
    "follow_3": (3, True),
    "follow_dme_2": (1, True),
    "follow_4": (1, True),
    "follow_suspect": (0, True),
    "follow_ungradable": (0, False),
}


@pytest.fixture(scope="module")
def fundus():
    return a_fundus((240, 360))


@pytest.fixture(scope="module")
def result(fundus):
    return a_result(fundus)


@pytest.mark.parametrize(
    ("icdr", "dme", "expected"),
    [
        (0, 0, "follow_0"),
        (1, 0, "follow_1"),
        (2, 0, "follow_2"),
        (3, 0, "follow_3"),
        (4, 0, "follow_4"),
        (0, 1, "follow_dme_1"),
        (2, 1, "follow_dme_1"),
        (3, 2, "follow_dme_2"),
        (4, 2, "follow_4"),
    ],
)
def test_follow_up_is_the_guideline_of_the_more_pressing_grade(icdr, dme, expected):
    assert follow_up({"ICDR": icdr, "DME": dme, "gradable": True}) == expected


@given(grades)
def test_a_worse_grade_never_waits_longer(assessments):
    months, _ = MONTHS[follow_up(assessments)]
    if assessments["ICDR"] < 4:
        worse = {**assessments, "ICDR": assessments["ICDR"] + 1}
        assert MONTHS[follow_up(worse)][0] <= months


@given(grades)
def test_what_is_called_referable_is_referred(assessments):
    _, is_referred = MONTHS[follow_up(assessments)]
    if assessments["referable"]:
        assert is_referred


@given(grades)
def test_a_gradable_eye_with_referable_grades_is_referred_whatever_the_flag_says(assessments):
    _, is_referred = MONTHS[follow_up({**assessments, "gradable": True})]
    if assessments["ICDR"] >= 2 or assessments["DME"] >= 1:
        assert is_referred


@given(grades)
def test_an_ungradable_photograph_is_repeated(assessments):
    phrase = follow_up({**assessments, "gradable": False})
    assert phrase in ("follow_ungradable", "follow_suspect")


@pytest.mark.parametrize("language", [EN, ZH])
@pytest.mark.parametrize("icdr", range(5))
def test_every_grade_has_its_sentence(fundus, icdr, language):
    report = retina_report(
        a_case(fundus.picture), a_result(fundus, icdr=icdr), language=language, rendered={}
    )
    assert f"ICDR\u00a0{icdr}" in report.headline
    assert [bar.is_chosen for bar in report.scales[0].bars].index(True) == icdr


def test_missing_assessments_leave_gaps_not_errors(fundus, result):
    for name in result.assessments:
        partial = with_assessments(result, **{name: None})
        report = retina_report(a_case(fundus.picture), partial, language=EN, rendered={})
        assert report.title


def test_the_staging_names_the_lesions_it_rests_on(fundus, result):
    report = retina_report(a_case(fundus.picture), result, language=EN, rendered={})
    staging = next(scale for scale in report.scales if scale.name == "CN1984")
    assert "microaneurysms, hemorrhages, hard exudates, soft exudates" in staging.about


def test_training_data_are_claimed_only_for_shipped_bundles(fundus, result):
    both = tuple(load_bundle(n).identity for n in ("retina_grading", "retina_lesions"))
    made_anew = retina_report(a_case(fundus.picture), result, language=EN, rendered={})
    assert not any("IDRiD" in limit for limit in made_anew.limits)
    result = replace(result, provenance=replace(result.provenance, weights=both))
    report = retina_report(a_case(fundus.picture), result, language=EN, rendered={})
    assert any("IDRiD" in limit for limit in report.limits)


def test_lesions_are_counted_by_kind_and_quadrant(fundus, result):
    for kind in ("MA", "HE", "EX", "SE"):
        drawn = sum(lesion.kind == kind for lesion in fundus.lesions)
        assert tally(result, kind).count == drawn


def test_the_table_adds_up(result):
    table = lesion_table(result, EN)
    for row in table.rows:
        assert sum(int(cell) for cell in row[1:5]) == int(row[5])


def test_lesions_and_quadrants_are_told_by_their_codes():
    for kind, code in CONCEPTS.items():
        assert kind_of(code) == kind
    for quadrant, code in QUADRANT_SITES.items():
        assert quadrant_of(code) == quadrant
    assert kind_of(OPTIC_DISC) is None
    assert quadrant_of(None) == "elsewhere"


def test_lesions_that_could_not_be_placed_get_a_column(result):
    findings = tuple(replace(finding, site=None) for finding in result.findings)
    table = lesion_table(replace(result, findings=findings), EN)
    assert "Not placed" in table.head
    assert [row[5] for row in table.rows] == [row[6] for row in table.rows]


@pytest.mark.parametrize("side", ["", "B"])
def test_an_unstated_side_is_read_from_disc_and_fovea(side):
    for right_eye, seen in ((True, "right"), (False, "left")):
        eye = a_fundus((240, 360), right_eye=right_eye)
        report = retina_report(
            a_case(eye.picture, side=side), a_result(eye), language=EN, rendered={}
        )
        assert f"looks like a {seen} eye" in report.subject


def test_the_four_class_grade_comes_with_its_class_map(fundus, result):
    shares = {"four_class": 2, "four_class_probabilities": (0.1, 0.2, 0.6, 0.1)}
    four = replace(result, assessments={**result.assessments, **shares})
    for language, says in ((EN, "3 = 3 or 4"), (ZH, "3 = 3 \u6216 4 \u7ea7")):
        report = retina_report(a_case(fundus.picture), four, language=language, rendered={})
        assert says in report.scales[-1].about
        assert [bar.is_chosen for bar in report.scales[-1].bars] == [False, False, True, False]


@pytest.mark.parametrize(("icdr", "dme"), [(0, 0), (4, 2), (1, 0)])
def test_disagreements_are_told_in_chinese_as_alerts(fundus, icdr, dme):
    lesions = LesionCounts({"EX": {"ST": 3}})
    warnings = disagreements(icdr, dme, lesions, 1.5, placed=True)
    result = a_result(fundus, warnings=warnings)
    report = retina_report(a_case(fundus.picture), result, language=ZH, rendered={})
    assert len(report.alerts) == len(warnings) == 2
    assert all("神经网络" in alert for alert in report.alerts)
    assert not report.warnings
