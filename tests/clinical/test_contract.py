"""Every analysis passes the contract; and the contract sees what breaks it."""

from dataclasses import replace

import numpy as np
import pytest

from medloop.apps.bootstrap import choose_analyses
from medloop.apps.settings import Settings
from medloop.core.finding import Box
from medloop.core.geometry import Grid
from medloop.core.image import Picture, Volume
from medloop.core.study import Content
from medloop.models.bundle import shipped_bundles
from tests.clinical.cases import a_case
from tests.clinical.contract import check_analysis, check_refusals, check_result
from tests.clinical.test_retina_analysis import an_analysis
from tests.phantoms import a_fundus


@pytest.fixture(scope="module")
def eye():
    return a_fundus((400, 602))


def shipped_retina(folder):
    missing = {"retina_grading", "retina_lesions"} - set(shipped_bundles())
    if missing:
        pytest.skip(f"shipped bundles are absent: {', '.join(sorted(missing))}")
    (analysis,) = choose_analyses(["retina"], Settings(home=folder))
    return analysis


def refused_cases(eye):
    """Pictures and a volume that are no color photograph of a retina."""
    case = a_case(eye.picture)
    grid = Grid((3, 4, 5), np.eye(4))
    volume = Volume(np.zeros(grid.shape, np.int16), grid, "HU")
    dark, gray = np.zeros((300, 400, 3), np.uint8), np.zeros((300, 400), np.uint8)
    noise = np.random.default_rng(1).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    pictures = [a_case(Picture(array)) for array in (dark, gray, noise)]
    return [*pictures, replace(case, images=(volume,))]


def refused_studies(eye):
    """Studies with nothing to choose."""
    study = a_case(eye.picture).study
    scan = replace(study.series[0], modality="CT", content=Content.VOLUME)
    report = replace(study.series[0], modality="SR", content=Content.NONE)
    return [replace(study, series=series) for series in ((), (scan,), (report,))]


@pytest.mark.slow
@pytest.mark.parametrize("four_classes", [False, True])
def test_the_retina_analysis_keeps_the_contract(eye, four_classes):
    analysis = an_analysis(eye.masks, four_classes=four_classes)
    check_analysis(analysis, [a_case(eye.picture), a_case(eye.picture, side="")])
    check_refusals(analysis, studies=refused_studies(eye), cases=refused_cases(eye))


@pytest.mark.slow
def test_the_shipped_retina_analysis_keeps_the_contract(eye, tmp_path):
    data = pytest.importorskip("skimage.data", reason="scikit-image is absent")
    analysis = shipped_retina(tmp_path)
    odd = Picture(np.ascontiguousarray(data.retina()[: 1411 - 2, : 1411 - 5]))
    check_analysis(analysis, [a_case(eye.picture), a_case(odd)])
    check_refusals(analysis, studies=refused_studies(eye), cases=refused_cases(eye))


@pytest.mark.slow
def test_lesions_over_each_other_and_the_edge_stay_inside_and_explained():
    eye = a_fundus((801, 1303))  # two pixels a step at the working width, and one left over
    everywhere = {kind: np.ones_like(mask) for kind, mask in eye.masks.items()}
    analysis = an_analysis({**everywhere, "OD": eye.masks["OD"]})  # the last painted hides all
    case = a_case(eye.picture)
    check_result(case, analysis.analyze(case))


def test_the_contract_sees_what_breaks_it(eye):
    case = a_case(eye.picture)
    result = an_analysis(eye.masks).analyze(case)
    check_result(case, result)
    for case_of in broken(result):
        with pytest.raises((AssertionError, ValueError)):
            check_result(case, case_of)


def broken(result):
    """Results that break the contract, one way each."""
    finding, labels = result.findings[0], result.labels
    outside = replace(finding, center_px=(-1.0, 5.0))
    inverted = replace(finding, box=Box((9.0, 9.0), (5.0, 5.0)))
    unexplained = replace(finding, segment=99)
    improbable = replace(finding, probability=1.5)
    segments = dict(list(labels.segments.items())[1:])
    assessments = result.assessments
    return [
        *(replace(result, findings=(f,)) for f in (outside, inverted, unexplained, improbable)),
        replace(result, labels=replace(labels, segments=segments)),
        replace(result, labels=replace(labels, array=labels.array[1:])),
        replace(result, assessments={**assessments, "referable_probability": -0.1}),
        replace(result, assessments={**assessments, "DME_probabilities": (0.5, 0.1)}),
        replace(result, assessments={**assessments, "strange": object()}),
        replace(result, timings_s={"infer": -1.0}),
    ]
