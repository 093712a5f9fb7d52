"""The head and neck analysis on a drawn planning CT whose organs are known."""

from dataclasses import replace

import numpy as np
import pytest

from medloop.clinical.radiotherapy.analysis import build
from medloop.clinical.radiotherapy.codes import EXPECTED_DICE, MIRROR_DICE, ORGANS, VOLUME
from medloop.core.errors import InputError, UnsuitableError
from medloop.core.image import Picture, Volume
from medloop.core.structure import RoiKind
from medloop.core.study import Content
from medloop.imaging.orientation import turn_of
from medloop.models.segmentation_plan import PICTURES
from tests.clinical.contract import check_analysis, check_refusals
from tests.necks import (
    CLASSES,
    NOW,
    PLAN,
    WEIGHTS,
    a_case,
    a_grid,
    a_neck,
    a_network,
    an_analysis,
    anatomy,
    ellipsoid,
)
from tests.thorax import a_chest


class Constant:
    """A network that answers the same everywhere."""

    def __init__(self, *shares: float) -> None:
        self.shares = np.array(shares, np.float32)

    def run(self, x):
        shape = (1, len(self.shares), *x.shape[2:])
        return {
            "probability": np.broadcast_to(self.shares.reshape(1, -1, 1, 1, 1), shape).copy()
        }


@pytest.fixture(scope="module")
def neck():
    return a_neck()


@pytest.fixture(scope="module")
def result(neck):
    return an_analysis(neck.volume.grid).analyze(a_case(neck.volume))


def codes_of(result) -> list[str]:
    return [notice.code for notice in result.warnings]


def volumes_of(result) -> dict[int, float]:
    return {each.segment: each.measured(VOLUME) for each in result.findings}


def turned(volume: Volume) -> Volume:
    """The same patient, stored from head to foot and from left to right."""
    grid = volume.grid
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_world(np.array([grid.shape[0] - 1.0, 0, grid.shape[2] - 1.0]))
    affine[:3, [0, 2]] *= -1
    array = np.ascontiguousarray(volume.array[::-1, :, ::-1])
    return Volume(array, replace(grid, affine=affine), volume.unit)


def mirrored(volume: Volume) -> Volume:
    """Another patient: the array from left to right alone."""
    return volume.with_array(np.ascontiguousarray(volume.array[:, :, ::-1]))


def test_every_organ_is_outlined_where_it_was_drawn(neck, result):
    assert [each.segment for each in result.findings] == [1, 2, 3, 4, 5, 6, 7]
    for name, organ in ORGANS.items():
        truth, answer = neck.organs[name], result.labels.array == organ.label
        overlap = 2 * (truth & answer).sum() / (truth.sum() + answer.sum())
        assert overlap > 0.93, name
    assert codes_of(result) == []


def test_a_finding_measures_the_labels(result):
    grid = result.labels.grid
    for each in result.findings:
        inside = result.labels.array == each.segment
        volume_cm3 = inside.sum() * grid.voxel_mm3 / 1000
        assert each.measured(VOLUME) == pytest.approx(volume_cm3, abs=0.001)
        middle = grid.to_world(np.argwhere(inside).mean(axis=0))
        assert each.center_lps_mm == pytest.approx(middle.tolist(), abs=0.01)


def test_quality_is_high_where_borders_are_sure(result):
    for each in result.findings:
        assert 0.75 < each.measured(EXPECTED_DICE) < 1
        assert each.measured(MIRROR_DICE) > 0.95
        assert 0.5 < each.probability <= 1


def test_structures_are_named_after_tg263_and_lie_on_the_labels(result):
    assert [each.name for each in result.structures] == [
        "Brainstem",
        "SpinalCord",
        "Parotid_R",
        "Parotid_L",
        "Esophagus",
        "Larynx",
        "Bone_Mandible",
    ]
    grid = result.labels.grid
    for each in result.structures:
        assert each.kind is RoiKind.ORGAN
        inside = result.labels.array == each.number
        slices = set(np.flatnonzero(inside.sum(axis=(1, 2)) > 1))
        assert slices <= {c.k for c in each.contours}
        area = sum(contour.area_mm2 for contour in each.contours) * grid.spacing_mm[0]
        assert area == pytest.approx(inside.sum() * grid.voxel_mm3, rel=0.05)


