"""Every problem of a data set is one line that names its file."""

import numpy as np
import pytest

from medloop.learning.data import Severity, check, open_dataset, survey
from tests.learning.data.layouts import (
    AFFINE,
    SHAPE,
    a_block,
    a_coco,
    a_medmnist,
    a_table,
    an_nnunet,
    noise,
    save_nifti,
    save_png,
)


def told(folder, **options) -> list[str]:
    return [str(problem) for problem in check(open_dataset(folder), **options)]


def moved(x_mm: float) -> np.ndarray:
    affine = AFFINE.copy()
    affine[0, 3] += x_mm
    return affine


def test_sound_data_have_no_problem(tmp_path):
    assert told(an_nnunet(tmp_path)) == []


@pytest.mark.parametrize(
    ("shape", "affine", "says"),
    [
        ((6, 8, 9), AFFINE, "shape 6 x 8 x 9 differs from 6 x 8 x 10 of the image"),
        (SHAPE, moved(0.5), r"position differs by up to 1.00 voxels (limit 0.1) from that"),
    ],
)
def test_a_mask_on_another_grid_is_an_error(tmp_path, shape, affine, says):
    an_nnunet(tmp_path)
    save_nifti(a_block(shape=shape), tmp_path / "labelsTr/case1.nii.gz", affine)
    (line,) = told(tmp_path)
    assert line.startswith("error: labelsTr/case1.nii.gz: ")
    assert says in line


def test_a_shift_below_a_tenth_of_a_voxel_is_rounding(tmp_path):
    an_nnunet(tmp_path)
    save_nifti(a_block(value=2), tmp_path / "labelsTr/case1.nii.gz", moved(0.02))
    assert told(tmp_path) == []


def test_a_channel_on_another_grid_is_an_error(tmp_path):
    an_nnunet(tmp_path)
    save_nifti(noise(5), tmp_path / "imagesTr/case2_0001.nii.gz", moved(3))
    (line,) = told(tmp_path)
    assert line == (
        "error: imagesTr/case2_0001.nii.gz: position differs by up to 6.00 voxels (limit 0.1)"
        " from that of case2_0000.nii.gz"
    )


def test_a_missing_channel_or_mask_is_an_error(tmp_path):
    an_nnunet(tmp_path)
    (tmp_path / "imagesTr/case0_0001.nii.gz").unlink()
    (tmp_path / "labelsTr/case1.nii.gz").unlink()
    assert told(tmp_path) == [
        "error: imagesTr/case0_0001.nii.gz: cannot be opened: No such file or directory",
        "error: labelsTr/case1.nii.gz: cannot be opened: No such file or directory",
    ]


def test_an_unreadable_file_is_an_error(tmp_path):
    an_nnunet(tmp_path)
    path = tmp_path / "imagesTr/case0_0000.nii.gz"
    path.write_bytes(path.read_bytes()[:300])
    (line,) = told(tmp_path)
    assert line.startswith("error: imagesTr/case0_0000.nii.gz: ")


def test_values_outside_the_classes_are_an_error(tmp_path):
    an_nnunet(tmp_path)
    save_nifti(a_block(value=7), tmp_path / "labelsTr/case0.nii.gz")
    assert told(tmp_path) == [
        "error: labelsTr/case0.nii.gz: labels 7 (8 voxels) are outside the classes 0, 1, 2"
    ]


def test_broken_numbers_in_a_mask_are_an_error(tmp_path):
    an_nnunet(tmp_path)
    save_nifti(a_block() * np.float32(0.5), tmp_path / "labelsTr/case0.nii.gz")
    assert told(tmp_path) == [
        "error: labelsTr/case0.nii.gz: mask holds 8 values that are no whole numbers"
    ]


def test_whole_numbers_stored_as_floats_are_a_mask(tmp_path):
    an_nnunet(tmp_path)
    save_nifti(a_block().astype(np.float32), tmp_path / "labelsTr/case0.nii.gz")
    assert told(tmp_path) == []


def test_an_empty_mask_is_a_warning(tmp_path):
    an_nnunet(tmp_path)
    save_nifti(np.zeros(SHAPE, np.uint8), tmp_path / "labelsTr/case0.nii.gz")
    assert told(tmp_path) == ["warning: labelsTr/case0.nii.gz: no voxel is labelled"]


def test_constant_images_are_an_error_and_errors_come_first(tmp_path):
    an_nnunet(tmp_path)
    save_nifti(np.full(SHAPE, 3, np.int16), tmp_path / "imagesTr/case0_0001.nii.gz")
    for channel in range(2):
        path = tmp_path / f"imagesTr/case1_{channel:04}.nii.gz"
        save_nifti(np.full(SHAPE, 3, np.int16), path)
    assert told(tmp_path) == [
        "error: imagesTr/case1_0000.nii.gz: every value is 3",
        "warning: imagesTr/case0_0000.nii.gz: channel 1 holds one value only",
    ]


