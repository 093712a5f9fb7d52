"""The hippocampus report in both languages, from findings alone."""

import re
from dataclasses import replace

import numpy as np
import pytest

from medloop.clinical.brain.analysis import build
from medloop.clinical.brain.phrases import NOTICES
from medloop.clinical.brain.sentences import cubic_mm
from medloop.clinical.report.language import Language
from medloop.clinical.reports import pictures_for, report_for
from medloop.core.finding import Weights
from medloop.core.study import Notice
from medloop.models.bundle import load_bundle
from tests.clinical.brains import NOW, PLAN, a_case, a_hippocampus
from tests.clinical.test_report_page import text_of

PHANTOM = a_hippocampus()


class Known:
    """A network that knows the phantom's answer, with a soft border."""

    def run(self, x):
        gray = x[:, 0] * 100
        maps = [1 / (1 + np.abs(gray - level) / 20) ** 4 for level in (100, 180, 20)]
        return {"probability": (np.stack(maps, axis=1) / sum(maps)[:, None]).astype(np.float32)}


@pytest.fixture(scope="module")
def case():
    return a_case(PHANTOM.volume)


@pytest.fixture(scope="module")
def result(case):
    weights = Weights("hippocampus", "1", "0123456789abcdef" * 4)
    return build(Known(), PLAN, weights, now=lambda: NOW).analyze(case)


def told(case, result, language="en") -> str:
    return text_of(report_for(case, result, language=language, now=NOW))


def test_the_conclusion_gives_the_volumes_and_how_far_they_can_move(case, result):
    text = told(case, result)
    assert (PHANTOM.anterior.sum(), PHANTOM.posterior.sum()) == (1872, 1872)
    low, high = result.assessments["hippocampus_range_mm3"]
    assert "Hippocampal volume 3 744 mm³." in text
    assert "Anterior part (head) 1 872 mm³, posterior part (body and tail) 1 872 mm³" in text
    assert f"would measure {low:,.0f} to {high:,.0f} mm³".replace(",", " ") in text


def test_the_table_has_a_row_for_each_part_and_the_whole(case, result):
    html = report_for(case, result, language="en", now=NOW).replace("\u202f", "")
    rows = re.findall(r"<tr>(.*?)</tr>", html, flags=re.DOTALL)
    cells = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)).split("  ") for row in rows]
    flat = [" ".join(" ".join(row).split()) for row in cells]
    assert any(row.startswith("Anterior (head) 1872 50 %") for row in flat)
    assert any(row.startswith("Posterior (body and tail) 1872 50 %") for row in flat)
    assert any(row.startswith("Whole hippocampus 3744 100 %") for row in flat)


def test_no_norm_is_pretended(case, result):
    text = told(case, result)
    assert "No norms are applied" in text
    assert "atrophy is not graded" in text


def test_the_chinese_report_uses_the_terms_of_neuroradiology(case, result):
    text = told(case, result, "zh").replace("\u00a0", " ")
    for term in (
        "海马体积测量报告",
        "海马体积 3744 mm³",
        "前部（海马头）",
        "后部（海马体和海马尾）",
        "左侧海马（依扫描坐标判定）",
        "横断面",
        "冠状面",
        "矢状面",
        "T1 加权",
    ):
        assert term in text, term


def test_the_chinese_report_holds_no_english_sentence(case, result):
    warned = replace(
        result,
        warnings=tuple(
            Notice(code, "some english words here", values)
            for code, values in (
                ("hippocampus_cut_off", (("faces", 1),)),
                ("hippocampus_volume", (("value", 1.0), ("low", 500.0), ("high", 6000.0))),
                ("hippocampus_no_anterior", ()),
                ("hippocampus_no_posterior", ()),
                ("hippocampus_turned", ()),
                ("hippocampus_pieces", (("pieces", 2), ("apart", 5.0))),
                ("hippocampus_unsure", (("low", 1.0), ("high", 2.0))),
                ("hippocampus_side", (("stated", "left"), ("seen", "right"))),
            )
        ),
    )
    assert {notice.code for notice in warned.warnings} == set(NOTICES)
    text = told(case, warned, "zh").replace("Medical Segmentation Decathlon", "")
    assert not re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", text)


@pytest.mark.parametrize(
    ("code", "doubtful"), [("hippocampus_cut_off", True), ("hippocampus_pieces", False)]
)
def test_what_makes_the_number_wrong_stands_out(case, result, code, doubtful):
    warned = replace(result, warnings=(Notice(code, "Something is odd."),))
    html = report_for(case, warned, language="en", now=NOW)
    assert ("doubtful: check the outline" in html) == doubtful
    assert ("Please check: Something is odd." in text_of(html)) == doubtful
    assert html.count("Something is odd.") == 1


def test_the_side_says_how_it_is_known(case, result):
    assert "Left hippocampus, by position in the scanner" in told(case, result)
    stated = replace(
        result, assessments={**result.assessments, "side": "right", "side_from": "header"}
    )
    assert "Right hippocampus" in told(case, stated)
    unknown = replace(
        result, assessments={**result.assessments, "side": "unknown", "side_from": "none"}
    )
    assert "Hippocampus, side not known" in told(case, unknown)


def test_training_data_are_told_of_the_shipped_network_alone(case, result):
    shipped = answered_by(result, load_bundle("hippocampus").identity)
    assert "Medical Segmentation Decathlon" in told(case, shipped)
    for weights in (Weights("mine", "1", "ab" * 32), Weights("hippocampus", "2", "ab" * 32)):
        other = answered_by(result, weights)
        assert "Medical Segmentation Decathlon" not in told(case, other)
        assert "see the model card" in told(case, other)


def answered_by(result, *weights):
    return replace(result, provenance=replace(result.provenance, weights=weights))


def test_three_planes_are_shown_and_drawn_once(case, result):
    drawn = pictures_for(case, result)
    assert set(drawn) == {"overlay"}
    plain = report_for(case, result, language="en", now=NOW)
    assert report_for(case, result, language="en", now=NOW, rendered=drawn) == plain
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", plain)
    assert captions == ["Axial", "Coronal", "Sagittal"]


def test_a_missing_part_leaves_a_dash(case, result):
    one = replace(result, findings=result.findings[:2])
    text = told(case, one)
    assert "Posterior (body and tail) – – – – – –" in text


@pytest.mark.parametrize(
    ("value", "language", "text"),
    [
        (812.4, Language.ENGLISH, "812"),
        (3421.6, Language.ENGLISH, "3\u202f422"),
        (3421.6, Language.CHINESE, "3422"),
    ],
)
def test_volumes_are_written_whole(value, language, text):
    assert cubic_mm(value, language) == text
