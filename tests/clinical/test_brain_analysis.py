"""The hippocampus analysis on phantoms of known volume, with a network that is one formula."""

from dataclasses import replace

import numpy as np
import pytest

from medloop.clinical.brain.analysis import build
from medloop.clinical.brain.codes import CONCEPTS, HIPPOCAMPUS, VOLUME
from medloop.core.errors import InputError, UnsuitableError
from medloop.core.finding import Weights
from medloop.core.image import Picture
from medloop.core.study import Content
from medloop.models.bundle import load_bundle
from medloop.models.predict import open_predictor
from medloop.models.segmentation_plan import PICTURES
from tests.clinical.brains import NOW, PLAN, a_bundle, a_case, a_hippocampus
from tests.clinical.contract import check_analysis, check_refusals

WEIGHTS = Weights("hippocampus", "0", "ab" * 32)


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    bundle = load_bundle(a_bundle(tmp_path_factory.mktemp("bundles") / "hippocampus"))
    predictor = open_predictor(bundle, engine="onnxruntime")
    return build(predictor, bundle.segmentation_plan, bundle.identity, now=lambda: NOW)


class Constant:
    """A network that gives every voxel the same probabilities."""

    def __init__(self, *shares: float) -> None:
        self.shares = shares

    def run(self, x):
        maps = np.ones((1, len(self.shares), *x.shape[2:]), np.float32)
        return {"probability": maps * np.reshape(self.shares, (1, -1, 1, 1, 1))}


def codes_of(result) -> list[str]:
    return [notice.code for notice in result.warnings]


def volume_of(finding) -> float:
    return next(m.value for m in finding.measurements if m.concept == VOLUME)


def test_volumes_are_those_of_the_ellipsoids(analysis):
    phantom = a_hippocampus()
    result = analysis.analyze(a_case(phantom.volume))
    assert np.array_equal(result.labels.array == 1, phantom.anterior)
    assert np.array_equal(result.labels.array == 2, phantom.posterior)
    held = result.assessments
    assert held["anterior_mm3"] == phantom.anterior.sum()
    assert held["anterior_mm3"] == pytest.approx(phantom.anterior_mm3, rel=0.02)
    assert held["posterior_mm3"] == pytest.approx(phantom.posterior_mm3, rel=0.02)
    assert held["hippocampus_mm3"] == held["anterior_mm3"] + held["posterior_mm3"]
    assert held["hippocampus_expected_mm3"] == pytest.approx(held["hippocampus_mm3"], rel=0.01)
    assert codes_of(result) == []


def test_volumes_hold_on_voxels_of_another_size(analysis):
    phantom = a_hippocampus(size=(30, 66, 45), steps_mm=(1.4, 0.8, 0.9))
    held = analysis.analyze(a_case(phantom.volume)).assessments
    assert held["anterior_mm3"] == pytest.approx(phantom.anterior_mm3, rel=0.04)
    assert held["posterior_mm3"] == pytest.approx(phantom.posterior_mm3, rel=0.04)
    low, high = held["hippocampus_range_mm3"]
    assert low < held["hippocampus_mm3"] < high


def test_the_whole_and_its_parts_are_findings_with_a_place(analysis):
    whole, front, back = analysis.analyze(a_case(a_hippocampus().volume)).findings
    assert (whole.concept, front.concept, back.concept) == (HIPPOCAMPUS, *CONCEPTS.values())
    assert (whole.segment, front.segment, back.segment) == (None, 1, 2)
    assert front.site == back.site == HIPPOCAMPUS
    assert volume_of(whole) == volume_of(front) + volume_of(back)
    assert front.center_lps_mm == pytest.approx((27, 1, -12), abs=0.1)
    assert back.center_lps_mm == pytest.approx((27, 19, -12), abs=0.1)
    assert min(each.probability for each in (whole, front, back)) > 0.95


def test_a_volume_stored_the_other_way_round_gives_the_same(analysis):
    phantom = a_hippocampus()
    grid = phantom.volume.grid
    affine = grid.affine @ np.array(
        [[-1, 0, 0, 35], [0, 0, -1, 51], [0, 1, 0, 0], [0, 0, 0, 1]], float
    )  # slices downward, rows along x, columns from back to front
    array = np.ascontiguousarray(phantom.volume.array[::-1, ::-1].transpose(0, 2, 1))
    turned = replace(
        phantom.volume, array=array, grid=replace(grid, shape=array.shape, affine=affine)
    )
    one, two = (analysis.analyze(a_case(v)) for v in (phantom.volume, turned))
    assert one.assessments["hippocampus_mm3"] == two.assessments["hippocampus_mm3"]
    assert one.assessments["anterior_mm3"] == two.assessments["anterior_mm3"]
    assert codes_of(two) == []
    for a, b in zip(one.findings, two.findings, strict=True):
        assert a.center_lps_mm == pytest.approx(b.center_lps_mm)


@pytest.mark.parametrize(
    ("x_mm", "frame", "stated", "side", "source"),
    [
        (27.0, "2.25.8", "", "left", "position"),
        (-27.0, "2.25.8", "", "right", "position"),
        (27.0, None, "", "unknown", "none"),  # cut out and stored elsewhere: x means nothing
        (3.0, "2.25.8", "", "unknown", "none"),
        (80.0, "2.25.8", "", "unknown", "none"),
        (3.0, None, "R", "right", "header"),
    ],
)
def test_the_side_is_told_only_where_it_can_be(analysis, x_mm, frame, stated, side, source):
    phantom = a_hippocampus(middle_mm=(x_mm, 10.0, -12.0), frame=frame)
    result = analysis.analyze(a_case(phantom.volume, side=stated))
    assert result.assessments["side"] == side
    assert result.assessments["side_from"] == source
    assert codes_of(result) == []


