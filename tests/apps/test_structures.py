"""Contours from files: grown, combined, limited, and the dose to them."""

import json

import numpy as np
import pytest
from pydicom import dcmread

from medloop.apps.cli import main
from medloop.apps.structure_options import margin_of
from medloop.core.structure import RoiKind
from medloop.dicom.read_rtstruct import read_structures, structures_of
from medloop.files.nifti import read_nifti, write_nifti
from tests.dicom.contoured import FRAME, a_structure, an_axial_grid, write_slices, written
from tests.dicom.slices import save
from tests.dicom.test_read_dose import a_dose_file
from tests.imaging.soft_phantoms import a_ball, a_box, a_soft

GRID = an_axial_grid((24, 40, 40), (3.0, 1.8, 1.8), (-35.0, -35.0, -34.0))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """CT slices, a structure set with GTV, BODY and Cord, and a dose that rises with x."""
    folder = tmp_path_factory.mktemp("plan")
    write_slices(GRID, folder / "ct")
    shapes = {
        "GTV": a_ball(10.0),
        "BODY": a_box((14.0, 30.0, 30.0)),
        "Cord": a_box((4.0, 4.0, 40.0), (0.0, 14.0, 0.0)),
    }
    structures = [
        a_structure(a_soft(GRID, shape).array, GRID, name, number)
        for number, (name, shape) in enumerate(shapes.items(), start=1)
    ]
    written(structures, GRID, folder / "rs.dcm")
    x = -40 + 3.0 * np.arange(28)
    gy = np.broadcast_to(40 + 0.5 * x, (33, 42, 28))
    dose = a_dose_file(
        np.round(gy * 1000).astype(np.uint16), ImagePositionPatient=[-40, -42, -40]
    )
    save(dose, folder / "dose.dcm")
    return folder


def run(*typed) -> int:
    return main(["structures", *map(str, typed)])


def given(files) -> list:
    return [files / "rs.dcm", "--image", files / "ct"]


def test_a_gtv_grows_to_a_ctv_that_a_planning_system_reads(files, tmp_path, capsys):
    out = tmp_path / "ctv.dcm"
    code = run(
        "expand", *given(files), "--roi", "GTV", "--margin", 5, "--name", "CTV", "-o", out
    )
    assert code == 0
    (made,) = structures_of(dcmread(out), grid=GRID)
    assert (made.name, made.kind) == ("CTV", RoiKind.CTV)
    (roi,) = dcmread(out).StructureSetROISequence
    assert roi.ROIGenerationAlgorithm == "SEMIAUTOMATIC"  # from what somebody drew
    radii = [np.linalg.norm(contour.points_mm, axis=1) for contour in made.contours]
    assert np.median(np.concatenate(radii)) == pytest.approx(15, abs=0.1)
    told = capsys.readouterr().out.split(", ")[-1]  # drawn on slices, a ball has flat ends
    assert float(told.split()[0]) == pytest.approx(4 / 3 * np.pi * 3.375, rel=0.03)
    assert dcmread(out).FrameOfReferenceUID == FRAME


def test_sides_limits_and_gaps_hold(files, tmp_path):
    out = tmp_path / "ptv.nii.gz"
    limits = ["--crop-to", "BODY", "--minus", "Cord", "--gap", "1"]
    margin = "left=8,right=2,posterior=6"
    code = run("expand", *given(files), "--roi", "GTV", "--margin", margin, *limits, "-o", out)
    assert code == 0
    mask = read_nifti(out)
    places = mask.grid.to_world(np.argwhere(mask.array > 0).astype(float))
    assert places[:, 0].max() <= 13 + 0.1  # the body ends at 14
    assert places[:, 0].min() == pytest.approx(-12, abs=1.8)
    near_cord = (np.abs(places[:, 0]) < 3) & (places[:, 1] > 9.1)
    assert not near_cord.any()


def test_structures_are_combined(files, tmp_path):
    out = tmp_path / "both.dcm"
    rois = ["--roi", "GTV", "--roi", "Cord"]
    assert run("combine", *given(files), *rois, "--operation", "subtraction", "-o", out) == 0
    first = read_structures(dcmread(files / "rs.dcm"), GRID)
    left = read_structures(dcmread(out), GRID)["combined"]
    assert (left == (first["GTV"] & ~first["Cord"])).mean() > 0.9999


