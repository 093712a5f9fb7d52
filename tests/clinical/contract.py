"""What every analysis must hold to, whatever its question: call these with its cases."""

import json
from collections.abc import Iterable

import numpy as np
import pytest

from medloop.core.errors import UnsuitableError
from medloop.core.finding import Finding, Result
from medloop.core.image import LabelMap, Patch, Picture, Volume
from medloop.core.record import to_json, to_record
from medloop.core.study import Case, Study
from medloop.workflow.ports import Analysis

TIMES = ("timings_s", "finished")


def check_analysis(analysis: Analysis, cases: Iterable[Case]) -> None:
    """Assert for each case all that can be asked without knowing the answer."""
    for case in cases:
        images = tuple(image.array.copy() for image in case.images)
        result = analysis.analyze(case)
        again = analysis.analyze(case)
        for image, before in zip(case.images, images, strict=True):
            assert np.array_equal(image.array, before), "an input was modified"
        assert said(case, result) == said(case, again), "a second run says something else"
        assert same_pixels(result, again), "a second run draws something else"
        assert result.provenance.analysis == analysis.name
        check_result(case, result)


def check_result(case: Case, result: Result) -> None:
    """Assert what a result must be, apart from who gave it."""
    said(case, result)
    assert result.provenance.finished.tzinfo is not None
    assert all(seconds >= 0 for seconds in result.timings_s.values())
    check_shares(result)
    check_labels(case, result)
    check_likely(case, result)
    for finding in result.findings:
        check_finding(case, result, finding)


def check_refusals(
    analysis: Analysis, *, studies: Iterable[Study] = (), cases: Iterable[Case] = ()
) -> None:
    """Assert that what does not suit is refused with a reason, on one line."""
    for study in studies:
        with pytest.raises(UnsuitableError) as refused:
            analysis.select(study)
        assert_is_reason(str(refused.value))
    for case in cases:
        with pytest.raises(UnsuitableError) as refused:
            analysis.analyze(case)
        assert_is_reason(str(refused.value))


def said(case: Case, result: Result) -> str:
    """Everything a record holds but times; that it can be written is part of the contract."""
    record = to_record(result, case.study, case.selection.source)
    json.loads(to_json(record))
    return to_json({key: value for key, value in record.items() if key not in TIMES})


def same_pixels(one: Result, two: Result) -> bool:
    labels = [None if r.labels is None else r.labels.array for r in (one, two)]
    if [each.low for each in one.heat_maps] != [each.low for each in two.heat_maps]:
        return False
    if list(one.likely) != list(two.likely):
        return False
    maps = [
        [heat.array for heat in r.heat_maps] + [each.array for each in r.likely.values()]
        for r in (one, two)
    ]
    return np.array_equal(*labels) and all(
        np.array_equal(*pair) for pair in zip(*maps, strict=True)
    )


def check_shares(result: Result) -> None:
    """Assert that probabilities are in 0..1, and that those of a scale sum to 1."""
    for name, value in result.assessments.items():
        if name.endswith("probability"):
            assert 0 <= value <= 1, name
        elif name.endswith("probabilities"):
            assert all(0 <= share <= 1 for share in value), name
            assert sum(value) == pytest.approx(1, abs=1e-4), name
    for finding in result.findings:
        assert finding.probability is None or 0 <= finding.probability <= 1


def check_labels(case: Case, result: Result) -> None:
    """Assert that the label map lies on the image and that segments explain its labels."""
    labels = result.labels
    if labels is None:
        return
    assert labels.array.dtype.kind in "ui"
    assert set(np.unique(labels.array)) - {0} <= set(labels.segments)
    assert 0 not in labels.segments
    assert labels.array.shape == shape_of(case)
    for heat in result.heat_maps:
        if heat.low:
            Patch(heat.array, heat.low, shape_of(case))  # refuses what lies elsewhere
        else:
            assert heat.array.shape == shape_of(case)


def check_likely(case: Case, result: Result) -> None:
    """Assert that probabilities are of labels, and as many axes as the image has."""
    for label, patch in result.likely.items():
        assert label > 0
        assert patch.array.max() > 0
        assert len(patch.shape) == len(shape_of(case))
        turned = np.array(patch.shape) / np.array(shape_of(case))
        assert turned.max() < 4 * turned.min() + 1


def check_finding(case: Case, result: Result, finding: Finding) -> None:
    """Assert that a finding's places are in the image and its segment in the label map."""
    image = case.images[0]
    assert all(np.isfinite(measured.value) for measured in finding.measurements)
    if finding.center_px is not None:
        assert isinstance(image, Picture)
        assert_inside(image, finding.center_px)
    if finding.center_lps_mm is not None:
        assert isinstance(image, Volume)
        assert_inside(image, finding.center_lps_mm)
    if finding.box is not None:
        low, high = finding.box.low, finding.box.high
        assert all(a <= b for a, b in zip(low, high, strict=True))
        assert_inside(image, low)
        assert_inside(image, high)
    if finding.segment is not None:
        assert isinstance(result.labels, LabelMap)
        assert finding.segment in result.labels.segments


def assert_inside(image: Picture | Volume, place: tuple[float, ...]) -> None:
    """Assert that a place is within half a pixel of the outermost pixel centers."""
    if isinstance(image, Picture):
        index, shape = np.array(place[::-1]), image.size
    else:
        index, shape = image.grid.to_index(np.array(place)), image.grid.shape
    assert len(index) == len(shape)
    assert all(-0.5 <= at <= n - 0.5 for at, n in zip(index, shape, strict=True)), place


def assert_is_reason(text: str) -> None:
    assert len(text) > 5
    assert "\n" not in text


def shape_of(case: Case) -> tuple[int, ...]:
    image = case.images[0]
    return image.size if isinstance(image, Picture) else image.grid.shape
