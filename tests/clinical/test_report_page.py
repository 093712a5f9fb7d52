import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from medloop.clinical.report.page import render_html
from medloop.clinical.reports import pictures_for, report_for
from medloop.core.code import Code
from medloop.core.finding import Finding, Measurement, Provenance, Result
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.core.study import Notice, Patient
from tests.clinical.cases import NOW, a_case, a_result, with_assessments
from tests.phantoms import a_fundus

SIZE = (240, 360)


@pytest.fixture(scope="module")
def fundus():
    return a_fundus(SIZE)


@pytest.fixture(scope="module")
def case(fundus):
    return a_case(fundus.picture)


@pytest.fixture(scope="module")
def result(fundus):
    return a_result(fundus)


def text_of(html: str) -> str:
    """What a reader sees: no tags, style or pictures, and single spaces."""
    body = re.sub(r"<style>.*?</style>|<title>.*?</title>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)).replace("&lt;", "<")


def test_the_conclusion_names_grade_confidence_referral_and_macular_edema(case, result):
    text = text_of(report_for(case, result, language="en", now=NOW))
    assert (
        "Moderate non-proliferative diabetic retinopathy (ICDR 2), confidence 71 %. "
        "Referable: yes (91 %). Macular edema grade 2"
    ) in text


def test_the_chinese_report_uses_the_terms_of_chinese_ophthalmology(case, result):
    text = text_of(report_for(case, result, language="zh", now=NOW))
    terms = ("微血管瘤", "视网膜内出血", "硬性渗出", "软性渗出（棉絮斑）", "糖尿病性黄斑水肿")
    for term in (
        *terms,
        "中度非增殖期糖尿病性视网膜病变",
        "置信度 71%",
        "右眼（OD）",
        "王小东",
    ):
        assert term in text, term


def test_the_chinese_report_holds_no_english_sentence(case, result):
    text = text_of(report_for(case, result, language="zh", now=NOW))
    assert not re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", text)


def test_both_scales_are_named_and_told_apart(case, result):
    text = text_of(report_for(case, result, language="en", now=NOW))
    for phrase in ("ICDR 2", "CN1984 stage III", "ETDRS range 43–47", "Not ICDR"):
        assert phrase in text, phrase


def test_a_disagreement_of_rules_and_network_stands_out(case, fundus):
    result = a_result(fundus, warnings=(Notice("grade_disagrees", "Lesions suggest ICDR 3."),))
    html = report_for(case, result, language="en", now=NOW)
    assert "Please check: Lesions suggest ICDR 3." in text_of(html)
    assert html.count("Lesions suggest") == 1


def test_warnings_of_reading_and_analysis_are_both_told(case, fundus):
    read = replace(case, warnings=(Notice("a", "Reading remarked."),))
    result = a_result(fundus, warnings=(Notice("b", "Analysis remarked."),))
    text = text_of(report_for(read, result, language="en", now=NOW))
    assert "Reading remarked. Analysis remarked." in text


def test_an_ungradable_photograph_gets_no_conclusion_but_says_what_to_do(case, result):
    ungradable = with_assessments(result, gradable=False, referable=False)
    text = text_of(report_for(case, ungradable, language="en", now=NOW))
    assert "Conclusion Ungradable photograph: no reliable grade." in text
    assert "Indicative only: Moderate" in text
    assert "Repeat the photograph" in text


def test_an_unknown_patient_leaves_the_header_open(fundus, result):
    anonymous = a_case(fundus.picture, patient=Patient(), side="", date="")
    text = text_of(report_for(anonymous, result, language="en", now=NOW))
    assert "Patient not stated" in text
    assert "Study date not stated" in text
    assert "Eye not stated" in text


def test_the_page_fetches_nothing(case, result):
    html = report_for(case, result, language="en", now=NOW)
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', html)
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "http" not in html
    assert "<script" not in html


def test_words_from_the_file_cannot_become_markup(fundus, result):
    patient = Patient(name="<script>alert(1)</script>^A&B")
    html = report_for(a_case(fundus.picture, patient=patient), result, language="en", now=NOW)
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_provenance_names_models_input_and_software(case, result):
    text = text_of(report_for(case, result, language="en", now=NOW))
    for phrase in (
        "retina_grading 1",
        "0123456789ab",
        "cafecafecafecafe",
        "Software : medloop",
    ):
        assert phrase in text.replace("Software medloop", "Software : medloop"), phrase


def test_a_report_is_the_same_twice_and_changes_only_its_time(case, result):
    first = report_for(case, result, language="en", now=NOW)
    assert report_for(case, result, language="en", now=NOW) == first
    later = report_for(case, result, language="en", now=NOW + timedelta(minutes=1))
    assert len(later) == len(first)
    assert later != first


def test_pictures_drawn_before_are_used(case, result):
    drawn = pictures_for(case, result)
    assert set(drawn) == {"overlay", "heatmap"}
    plain = report_for(case, result, language="en", now=NOW)
    assert report_for(case, result, language="en", now=NOW, rendered=drawn) == plain


def test_an_unknown_language_is_refused(case, result):
    with pytest.raises(ValueError, match="fr"):
        report_for(case, result, language="fr", now=NOW)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_analysis_without_wording_gets_its_findings_tabulated(case, result, language):
    other = replace(result, provenance=replace(result.provenance, analysis="heart"))
    text = text_of(render_html(case, other, language=language, now=NOW))
    assert "heart" in text
    assert "Retinal microaneurysm" in text
    assert "ETDRS_range" in text


def test_a_volume_is_reported_without_pictures(case):
    grid = Grid((2, 3, 4), np.eye(4))
    scan = replace(case, images=(Volume(np.zeros((2, 3, 4)), grid, "HU"),))
    nodule = Finding(
        Code("SCT", "27925004", "Nodule"),
        measurements=(Measurement(Code("SCT", "81827009", "Diameter"), 6.25, "mm"),),
        probability=0.8,
    )
    made = Provenance("heart", "1", (), (), "", NOW)
    result = Result(made, (nodule,), {"Lung-RADS": "3", "solid": True, "risk": None})
    html = report_for(scan, result, language="en", now=NOW)
    assert "Nodule Diameter 6.25 mm 80 %" in text_of(html)
    assert "<img" not in html
    assert pictures_for(scan, result) == {}


def test_a_result_with_nothing_found_says_so(case):
    result = Result(Provenance("other", "1", (), (), "", NOW), (), {})
    assert "No findings." in text_of(report_for(case, result, language="en", now=NOW))
