from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from medloop.clinical.retina.analysis import Network, RetinaAnalysis
from medloop.core.errors import InputError, UnsuitableError
from medloop.core.finding import Weights
from medloop.core.image import Picture
from medloop.core.study import Content
from medloop.models.canvas import Placement
from medloop.models.evidence import Outlined
from medloop.models.plan import Plan, Scale, Task
from medloop.models.retina import Grading
from tests.clinical.cases import a_case
from tests.phantoms import a_fundus

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
KINDS = ("MA", "HE", "EX", "SE", "OD")
ORDER = (
    "ICDR",
    "ICDR_probabilities",
    "DME",
    "DME_probabilities",
    "CN1984",
    "ETDRS_range",
    "referable",
    "referable_probability",
    "gradable",
    "disc_center_px",
    "fovea_center_px",
)


class NoPredictor:
    """Stands where a network would; the functions below answer for it."""

    def run(self, x_BCHW):  # noqa: N803
        raise AssertionError("the functions given answer without it")


def a_grade(icdr=2, dme=2):
    def answer(predictor, rgb, field, plan, opinion=None):
        icdr_shares, dme_shares = np.full(5, 0.05), np.full(3, 0.1)
        icdr_shares[icdr], dme_shares[dme] = 0.8, 0.8
        activation = np.zeros(rgb.shape[:2], np.float32)
        activation[100, 200] = 1
        return Grading(icdr, icdr_shares, dme, dme_shares, 0.9, activation)

    return answer


def found(masks):
    """A network that sees exactly these masks."""

    def outline(predictor, rgb, field, plan):
        maps = np.stack([masks[kind] for kind in plan.classes]).astype(np.float32)
        rows, columns = rgb.shape[:2]
        whole = Placement((rows, columns), (0, 0, columns, rows), (rows, columns), (0, 0))
        return Outlined(maps, whole, plan)

    return outline


def an_analysis(masks, *, icdr=2, dme=2, **changes):
    grading = Plan(Task.GRADING, 640, scales=(Scale("ICDR", 5), Scale("DME", 3)))
    lesions = Plan(Task.LESIONS, 1024, classes=KINDS, thresholds=(0.5,) * 5)
    options = {"grade": a_grade(icdr, dme), "outline": found(masks), **changes}
    return RetinaAnalysis(
        Network(NoPredictor(), grading, Weights("retina_grading", "1", "a" * 64)),
        Network(NoPredictor(), lesions, Weights("retina_lesions", "1", "b" * 64)),
        now=lambda: NOW,
        **options,
    )


@pytest.fixture(scope="module")
def eye():
    return a_fundus()


@pytest.fixture(scope="module")
def result(eye):
    return an_analysis(eye.masks).analyze(a_case(eye.picture))


def empty(eye):
    return {kind: np.zeros_like(mask) for kind, mask in eye.masks.items()}


def codes(result):
    return {notice.code for notice in result.warnings}


def test_every_assessment_is_there_in_order(result):
    assert tuple(result.assessments) == ORDER


def test_the_networks_grades_stand_beside_the_scales_by_rule(result):
    held = result.assessments
    assert (held["ICDR"], held["DME"], held["CN1984"]) == (2, 2, "III")
    assert held["ETDRS_range"] in ("35-47", "43-47")
    assert held["referable"] is True
    assert held["gradable"] is True
    assert sum(held["ICDR_probabilities"]) == pytest.approx(1)
    assert len(held["DME_probabilities"]) == 3


def test_disc_and_fovea_are_on_the_pixels_of_the_picture(eye, result):
    assert result.assessments["disc_center_px"] == pytest.approx(eye.disc_center_px, abs=4)
    assert result.assessments["fovea_center_px"] == pytest.approx(eye.fovea_center_px, abs=25)


def test_findings_labels_and_heat_map_belong_to_the_picture(eye, result):
    assert 4 <= len(result.findings) <= 16
    assert result.labels.array.shape == eye.picture.size
    (heat_map,) = result.heat_maps
    assert heat_map.array.dtype == np.uint8
    assert heat_map.array[100, 200] == 255
    assert heat_map.explains == {"assessment": "ICDR", "value": 2}


def test_the_result_says_who_answered_when_and_how_long_it_took(result):
    assert [w.bundle for w in result.provenance.weights] == ["retina_grading", "retina_lesions"]
    assert result.provenance.finished == NOW
    assert result.provenance.input_sha256 == "ab" * 32
    assert set(result.timings_s) == {"prepare", "infer", "post"}


def test_the_same_photograph_gives_the_same_result(eye, result):
    again = an_analysis(eye.masks).analyze(a_case(eye.picture))
    assert again.assessments == result.assessments
    assert again.findings == result.findings
    assert again.warnings == result.warnings