def test_mirroring_array_and_affine_together_changes_nothing_in_the_world(neck, result):
    again = turned(neck.volume)
    assert turn_of(again.grid).backward == (True, False, True)
    other = an_analysis(neck.volume.grid).analyze(a_case(again))
    assert np.array_equal(other.labels.array[::-1, :, ::-1], result.labels.array)
    for one, two in zip(result.findings, other.findings, strict=True):
        assert one.center_lps_mm == pytest.approx(two.center_lps_mm, abs=1e-6)
    for one, two in zip(result.structures, other.structures, strict=True):
        ends = [np.concatenate([c.points_mm for c in s.contours]) for s in (one, two)]
        assert ends[0].min(axis=0) == pytest.approx(ends[1].min(axis=0), abs=1e-3)
        assert ends[0].max(axis=0) == pytest.approx(ends[1].max(axis=0), abs=1e-3)


def test_mirroring_the_array_alone_exchanges_the_sides(neck, result):
    other = an_analysis(neck.volume.grid).analyze(a_case(mirrored(neck.volume)))
    exchanged = np.array([0, 1, 2, 4, 3, 5, 6, 7], np.uint8)
    assert np.array_equal(other.labels.array[..., ::-1], exchanged[result.labels.array])
    one, two = volumes_of(result), volumes_of(other)
    assert (one[3], one[4]) == (two[4], two[3])
    assert one[3] > 1.3 * one[4]
    assert codes_of(other) == []


def test_right_and_left_that_lie_on_the_wrong_side_are_told_not_swapped(neck, result):
    analysis = an_analysis(neck.volume.grid, is_turned=True)
    other = analysis.analyze(a_case(neck.volume))
    assert "oar-sides" in codes_of(other)
    right, left = (other.labels.array == label for label in (3, 4))
    assert np.array_equal(right, result.labels.array == 4)
    assert np.array_equal(left, result.labels.array == 3)


def test_an_organ_outside_the_range_of_labelled_ones_is_told(neck):
    small = anatomy() | {"brainstem": ellipsoid((0, 10, 15), (9, 9, 14))}
    grid = neck.volume.grid
    other = an_analysis(grid, distances=small).analyze(a_case(neck.volume))
    assert codes_of(other) == ["oar-volume_brainstem"]
    assert "of 93 labelled ones 98 % have 7.4 to 43.7 cm3" in other.warnings[0].text
    assert other.assessments["brainstem"] == {"name": "Brainstem", "review": "volume"}
    assert other.assessments["organs_to_review"] == 1


def test_an_organ_out_of_place_is_told_and_no_other(neck):
    away = anatomy() | {"larynx": ellipsoid((0, -25, -20), (15, 12, 15))}
    other = an_analysis(neck.volume.grid, distances=away).analyze(a_case(neck.volume))
    assert codes_of(other) == ["oar-place_larynx"]


def test_a_small_piece_far_away_is_left_out_and_told(neck):
    main, apart = ellipsoid((0, 10, 15), (14, 13, 26)), ellipsoid((30, 20, 60), (8, 8, 8))
    two = anatomy() | {"brainstem": lambda place: np.minimum(main(place), apart(place))}
    grid = neck.volume.grid
    other = an_analysis(grid, distances=two).analyze(a_case(neck.volume))
    assert codes_of(other) == ["oar-dropped_brainstem"]
    inside = np.argwhere(other.labels.array == 1).astype(float)
    assert grid.to_world(inside)[:, 0].max() < 16


def test_an_organ_in_two_halves_is_told(neck):
    one, two = ellipsoid((0, 10, 32), (14, 13, 12)), ellipsoid((0, 10, -2), (14, 13, 12))
    halves = anatomy() | {"brainstem": lambda place: np.minimum(one(place), two(place))}
    other = an_analysis(neck.volume.grid, distances=halves).analyze(a_case(neck.volume))
    assert codes_of(other) == ["oar-pieces_brainstem"]


