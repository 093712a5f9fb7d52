"""What differs between two studies and changes sizes by itself is named."""

from dataclasses import replace

import pytest

from medloop.clinical.lung.notices import not_aligned, scan_facts, unlike
from medloop.clinical.lung.phrases import NOTICES
from medloop.clinical.report.language import Language
from medloop.clinical.report.notices import told
from medloop.core.finding import Weights
from medloop.core.study import Content, Scan, Series, SeriesUid
from tests.clinical.lung.test_comparison import a_prior

SCAN = {"thickness_mm": "1.25", "slices_apart_mm": "1", "kernel": "B30f"}
LUNGS = {"lung_right_ml": 2600.0, "lung_left_ml": 2400.0}
SAME = (Weights("lung_nodules", "1", "ab"),)


def a_past(scan=SCAN, lungs=LUNGS):
    prior = a_prior()
    kept = dict(prior.result.assessments) | {"scan": scan} | lungs
    return replace(prior, result=replace(prior.result, assessments=kept))


def test_studies_alike_need_no_remark():
    assert unlike(a_past(), SCAN, SAME, 5100.0) == ()
    assert unlike(a_past(SCAN | {"thickness_mm": "1.4"}), SCAN, SAME, 5100.0) == ()
    assert unlike(a_past({}, {}), SCAN, SAME, 5100.0) == ()


@pytest.mark.parametrize(
    ("past", "scan", "weights", "lungs_ml", "code", "said"),
    [
        (a_past(), SCAN | {"thickness_mm": "2.5"}, SAME, 5000.0, "lung-prior-slices", "2.50"),
        (a_past(), SCAN | {"kernel": "B60f"}, SAME, 5000.0, "lung-prior-kernel", "B60f"),
        (
            a_past(),
            SCAN,
            (Weights("lung_nodules", "2", "cd"),),
            5000.0,
            "lung-prior-networks",
            "",
        ),
        (a_past(), SCAN, SAME, 3700.0, "lung-prior-breath", "3700"),
        (a_past(), SCAN, SAME, 6600.0, "lung-prior-breath", "6600"),
    ],
)
def test_what_differs_is_named_in_both_languages(past, scan, weights, lungs_ml, code, said):
    (notice,) = unlike(past, scan, weights, lungs_ml)
    assert notice.code == code
    for language in Language:
        (line,) = told([notice], language, NOTICES)
        assert said in line
        assert "{" not in line
    assert told([notice], Language.CHINESE, NOTICES) != told([notice], Language.ENGLISH)


def test_every_remark_about_an_earlier_study_is_there_in_chinese():
    assert told([not_aligned()], Language.CHINESE, NOTICES) == (
        NOTICES["lung-prior-unaligned"],
    )
    assert {"prior-undated", "prior-same-day", "prior-unreadable"} <= set(NOTICES)


def test_what_a_header_does_not_tell_is_left_out():
    series = Series(SeriesUid("1.2"), "CT", "", Content.VOLUME, (), "ct")
    assert scan_facts(series) == {}
    told_more = replace(series, scan=Scan("axial", 1.25, "B30f"), slice_mm=1.0)
    assert scan_facts(told_more) == SCAN
