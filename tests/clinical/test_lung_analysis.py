"""The lung analysis on drawn chests whose nodules are known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from medloop.clinical.lung import codes
from medloop.clinical.lung.characterize import at_fissure
from medloop.clinical.lung.fleischner import Risk, advise
from medloop.clinical.lung.nodule import Axes, Nodule, Texture
from medloop.clinical.lung.notices import disagreement, too_many, unmeasured
from medloop.clinical.lung.phrases import ADVICE, WORDS
from medloop.clinical.reports import pictures_for, report_for
from medloop.core.code import Code
from medloop.core.errors import UnsuitableError
from medloop.core.finding import Result
from medloop.core.study import Content, Scan
from medloop.imaging.fissures import Fissure
from tests.clinical.contract import check_analysis, check_refusals
from tests.clinical.lungs import NOW, a_case, an_analysis
from tests.clinical.test_report_page import text_of
from tests.thorax import Ball, Chest, a_chest, a_grid, a_head

SOLID = Ball((-85.0, 10.0, 40.0), 12.0, 110.0)  # right, upper lobe
PALE = Ball((80.0, 30.0, -60.0), 14.0, -450.0)  # left, lower lobe, ground glass
FINE = a_grid(steps_mm=(2.0, 0.9, 0.9), low_mm=(-170, -120, -170), high_mm=(170, 140, 150))


@pytest.fixture(scope="module")
def case():
    return a_case(a_chest(Chest(balls=(SOLID, PALE)), FINE).volume)


@pytest.fixture(scope="module")
def result(case):
    return an_analysis(SOLID.hu, PALE.hu).analyze(case)


def near(result: Result, ball: Ball):
    """The finding at a drawn nodule, and its number."""
    apart = [
        np.linalg.norm(np.array(f.center_lps_mm) - ball.center_mm) for f in result.findings
    ]
    assert min(apart) < 1.5, f"nothing at {ball.center_mm}: {apart}"
    return result.findings[int(np.argmin(apart))], int(np.argmin(apart)) + 1


def value(finding, concept: Code) -> float:
    return next(m.value for m in finding.measurements if m.concept == concept)


@pytest.mark.slow
def test_drawn_nodules_are_found_where_they_are_and_as_large(result):
    for ball, tolerance in ((SOLID, 0.6), (PALE, 1.2)):
        finding, _ = near(result, ball)
        assert value(finding, codes.MEAN_DIAMETER) == pytest.approx(
            ball.diameter_mm, abs=tolerance
        )
        true_mm3 = np.pi / 6 * ball.diameter_mm**3
        assert value(finding, codes.VOLUME) == pytest.approx(true_mm3, rel=0.2)


@pytest.mark.slow
def test_their_lobe_texture_and_category_are_named(result):
    solid, first = near(result, SOLID)
    pale, second = near(result, PALE)
    assert solid.site == Code("SCT", "42400003", "Upper lobe of right lung")
    assert pale.site == Code("SCT", "41224006", "Lower lobe of left lung")
    about = [result.assessments[f"nodule_{n}"] for n in (first, second)]
    assert [each["texture"] for each in about] == ["solid", "non-solid"]
    assert [each["Lung-RADS"] for each in about] == ["4A", "2"]
    assert result.assessments["Lung-RADS"] == "4A"
    assert value(pale, codes.SUSPICION) > 0.9  # large, by readers' opinion; and yet category 2
    (notice,) = (n for n in result.warnings if n.code == "lung-disagreement")
    assert notice.text.startswith(f"Nodule {second}: Lung-RADS 2, but suspicion")


@pytest.mark.slow
def test_labels_and_heat_lie_on_the_nodules(case, result):
    grid = case.images[0].grid
    for ball in (SOLID, PALE):
        finding, number = near(result, ball)
        place = tuple(np.rint(grid.to_index(np.array([ball.center_mm]))[0]).astype(int))
        assert result.labels.array[place] == finding.segment == number
        mine = result.labels.array == number
        assert mine.sum() * grid.voxel_mm3 == pytest.approx(
            np.pi / 6 * ball.diameter_mm**3, rel=0.25
        )
    number = near(result, SOLID)[1]
    (heat,) = (each for each in result.heat_maps if each.explains == {"finding": number})
    hot = np.argwhere(heat.array > 150) + heat.low
    solid_at = grid.to_index(np.array([SOLID.center_mm]))[0]
    apart_mm = np.linalg.norm((hot - solid_at) * grid.spacing_mm, axis=1)
    assert (apart_mm < 12).any()
    assert heat.array.max() == 255
    assert heat.array.size < 100_000


@pytest.mark.slow
def test_what_every_analysis_holds_to(case):
    check_analysis(an_analysis(SOLID.hu, PALE.hu), [case])


@pytest.mark.slow
def test_the_order_of_slices_changes_nothing(result):
    flipped = a_grid(
        steps_mm=(2.0, 0.9, 0.9),
        low_mm=(-170, -120, -170),
        high_mm=(170, 140, 150),
        feet_first=False,
    )
    drawn = a_chest(Chest(balls=(SOLID, PALE), noise_hu=0), flipped).volume
    again = an_analysis(SOLID.hu, PALE.hu).analyze(a_case(drawn))
    for ball in (SOLID, PALE):
        one, other = near(result, ball)[0], near(again, ball)[0]
        assert value(one, codes.MEAN_DIAMETER) == pytest.approx(
            value(other, codes.MEAN_DIAMETER), abs=0.5
        )
        assert one.site == other.site


@pytest.mark.slow
def test_a_chest_without_nodules_says_that_this_rules_nothing_out():
    case = a_case(a_chest(Chest(), FINE).volume)
    found = an_analysis(SOLID.hu, PALE.hu).analyze(case)
    assert found.findings == ()
    assert found.assessments["Lung-RADS"] == "1"
    text = text_of(report_for(case, found, language="en", now=NOW))
    assert "No nodule found." in text
    assert "a nodule that was not found is not ruled out" in text
    assert pictures_for(case, found) == {}


@pytest.mark.slow
def test_heads_pictures_and_other_modalities_are_refused(case):
    analysis = an_analysis(SOLID.hu, PALE.hu)
    check_refusals(analysis, cases=[a_case(a_head())])
    series = case.selection.series[0]
    for other in (
        replace(series, modality="MR"),
        replace(series, content=Content.PICTURES),
        replace(series, scan=Scan(orientation="coronal")),
    ):
        with pytest.raises(UnsuitableError, match="no axial chest CT"):
            analysis.select(replace(case.study, series=(other,)))


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_tells_it_in_both_languages(case, result, language):
    _, number = near(result, SOLID)
    text = text_of(report_for(case, result, language=language, now=NOW))
    finding = result.findings[number - 1]
    axes = [f"{value(finding, axis):.1f}" for axis in (codes.LONG_AXIS, codes.SHORT_AXIS)]
    assert " x ".join(axes) in text.replace("\u00a0", " ")
    if language == "en":
        assert "Right upper lobe" in text
        assert "solid nodule" in text
        assert "highest Lung-RADS 4A" in text
        assert "an opinion from images, no pathology" in text
        assert "(Fleischner 2017): CT at 3-6 months; then by the most suspicious" in text
    else:
        assert "右肺上叶" in text
        assert "实性结节" in text
        assert "最高 Lung-RADS 4A 类" in text
        assert "并非病理结果" in text
        assert "（Fleischner 2017）：3–6 个月复查 CT，此后按最可疑结节处理。" in text


@pytest.mark.slow
def test_key_images_have_a_row_for_each_nodule(case, result):
    pictures = pictures_for(case, result)
    rows = min(len(result.findings), 8)
    assert pictures["overlay"].shape == (300 * rows, 1200, 3)
    assert pictures["heatmap"].shape == (300 * rows, 600, 3)
    _, number = near(result, SOLID)
    row = pictures["overlay"][300 * (number - 1) : 300 * number]
    plain, outlined = row[:, 300:600], row[:, 600:900]
    middle = plain[140:160, 140:160]
    assert middle.mean() > 150  # the nodule is in the middle
    assert np.abs(plain.astype(int) - outlined).max() > 100  # and has an outline


def test_all_that_fleischner_advises_is_said_in_chinese():
    """Every branch of the guideline, over sizes, textures, numbers and risks."""
    said = set()
    for long_mm in (4.0, 7.0, 12.0):
        axes = Axes(long_mm, long_mm)
        small = Axes(long_mm / 2, long_mm / 2)
        kinds = [
            Nodule(Texture.SOLID, axes),
            Nodule(Texture.NON_SOLID, axes),
            Nodule(Texture.PART_SOLID, axes, solid=small),
            Nodule(Texture.SOLID, axes, is_benign=True),
        ]
        for one in kinds:
            for risk in Risk:
                said |= {advise([one], risk).advice, advise([one, one], risk).advice}
                said.add(advise([one, kinds[1]], risk).advice)
    assert said == set(ADVICE)


def test_a_fissure_counts_only_where_it_is_seen_and_on_its_own_side():
    flat = Fissure(
        start=np.array([60.0, 0.0, 0.0]),
        across=np.array([1.0, 0, 0]),
        along=np.array([0, 1.0, 0]),
        up=np.array([0, 0, 1.0]),
        span_mm=np.array([[-40.0, 40.0], [-60.0, 60.0]]),
        terms=np.zeros(6),
        sd_mm=7.0,
        gain=5.0,
    )
    near = np.array([[70.0, 10.0, 1.0], [70.0, 10.0, 4.0]])

    def lobes(fissure):
        return SimpleNamespace(oblique={2: fissure}, horizontal=None)

    assert at_fissure(near, lobes(flat))
    assert not at_fissure(near + np.array([0, 0, 5.0]), lobes(flat))
    assert not at_fissure(near * np.array([-1, 1, 1]), lobes(flat))
    assert not at_fissure(near, lobes(replace(flat, gain=0.0)))


def test_a_contradiction_is_named_and_agreement_is_not():
    (notice,) = disagreement(2, 0.62, "2")
    assert notice.text == (
        "Nodule 2: Lung-RADS 2, but suspicion 62%: they disagree, decide by looking."
    )
    assert disagreement(1, 0.02, "4B")
    assert not disagreement(1, 0.62, "4A")
    assert not disagreement(1, 0.2, "2")


def test_what_is_left_out_is_counted():
    assert not unmeasured(0)
    assert "3 places" in unmeasured(3)[0].text
    assert not too_many(30, 30)
    assert too_many(31, 30)[0].values == (("most", 30),)


def test_every_phrase_is_there_in_both_languages():
    for key, (english, chinese) in WORDS.items():
        fields = {part.split("}")[0] for part in english.split("{")[1:]}
        assert fields == {part.split("}")[0] for part in chinese.split("{")[1:]}, key