def test_an_organ_cut_off_by_the_scan_is_told_and_a_cord_that_runs_on_is_not():
    grid = a_grid(low_mm=(-150.0, -120.0, -105.0))
    other = an_analysis(grid).analyze(a_case(a_neck(grid).volume))
    assert "oar-border_larynx" in codes_of(other)
    assert "oar-border_spinal_cord" not in codes_of(other)
    assert "oar-missing_oesophagus" in codes_of(other)
    assert other.assessments["oesophagus"]["review"] == "missing"


def test_an_unsure_outline_is_told(neck):
    other = an_analysis(neck.volume.grid, blur_mm=6.0).analyze(a_case(neck.volume))
    assert "oar-unsure_spinal_cord" in codes_of(other)
    sure = an_analysis(neck.volume.grid).analyze(a_case(neck.volume))
    for one, two in zip(sure.findings, other.findings, strict=False):
        assert one.measured(EXPECTED_DICE) > two.measured(EXPECTED_DICE)


def test_answers_that_differ_in_the_mirror_image_are_told(neck):
    class OneSided:
        """Sees the parotid on the left of the image alone."""

        inner = a_network(neck.volume.grid)

        def run(self, x):
            answer = self.inner.run(x)["probability"].copy()
            answer[:, 0] += answer[:, 4] * 0.4
            answer[:, 4] *= 0.6
            return {"probability": answer}

    other = build(OneSided(), PLAN, WEIGHTS, now=lambda: NOW).analyze(a_case(neck.volume))
    right, left = other.findings[2:4]
    assert right.measured(MIRROR_DICE) < 0.95
    assert left.measured(MIRROR_DICE) < 0.95
    assert other.findings[0].measured(MIRROR_DICE) > 0.95


def test_where_nothing_is_found_it_is_no_head_and_neck(neck):
    network = Constant(0.93, *[0.01] * 7)
    with pytest.raises(UnsuitableError, match="0 of 7 organs at risk found"):
        build(network, PLAN, WEIGHTS, now=lambda: NOW).analyze(a_case(neck.volume))


def test_a_network_that_answers_nan_is_bad_input(neck):
    network = Constant(0.5, float("nan"), *[0.1] * 6)
    with pytest.raises(InputError, match="answered with NaN"):
        build(network, PLAN, WEIGHTS, now=lambda: NOW).analyze(a_case(neck.volume))


@pytest.mark.parametrize(
    "plan",
    [
        replace(PLAN, classes=CLASSES[:6]),
        replace(PLAN, classes=(*CLASSES[:6], "tongue")),
        replace(PLAN, channels=("T1", "T2")),
        replace(PLAN, frame=PICTURES),
    ],
)
def test_a_network_for_something_else_is_refused(plan):
    with pytest.raises(InputError, match="the analysis wants brainstem, spinal cord, right"):
        build(Constant(1.0), plan, WEIGHTS, now=lambda: NOW)


def test_classes_are_told_by_name_not_by_order(neck, result):
    plan = replace(PLAN, classes=tuple(reversed([name.title() for name in CLASSES])))

    class Reversed:
        inner = a_network(neck.volume.grid)

        def run(self, x):
            answer = self.inner.run(x)["probability"]
            return {"probability": np.ascontiguousarray(answer[:, [0, 7, 6, 5, 4, 3, 2, 1]])}

    other = build(Reversed(), plan, WEIGHTS, now=lambda: NOW).analyze(a_case(neck.volume))
    assert np.array_equal(other.labels.array, result.labels.array)


@pytest.mark.slow
def test_the_analysis_keeps_the_contract(neck):
    grid = neck.volume.grid
    case = a_case(neck.volume)
    check_analysis(an_analysis(grid), [case, a_case(turned(neck.volume), body_part="")])
    series = case.study.series[0]
    studies = [
        replace(case.study, series=each)
        for each in (
            (),
            (replace(series, modality="MR"),),
            (replace(series, content=Content.PICTURES),),
            (replace(series, body_part="CHEST"), replace(series, description="MIP", uid="1")),
        )
    ]
    flat = neck.volume.with_array(np.full_like(neck.volume.array, 40))
    refused = [a_case(flat), a_case(a_chest().volume)]
    refused.append(replace(case, images=(Picture(np.zeros((40, 40), np.uint8)),)))
    check_refusals(an_analysis(grid), studies=studies, cases=refused)