@pytest.mark.parametrize(
    ("icdr", "sees", "disagrees"),
    [(2, True, False), (3, True, False), (1, True, True), (0, True, True), (4, True, True),
     (0, False, False), (2, False, True)],
)  # fmt: skip
def test_rules_and_network_are_compared(eye, icdr, sees, disagrees):
    masks = eye.masks if sees else empty(eye)
    result = an_analysis(masks, icdr=icdr).analyze(a_case(eye.picture))
    assert ("grade_disagrees" in codes(result)) == disagrees
    assert result.assessments["ICDR"] == icdr


@pytest.mark.parametrize(("dme", "disagrees"), [(0, False), (2, True)])
def test_macular_edema_is_compared_with_the_exudates_found(eye, dme, disagrees):
    result = an_analysis(empty(eye), icdr=0, dme=dme).analyze(a_case(eye.picture))
    assert ("dme_disagrees" in codes(result)) == disagrees
    assert result.assessments["referable"] is (dme > 0)


def test_an_ungradable_photograph_is_graded_with_a_warning():
    blurred = a_fundus(blur_px=10)
    result = an_analysis(blurred.masks).analyze(a_case(blurred.picture))
    assert result.assessments["gradable"] is False
    assert result.assessments["ICDR"] == 2
    assert "quality.focus" in codes(result)


def test_a_wrong_side_in_the_header_is_noticed(eye):
    result = an_analysis(eye.masks).analyze(a_case(eye.picture, side="L"))
    assert "laterality_disagrees" in codes(result)
    assert "laterality_disagrees" not in codes(
        an_analysis(eye.masks).analyze(a_case(eye.picture, side=""))
    )


def test_sixteen_bit_photographs_are_read_like_eight_bit_ones(eye, result):
    deep = Picture(eye.picture.array.astype(np.uint16) * 257)
    held = an_analysis(eye.masks).analyze(a_case(deep)).assessments
    assert held["disc_center_px"] == pytest.approx(result.assessments["disc_center_px"], abs=2)
    assert held["gradable"] is True


def test_the_four_class_grade_comes_only_with_its_map(eye):
    held = an_analysis(eye.masks, icdr=4, four_classes=True).analyze(a_case(eye.picture))
    assert held.assessments["four_class"] == 3
    assert "3 or 4" in held.assessments["four_class_map"]
    assert held.assessments["four_class_probabilities"] == (0.05, 0.05, 0.05, 0.85)
    assert held.provenance.version.endswith("+four.class")


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((300, 400), np.uint8), "gray"),
        (np.zeros((300, 400, 3), np.uint8), "nothing is lit"),
        (np.full((300, 400, 3), 200, np.uint8), "gray"),
        (np.zeros((1, 1, 3), np.uint8), "nothing is lit"),
        (np.full((1, 1, 3), (200, 100, 50), np.uint8), "px"),
    ],
)
def test_pictures_that_are_no_retina_are_unsuitable(array, reason):
    with pytest.raises(UnsuitableError, match=reason):
        an_analysis({}).analyze(a_case(Picture(array)))


def test_an_answer_that_is_no_number_is_refused(eye):
    def broken(predictor, rgb, field, plan, opinion):
        return replace(
            a_grade()(predictor, rgb, field, plan), dme_probabilities=np.full(3, np.nan)
        )

    with pytest.raises(InputError, match="NaN"):
        an_analysis(eye.masks, grade=broken).analyze(a_case(eye.picture))


def test_each_photograph_of_a_study_is_a_run_of_its_own(eye):
    case = a_case(eye.picture)
    (series,) = case.study.series
    twins = (series.instances[0], replace(series.instances[0], uid="2.25.43"))
    other = replace(series, modality="CT", content=Content.VOLUME)
    empty_one = replace(series, instances=(replace(series.instances[0], frames=0),))
    study = replace(case.study, series=(replace(series, instances=twins), other, empty_one))
    selections = an_analysis({}).select(study)
    assert [s.series[0].instances[0].uid for s in selections] == ["2.25.42", "2.25.43"]
    assert all(len(s.series[0].instances) == 1 for s in selections)


def test_a_study_without_photographs_is_unsuitable_and_says_what_it_holds(eye):
    case = a_case(eye.picture)
    chest = replace(case.study.series[0], modality="CR")
    scan = replace(case.study.series[0], modality="CT", content=Content.VOLUME)
    with pytest.raises(UnsuitableError, match="CR pictures, CT volume"):
        an_analysis({}).select(replace(case.study, series=(chest, scan)))
    unnamed = replace(scan, modality="")
    with pytest.raises(UnsuitableError, match=r"^no photograph in the study: volume$"):
        an_analysis({}).select(replace(case.study, series=(unnamed,)))
    with pytest.raises(UnsuitableError, match="empty"):
        an_analysis({}).select(replace(case.study, series=()))