def test_a_stated_side_that_the_place_contradicts_is_told(analysis):
    result = analysis.analyze(a_case(a_hippocampus().volume, side="R"))
    assert codes_of(result) == ["hippocampus_side"]
    assert result.assessments["side"] == "right"


def test_a_hippocampus_that_is_cut_off_is_told(analysis):
    phantom = a_hippocampus(shift_mm=(0.0, 12.0, 0.0))
    result = analysis.analyze(a_case(phantom.volume))
    (notice,) = result.warnings
    assert notice.code == "hippocampus_cut_off"
    assert "1 of 6 faces" in notice.text


@pytest.mark.parametrize("radii_mm", [(3.0, 4.0, 3.0), (13.0, 12.5, 13.0)])
def test_a_volume_that_no_hippocampus_has_is_told(analysis, radii_mm):
    phantom = a_hippocampus(radii_mm=radii_mm, size=(44, 60, 44))
    truth = phantom.anterior.sum() + phantom.posterior.sum()
    (notice,) = analysis.analyze(a_case(phantom.volume)).warnings
    assert notice.code == "hippocampus_volume"
    assert f"a volume of {truth} mm3 is outside 500 to 6000 mm3" in notice.text


def test_a_volume_whose_front_is_behind_is_told(analysis):
    phantom = a_hippocampus()
    backward = replace(phantom.volume, array=phantom.volume.array[:, ::-1].copy())
    assert codes_of(analysis.analyze(a_case(backward))) == ["hippocampus_turned"]


def test_loose_pieces_are_told(analysis):
    phantom = a_hippocampus()
    array = phantom.volume.array.copy()
    array[2:7, 2:7, 2:7] = 180
    result = analysis.analyze(a_case(replace(phantom.volume, array=array)))
    (notice,) = result.warnings
    assert notice.code == "hippocampus_pieces"
    assert "2 pieces, 125 mm3" in notice.text


def test_a_part_that_is_missing_counts_zero_and_is_told(analysis):
    phantom = a_hippocampus()
    array = phantom.volume.array.copy()
    array[phantom.posterior] = 100
    result = analysis.analyze(a_case(replace(phantom.volume, array=array)))
    assert codes_of(result) == ["hippocampus_no_posterior"]
    assert result.assessments["posterior_mm3"] == 0
    assert "posterior_range_mm3" not in result.assessments
    assert len(result.findings) == 2


def test_an_unsure_outline_is_told():
    analysis = build(Constant(0.3, 0.4, 0.3), PLAN, WEIGHTS, now=lambda: NOW)
    assert "hippocampus_unsure" in codes_of(analysis.analyze(a_case(a_hippocampus().volume)))


def test_a_volume_without_a_hippocampus_is_refused():
    analysis = build(Constant(0.6, 0.2, 0.2), PLAN, WEIGHTS, now=lambda: NOW)
    with pytest.raises(UnsuitableError, match="no hippocampus found"):
        analysis.analyze(a_case(a_hippocampus().volume))


def test_a_network_that_answers_nan_is_bad_input():
    analysis = build(Constant(0.6, float("nan"), 0.2), PLAN, WEIGHTS, now=lambda: NOW)
    with pytest.raises(InputError, match="answered with NaN"):
        analysis.analyze(a_case(a_hippocampus().volume))


def test_classes_are_told_by_name_not_by_order():
    plan = replace(PLAN, classes=("Posterior", "Anterior"))
    network = Constant(0.1, 0.7, 0.2)
    result = build(network, plan, WEIGHTS, now=lambda: NOW).analyze(
        a_case(a_hippocampus().volume)
    )
    assert set(np.unique(result.labels.array)) == {2}


@pytest.mark.parametrize(
    "plan",
    [
        replace(PLAN, classes=("kidney", "tumor")),
        replace(PLAN, classes=("anterior",)),
        replace(PLAN, channels=("T1", "T2")),
        replace(PLAN, frame=PICTURES),
    ],
)
def test_a_network_for_something_else_is_refused(plan):
    with pytest.raises(InputError, match="the analysis wants anterior, posterior from 1"):
        build(Constant(1.0), plan, WEIGHTS, now=lambda: NOW)


def test_every_t1_volume_of_a_study_is_a_run(analysis):
    study = a_case(a_hippocampus().volume).study
    first = study.series[0]
    t2 = replace(first, uid="2.25.61", description="T2 TSE")
    again = replace(first, uid="2.25.62", description="T1 again")
    chosen = analysis.select(replace(study, series=(first, t2, again)))
    assert [selection.series[0].uid for selection in chosen] == ["2.25.51", "2.25.62"]


@pytest.mark.slow
def test_the_analysis_keeps_the_contract(analysis):
    phantom = a_hippocampus()
    case = a_case(phantom.volume)
    nifti = a_case(a_hippocampus(frame=None).volume, modality="", description="")
    cut = a_case(a_hippocampus(shift_mm=(0.0, 0.0, 12.0)).volume, side="R")
    check_analysis(analysis, [case, nifti, cut])
    series = case.study.series[0]
    studies = [
        replace(case.study, series=each)
        for each in (
            (),
            (replace(series, modality="CT"),),
            (replace(series, content=Content.PICTURES),),
            (replace(series, description="T2"), replace(series, description="DWI", uid="1")),
        )
    ]
    flat = replace(phantom.volume, array=np.full_like(phantom.volume.array, 100))
    whole_head = a_hippocampus(size=(110, 52, 34)).volume
    refused = [a_case(flat), a_case(whole_head)]
    refused.append(replace(case, images=(Picture(np.zeros((40, 40), np.uint8)),)))
    check_refusals(analysis, studies=studies, cases=refused)