def test_the_dose_to_a_ball_in_a_linear_dose_is_told(files, tmp_path, capsys):
    table = tmp_path / "dvh.csv"
    typed = ["--dose", files / "dose.dcm", "--roi", "GTV", "--at", 38, "--json", "-o", table]
    assert run("dose", *given(files), *typed) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["mean_gy"] == pytest.approx(40, rel=0.005)
    assert row["D50_gy"] == pytest.approx(40, rel=0.005)
    assert row["max_gy"] == pytest.approx(45, rel=0.005)
    # Above a plane 4 mm from the center of a ball of 10 mm.
    above = 1 - np.pi * 6**2 * (30 - 6) / 3 / (4 / 3 * np.pi * 1000)
    assert row["V38_percent"] == pytest.approx(100 * above, abs=0.5)
    lines = table.read_text().splitlines()
    assert lines[0] == "dose_gy,GTV_cm3"
    assert float(lines[1].split(",")[1]) == pytest.approx(row["volume_cm3"], abs=1e-3)


def test_a_table_names_every_structure_with_contours(files, capsys):
    assert run("dose", *given(files), "--dose", files / "dose.dcm") == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", "GTV", "BODY", "Cord"]
    assert "V20_percent" in lines[0]


def test_a_label_map_grows_too(tmp_path):
    labels = (a_soft(GRID, a_ball(10.0)).array >= 0.5).astype(np.uint8) * 3
    source, out = tmp_path / "labels.nii.gz", tmp_path / "grown.nii.gz"
    write_nifti(labels, GRID, source)
    assert run("expand", source, "--roi", 3, "--margin", 4, "-o", out) == 0
    grown = read_nifti(out).array.sum() * GRID.voxel_mm3
    assert grown == pytest.approx(4 / 3 * np.pi * 14**3, rel=0.06)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["expand", "RS", "--roi", "GTV", "-o", "out.dcm"], (2, "needs --margin")),
        (["expand", "RS", "--margin", "5", "-o", "out.dcm"], (2, "needs one --roi")),
        (["expand", "RS", "--roi", "GTV", "--margin", "5"], (2, "needs -o")),
        (
            ["expand", "RS", "--roi", "A", "--margin", "up=5", "-o", "o.dcm"],
            (2, "names no sides"),
        ),
        (["expand", "RS", "--roi", "A", "--margin", "500", "-o", "o.dcm"], (2, "at most")),
        (
            ["expand", "RS", "--roi", "A", "--margin", "left=5,right=-1", "-o", "o.dcm"],
            (2, "grows on all sides"),
        ),
        (
            ["expand", "RS", "--roi", "None", "--margin", "5", "-o", "o.dcm"],
            (3, "no structure"),
        ),
        (
            ["expand", "none.dcm", "--roi", "A", "--margin", "5", "-o", "o.dcm"],
            (2, "is no file"),
        ),
        (["combine", "RS", "--roi", "GTV", "--operation", "xor", "-o", "o.dcm"], (2, "two")),
        (["dose", "RS"], (2, "needs --dose")),
        (["dose", "RS", "--dose", "RS"], (3, "not an RT dose")),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_line(
    files, tmp_path, monkeypatch, capsys, typed, expected
):
    monkeypatch.chdir(tmp_path)
    said = [files / "rs.dcm" if word == "RS" else word for word in typed]
    assert run(*said, "--image", files / "ct") == expected[0]
    told = capsys.readouterr()
    assert expected[1] in told.err
    assert told.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_structure_set_needs_its_images(files, tmp_path, capsys):
    out = tmp_path / "o.dcm"
    assert run("expand", files / "rs.dcm", "--roi", "GTV", "--margin", 5, "-o", out) == 2
    assert "--image" in capsys.readouterr().err


def test_a_margin_is_one_number_or_sides():
    assert set(margin_of("-3").values()) == {-3.0}
    assert margin_of("left=2,superior=4.5")["superior"] == 4.5
    assert margin_of("left=2,superior=4.5")["right"] == 0


def test_help_says_who_decides_on_target_volumes(capsys):
    assert main(["structures", "--help"]) == 0
    assert "physician" in capsys.readouterr().out
