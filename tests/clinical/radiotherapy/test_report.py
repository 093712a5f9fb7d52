"""The head and neck report in both languages, from findings alone."""

import re
from dataclasses import replace

import numpy as np
import pytest

from medloop.clinical.radiotherapy.codes import ORGANS
from medloop.clinical.radiotherapy.notices import REASONS
from medloop.clinical.radiotherapy.phrases import NOTICES
from medloop.clinical.radiotherapy.phrases import REASONS as WORDS_OF_REASONS
from medloop.clinical.reports import pictures_for, report_for
from medloop.core.finding import Weights
from medloop.core.study import Notice
from medloop.models.bundle import load_bundle
from tests.clinical.test_report_page import text_of
from tests.necks import NOW, a_case, a_neck, an_analysis

DRAWN = a_neck()
VALUES = {
    "volume": (("volume_cm3", 4.7), ("low", 7.4), ("high", 43.7), ("cases", 93)),
    "pieces": (("pieces", 2),),
    "dropped": (("dropped_cm3", 1.2),),
    "unsure": (("dice", 0.61),),
    "mirror": (("dice", 0.62),),
}


@pytest.fixture(scope="module")
def case():
    return a_case(DRAWN.volume)


@pytest.fixture(scope="module")
def result(case):
    return an_analysis(DRAWN.volume.grid).analyze(case)


@pytest.fixture(scope="module")
def odd(result):
    """The result, had its brainstem an odd volume and its larynx not been found."""
    review = {
        "brainstem": {"name": "Brainstem", "review": "volume, place"},
        "larynx": {"name": "Larynx", "review": "missing"},
    }
    notice = Notice("oar-volume_brainstem", "The brainstem has 4.7 cm3.", VALUES["volume"])
    return replace(
        result,
        findings=tuple(each for each in result.findings if each.segment != 6),
        assessments={**result.assessments, **review},
        warnings=(notice,),
    )


def told(case, result, language="en") -> str:
    return text_of(report_for(case, result, language=language, now=NOW)).replace("\u00a0", " ")


def test_what_was_outlined_is_told_and_that_every_contour_must_be_reviewed(case, result):
    text = told(case, result)
    assert "7 of 7 organs at risk outlined; nothing odd seen about them." in text
    assert "Review every contour on every slice" in text
    assert "Not for treatment unless a physician has reviewed every contour" in text


def test_targets_are_said_not_to_be_drawn_and_how_margins_are_made(case, result):
    text = told(case, result)
    assert "such as those of 70, 63 and 56 Gy) are not drawn" in text
    assert "medloop structures expand" in text


def test_organs_that_need_a_second_look_are_named_with_the_reason(case, odd):
    text = told(case, odd)
    assert "6 of 7 organs at risk outlined; look at 2 first." in text
    assert "To look at first: brainstem (volume, place), larynx (not found)." in text
    assert "The brainstem has 4.7 cm3." in text
    assert "请首先核对其中 2 个" in told(case, odd, "zh")
    assert "脑干（体积、位置）、喉（未检出）" in told(case, odd, "zh")


def test_the_table_has_a_row_for_each_organ(case, result, odd):
    html = report_for(case, result, language="en", now=NOW)
    for name, organ in ORGANS.items():
        (finding,) = [each for each in result.findings if each.segment == organ.label]
        volume, low, high, expected, mirror = (m.value for m in finding.measurements)
        row = [organ.tg263, f"{volume:.1f}", f"{low:.1f}–{high:.1f}"]
        quality = [f"{expected:.2f}", f"{mirror:.2f}", "–"]
        cells = re.findall(r"<td[^>]*>\s*([^<]*?)\s*</td>", _row(html, organ.tg263))
        assert cells[:3] == row, name
        assert cells[4:] == quality, name
    cells = re.findall(r"<td[^>]*>\s*([^<]*?)\s*</td>", _row(told_html(case, odd), "Larynx"))
    assert cells == ["Larynx", "–", "–", "1.4–70.8", "–", "–", "not found"]


def told_html(case, result) -> str:
    return report_for(case, result, language="en", now=NOW)


def _row(html: str, tg263: str) -> str:
    rows = re.findall(r"<tr>.*?</tr>", html, flags=re.DOTALL)
    (row,) = [row for row in rows if re.search(rf">\s*{tg263}\s*</td>", row)]
    return row


def test_every_reason_has_words_in_both_languages():
    assert set(WORDS_OF_REASONS) == set(REASONS)
    wanted = {f"oar-{reason}_{name}" for reason in REASONS for name in ORGANS}
    assert wanted <= set(NOTICES)


def test_the_chinese_report_holds_no_english_sentence(case, result):
    warned = replace(
        result,
        warnings=(
            Notice("oar-sides", "some english words here", (("distance_mm", 12.0),)),
            Notice("oar-thick-slices", "some english words here", (("slice_mm", 5.0),)),
            *(
                Notice(f"oar-{reason}_{name}", "some english words", VALUES.get(reason, ()))
                for reason in REASONS
                for name in ORGANS
            ),
        ),
    )
    text = told(case, warned, "zh").replace("medloop structures expand", "")
    assert not re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", text)
    for term in (
        "危及器官",
        "脊髓",
        "右侧腮腺",
        "左侧腮腺",
        "下颌骨",
        "靶区",
        "横断面",
        "镜像",
    ):
        assert term in text, term


def test_exchanged_sides_stand_out(case, result):
    warned = replace(result, warnings=(Notice("oar-sides", "Right and left are odd."),))
    assert "Please check: Right and left are odd." in told(case, warned)


def test_training_data_are_told_of_the_shipped_network_alone(case, result):
    shipped = answered_by(result, load_bundle("head_neck_oars").identity)
    assert "Trained on OpenKBP (Babier 2021)" in told(case, shipped)
    for weights in (Weights("mine", "1", "ab" * 32), Weights("head_neck_oars", "2", "ab" * 32)):
        other = answered_by(result, weights)
        assert "Trained on OpenKBP" not in told(case, other)
        assert "see the model card" in told(case, other)


def answered_by(result, *weights):
    return replace(result, provenance=replace(result.provenance, weights=weights))


def test_each_region_is_shown_in_three_planes_with_its_organs_colors(case, result):
    drawn = pictures_for(case, result)
    assert set(drawn) == {"overlay"}
    picture = drawn["overlay"]
    assert picture.shape == (4 * 225, 3 * 300, 3)
    shown = (("brainstem", "spinal_cord"), ("right_parotid", "left_parotid"), ("mandible",))
    for row, names in enumerate((*shown, ("larynx", "oesophagus"))):
        part = picture[row * 225 : (row + 1) * 225].astype(int)
        for name in names:
            away = np.abs(part - ORGANS[name].color).max(axis=2)
            assert (away < 12).sum() > 20, name


def test_the_patients_right_is_at_the_left_of_axial_pictures(case, result):
    row = pictures_for(case, result)["overlay"][225:450, :300].astype(int)
    columns = [
        np.argwhere(np.abs(row - ORGANS[name].color).max(axis=2) < 12)[:, 1].mean()
        for name in ("right_parotid", "left_parotid")
    ]
    assert columns[0] < 150 < columns[1]


def test_pictures_are_drawn_once(case, result):
    drawn = pictures_for(case, result)
    plain = report_for(case, result, language="en", now=NOW)
    assert report_for(case, result, language="en", now=NOW, rendered=drawn) == plain