def test_values_that_are_no_numbers_are_counted(tmp_path):
    an_nnunet(tmp_path)
    array = noise(0).astype(np.float32)
    array[0, 0, :3] = np.nan, np.inf, np.nan
    save_nifti(array, tmp_path / "imagesTr/case0_0000.nii.gz")
    assert told(tmp_path) == [
        "warning: imagesTr/case0_0000.nii.gz: 3 values are NaN or infinite;"
        " they count as the minimum"
    ]


def test_a_picture_stored_twice_is_a_warning_that_says_if_labels_differ(tmp_path):
    lines = ["image,label", *(f"images/p{n}.png,{n % 2}" for n in range(4))]
    a_table(tmp_path, lines)
    save_png(noise(0, (12, 16)), tmp_path / "images/p3.png")
    assert told(tmp_path) == [
        "warning: images/p3.png: same pixels as images/p0.png; their labels differ"
    ]


def test_a_copy_or_a_patient_in_the_test_part_is_an_error(tmp_path):
    parts = ("train", "train", "test", "test")
    lines = ["image,label,patient,split"]
    lines += [
        f"images/p{n}.png,{n % 2},{'A' if n in (1, 3) else n},{part}"
        for n, part in enumerate(parts)
    ]
    a_table(tmp_path, lines)
    save_png(noise(0, (12, 16)), tmp_path / "images/p2.png")
    assert told(tmp_path) == [
        "error: images/p2.png: same pixels as images/p0.png, which is in train, this in test",
        "error: images/p3.png: same patient as images/p1.png, which is in train, this in test",
    ]


def test_the_same_values_in_another_type_are_a_copy(tmp_path):
    an_nnunet(tmp_path)
    for channel in range(2):
        path = tmp_path / f"imagesTr/case1_{channel:04}.nii.gz"
        save_nifti(noise(channel).astype(np.float32), path)
    assert "same pixels as imagesTr/case0_0000.nii.gz" in told(tmp_path)[0]


def test_gray_among_color_is_an_error(tmp_path):
    a_table(tmp_path, ["image,label", "images/c.png,0", "images/p1.png,1"])
    save_png(noise(9, (12, 16, 3)), tmp_path / "images/c.png")
    assert told(tmp_path) == ["error: images/p1.png: 1 channels; the data set has 3"]


def test_a_picture_among_volumes_is_an_error(tmp_path):
    a_table(tmp_path, ["image,label", "images/p0.png,0", "scan.nii.gz,1"])
    save_nifti(noise(3), tmp_path / "scan.nii.gz")
    assert told(tmp_path) == ["error: images/p0.png: 2-D in a data set that is 3-D"]


def test_boxes_outside_the_picture_are_an_error(tmp_path):
    box = {"image_id": 0, "category_id": 7, "bbox": [2, 3, 4, 5]}
    a_coco(tmp_path, [box, {**box, "bbox": [20, 3, 4, 5]}, {**box, "bbox": [2, 3, 0, 5]}])
    assert told(tmp_path) == [
        "error: annotations.json (p0): 1 of 3 objects lie outside the image",
        "error: annotations.json (p0): 1 objects have no extent",
        "warning: annotations.json (p1): no object is labelled",
    ]


def test_progress_is_told_after_each_case(tmp_path):
    seen = []
    check(open_dataset(an_nnunet(tmp_path)), progress=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_facts_count_voxels_and_spacing(tmp_path):
    facts = survey(open_dataset(an_nnunet(tmp_path)))[1]
    assert (facts.case, facts.shape, facts.counts) == ("case1", SHAPE, {2: 8})
    assert facts.spacing_mm == pytest.approx((2.0, 1.5, 0.5))


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path):
    dataset = open_dataset(a_medmnist(tmp_path / "toy.npz"))
    assert survey(dataset, workers=2) == survey(dataset)


def test_no_text_of_a_problem_has_two_lines(tmp_path):
    an_nnunet(tmp_path)
    (tmp_path / "imagesTr/case0_0000.nii.gz").write_bytes(b"\x1f\x8bnothing\n\nhere")
    (tmp_path / "labelsTr/case1.nii.gz").write_bytes(b"")
    problems = check(open_dataset(tmp_path))
    assert [p.severity for p in problems] == [Severity.ERROR] * 2
    assert not any("\n" in str(problem) for problem in problems)
