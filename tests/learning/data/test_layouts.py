"""Each layout is recognized by what is in it, and gives the same description."""

import numpy as np
import pytest
from PIL import Image

from medloop.core.errors import InputError
from medloop.learning.data import (
    Kind,
    Task,
    check,
    open_dataset,
    read_boxes,
    read_image,
    read_mask,
)
from medloop.learning.data.description import Grades
from tests.learning.data.layouts import (
    a_block,
    a_coco,
    a_decathlon,
    a_medmnist,
    a_table,
    an_nnunet,
    nnunet_header,
    noise,
    save_json,
    save_nifti,
    save_png,
)

BOX = {"image_id": 0, "category_id": 7, "bbox": [2, 3, 4, 5]}


def an_openkbp(root, count=2):
    """Write patients' folders; patient 0 has the cord and mandible, and a target volume."""
    for n in range(count):
        bits = np.zeros((4, 5, 6), np.uint16)
        bits[1, 1, 1:3] = 1 << 1
        bits[1, 1, 2] |= 1 << 6  # overlaps the cord
        bits[2, 2, 2] = 1 << 9
        folder = root / f"pt_{n}"
        folder.mkdir(parents=True)
        save_nifti(noise(n, shape=(4, 5, 6)).astype(np.int16), folder / "ct.nii.gz")
        save_nifti(bits, folder / "structures.nii.gz")
    return root


def names(dataset):
    return [case.name for case in dataset.cases]


@pytest.mark.parametrize("version", [1, 2])
def test_nnunet_raw_data_of_both_versions(tmp_path, version):
    found = open_dataset(an_nnunet(tmp_path, version=version))
    assert found.layout == f"nnU-Net raw data, version {version}"
    assert (found.task, found.kind) == (Task.SEGMENTATION, Kind.SOLID)
    assert found.channels == ("T1", "T2")
    assert found.classes == {"core": (1,), "edema": (2,)}
    assert names(found) == ["case0", "case1", "case2"]
    image = read_image(found.cases[1])
    assert np.array_equal(image.array, np.stack([noise(10), noise(11)]))
    assert np.array_equal(read_mask(found.cases[1], image), a_block(value=2))


def test_regions_and_unlabelled_pixels_of_nnunet(tmp_path):
    labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "ignore": 4}
    an_nnunet(tmp_path)
    save_json(nnunet_header() | {"labels": labels}, tmp_path / "dataset.json")
    found = open_dataset(tmp_path)
    assert found.classes == {"whole": (1, 2, 3), "core": (2, 3)}
    assert found.ignored == 4


def test_color_pictures_of_nnunet_stand_for_three_channels(tmp_path):
    save_png(noise(0, (12, 16, 3)), tmp_path / "imagesTr/a_0000.png")
    save_png(a_block(shape=(12, 16)), tmp_path / "labelsTr/a.png")
    header = nnunet_header(channels=("R", "G", "B")) | {"file_ending": ".png"}
    save_json(header, tmp_path / "dataset.json")
    found = open_dataset(tmp_path)
    assert found.kind is Kind.FLAT
    image = read_image(found.cases[0])
    assert np.array_equal(image.array, np.moveaxis(noise(0, (12, 16, 3)), -1, 0))
    assert np.array_equal(read_mask(found.cases[0], image), a_block(shape=(12, 16)))
    assert [str(p) for p in check(found)] == []


def test_test_images_of_nnunet_are_never_trained_on(tmp_path):
    an_nnunet(tmp_path)
    for channel in range(2):
        save_nifti(noise(90 + channel), tmp_path / f"imagesTs/t_{channel:04}.nii.gz")
    found = open_dataset(tmp_path)
    assert names(found)[-1] == "t"
    assert "t" not in [case.name for case in found.trainable]
    assert check(found) == ()


def test_the_decathlon_keeps_channels_in_a_fourth_axis(tmp_path):
    found = open_dataset(a_decathlon(tmp_path))
    assert found.layout == "Medical Segmentation Decathlon"
    assert found.channels == ("m0", "m1")
    image = read_image(found.cases[2])
    assert np.array_equal(image.array, np.stack([noise(20), noise(21)]))
    assert image.grid.spacing_mm == pytest.approx((2.0, 1.5, 0.5))
    assert check(found) == ()


def test_a_decathlon_task_of_one_channel(tmp_path):
    found = open_dataset(a_decathlon(tmp_path, channels=1))
    assert np.array_equal(read_image(found.cases[0]).array, noise(0)[None])


def test_a_table_of_words(tmp_path):
    lines = [
        "image,label,patient,site,split",
        "images/p0.png,benign,A,north,train",
        "images/p1.png,malignant,A,north,train",
        "images/p2.png,benign,B,south,valid",
        "images/p3.png,,C,south,test",
    ]
    found = open_dataset(a_table(tmp_path, lines))
    assert found.layout == "folder with a table of images and classes"
    assert found.classes == {"benign": (0,), "malignant": (1,)}
    assert names(found)[0] == "images/p0"
    assert [c.patient for c in found.cases] == ["A", "A", "B", "C"]
    assert [c.site for c in found.cases] == ["north", "north", "south", "south"]
    assert [c.split for c in found.cases] == ["train", "train", "val", "test"]
    assert [c.label for c in found.cases] == [Grades((0,)), Grades((1,)), Grades((0,)), None]


def test_a_table_of_several_grades_and_channels(tmp_path):
    lines = [
        "image_a,image_b,label_dr,label_dme",
        "images/p0.png,images/p1.png,4,2",
        "images/p2.png,images/p3.png,0,0",
    ]
    found = open_dataset(a_table(tmp_path, lines))
    assert found.findings == ("dr", "dme")
    assert found.classes == {"0": (0,), "2": (2,), "4": (4,)}
    assert found.cases[0].label == Grades((4, 2))
    assert read_image(found.cases[0]).array.shape == (2, 12, 16)


def test_a_table_of_masks(tmp_path):
    a_table(tmp_path, ["image,label", "images/p0.png,masks/p0.png"])
    save_png(a_block(value=255, shape=(12, 16)), tmp_path / "masks/p0.png")
    found = open_dataset(tmp_path)
    assert (found.task, found.classes) == (Task.SEGMENTATION, {"255": (255,)})
    assert found.remarks == ("no dataset.json names the classes; masks hold 255",)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["image,label", "images/p0.png,1", "images/p1.png,gone.png"], "mixes numbers"),
        (["image,label", "images/p0.png,1,2"], "line 2 has too many or few columns"),
        (["image,label"], "has no lines"),
        (["image,label", "../p0.png,1"], "outside the data set's folder"),
        (["image,label", ",1"], r"labels\.csv: '' is no name of a file"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(tmp_path, lines, says):
    with pytest.raises(InputError, match=says):
        open_dataset(a_table(tmp_path, lines))


def test_images_beside_labels(tmp_path):
    for n in range(2):
        save_nifti(noise(n), tmp_path / f"images/c{n}.nii.gz")
        save_nifti(a_block(value=1 + n), tmp_path / f"labels/c{n}.nii.gz")
    found = open_dataset(tmp_path)
    assert found.layout == "folders images and labels with the same names"
    assert found.classes == {"1": (1,), "2": (2,)}
    save_json({"labels": {"background": 0, "a": 1, "b": 2}}, tmp_path / "dataset.json")
    assert open_dataset(tmp_path).classes == {"a": (1,), "b": (2,)}


def test_a_fourth_axis_holds_channels(tmp_path):
    save_nifti(np.stack([noise(0), noise(1)]), tmp_path / "images/c0.nii.gz")
    save_nifti(a_block(), tmp_path / "labels/c0.nii.gz")
    found = open_dataset(tmp_path)
    assert found.channels == ("image_0", "image_1")
    assert np.array_equal(read_image(found.cases[0]).array, np.stack([noise(0), noise(1)]))


def test_a_tiff_of_pages_is_a_volume_with_the_distances_beside_it(tmp_path):
    for folder, name, array in (
        ("imagesTr", "a_0000", noise(0)),
        ("labelsTr", "a", a_block()),
    ):
        (tmp_path / folder).mkdir()
        pages = [Image.fromarray(page.astype(np.uint8)) for page in array]
        path = tmp_path / folder / f"{name}.tif"
        pages[0].save(path, save_all=True, append_images=pages[1:])
        save_json({"spacing": [3.0, 0.5, 0.7]}, tmp_path / folder / "a.json")
    header = nnunet_header(channels=("T1",)) | {"file_ending": ".tif"}
    save_json(header, tmp_path / "dataset.json")
    found = open_dataset(tmp_path)
    image = read_image(found.cases[0])
    assert found.kind is Kind.SOLID
    assert image.grid.spacing_mm == pytest.approx((3.0, 0.5, 0.7))
    assert np.array_equal(image.array[0], noise(0))
    assert check(found) == ()


def test_a_mask_keeps_the_indices_of_its_palette(tmp_path):
    a_table(tmp_path, ["image,label", "images/p0.png,mask.png"])
    mask = Image.fromarray(a_block(value=2, shape=(12, 16)), "P")
    mask.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    mask.save(tmp_path / "mask.png")
    found = open_dataset(tmp_path)
    assert found.classes == {"2": (2,)}
    case = found.cases[0]
    assert np.array_equal(read_mask(case, read_image(case)), a_block(value=2, shape=(12, 16)))


def test_a_mask_in_color_is_an_error(tmp_path):
    a_table(tmp_path, ["image,label", "images/p0.png,mask.png"])
    save_png(noise(3, (12, 16, 3)), tmp_path / "mask.png")
    (problem,) = check(open_dataset(tmp_path))
    says = "error: mask.png: picture is in color; a mask has one whole number a pixel"
    assert str(problem) == says


def test_masks_without_an_image_are_told(tmp_path):
    an_nnunet(tmp_path)
    save_nifti(a_block(), tmp_path / "labelsTr/case9.nii.gz")
    remark = "labelsTr holds masks without an image: case9.nii.gz"
    assert open_dataset(tmp_path).remarks == (remark,)


def test_a_folder_a_class(tmp_path):
    for n, name in enumerate(("cyst", "normal", "cyst")):
        save_png(noise(n, (12, 16, 3)), tmp_path / name / f"p{n}.png")
    found = open_dataset(tmp_path)
    assert found.layout == "a folder a class"
    assert found.classes == {"cyst": (0,), "normal": (1,)}
    assert found.channels == ("red", "green", "blue")
    assert names(found) == ["cyst/p0", "cyst/p2", "normal/p1"]


def test_a_folder_a_part_and_class(tmp_path):
    for part in ("train", "test"):
        for name in ("cyst", "normal"):
            save_png(noise(len(part + name), (12, 16)), tmp_path / part / name / "p.png")
    found = open_dataset(tmp_path)
    assert [c.split for c in found.cases] == ["test", "test", "train", "train"]
    assert len(found.trainable) == 2


@pytest.mark.parametrize("color", [False, True])
def test_medmnist(tmp_path, color):
    found = open_dataset(a_medmnist(tmp_path / "toy.npz", color=color, test=2))
    assert found.layout == "MedMNIST .npz"
    assert found.channels == (("red", "green", "blue") if color else ("image",))
    assert names(found)[:2] == ["train/0", "train/1"]
    assert len(found.cases) == 14
    assert len(found.trainable) == 12
    image = read_image(found.cases[9]).array
    expected = noise(1, (4, 28, 28, 3) if color else (4, 28, 28)).astype(np.uint8)[1]
    assert np.array_equal(image, np.moveaxis(expected, -1, 0) if color else expected[None])
    assert found.cases[9].label == Grades((1,))


def test_volumes_of_medmnist_are_solid(tmp_path):
    images = noise(0, (4, 9, 9, 9)).astype(np.uint8)
    np.savez(tmp_path / "v.npz", train_images=images, train_labels=np.zeros((4, 1), int))
    found = open_dataset(tmp_path / "v.npz")
    assert found.kind is Kind.SOLID
    assert read_image(found.cases[3]).grid.spacing_mm == (1, 1, 1)


def test_coco_boxes_enclose_pixels(tmp_path):
    found = open_dataset(a_coco(tmp_path, [BOX, {**BOX, "category_id": 3}]))
    assert (found.layout, found.task) == ("COCO objects", Task.DETECTION)
    assert found.classes == {"ulcer": (1,), "polyp": (2,)}
    assert found.numbers == (3, 7)
    boxes = read_boxes(found.cases[0], read_image(found.cases[0]))
    around = [[2.5, 1.5], [7.5, 5.5]]  # pixels 3 to 7 down, 2 to 5 right
    assert boxes.edges.tolist() == [around, around]
    assert boxes.values.tolist() == [2, 1]
    assert read_boxes(found.cases[1], read_image(found.cases[1])).edges.shape == (0, 2, 2)


def test_coco_polygons_and_runs_paint_the_same_mask(tmp_path):
    pytest.importorskip("pycocotools", reason="pycocotools is absent")
    polygon = {**BOX, "segmentation": [[2, 3, 6, 3, 6, 8, 2, 8]]}
    expected = np.zeros((12, 16), int)
    expected[3:8, 2:6] = 2
    flat = (expected > 0).T.reshape(-1)  # COCO counts down the columns
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [0]])))
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    runs = {**BOX, "image_id": 1, "segmentation": {"size": [12, 16], "counts": counts}}
    found = open_dataset(a_coco(tmp_path, [polygon, runs]))
    assert found.task is Task.SEGMENTATION
    for case in found.cases:
        assert np.array_equal(read_mask(case, read_image(case)), expected)


def test_a_damaged_annotation_is_numbered(tmp_path):
    with pytest.raises(InputError, match="annotation 2 is damaged"):
        open_dataset(a_coco(tmp_path, [BOX, {**BOX, "bbox": [1, 2, 3]}]))
    with pytest.raises(InputError, match="annotation 1 is damaged: KeyError 9"):
        open_dataset(a_coco(tmp_path, [{**BOX, "category_id": 9}]))


def test_nodules_of_luna_become_boxes_of_voxels(tmp_path):
    itk = pytest.importorskip("SimpleITK", reason="SimpleITK is absent")
    image = itk.GetImageFromArray(noise(0, (20, 30, 40)))
    image.SetSpacing((0.5, 1.0, 2.0))
    image.SetOrigin((-100.0, -50.0, 10.0))
    (tmp_path / "subset0").mkdir()
    itk.WriteImage(image, str(tmp_path / "subset0/1.2.3.mhd"))
    lines = ["seriesuid,coordX,coordY,coordZ,diameter_mm", "1.2.3,-90,-40,30,4", "9.9,0,0,0,5"]
    (tmp_path / "annotations.csv").write_text("\n".join(lines))
    found = open_dataset(tmp_path)
    assert (found.layout, found.task) == ("LUNA table of nodules", Task.DETECTION)
    assert found.remarks == ("1 series of annotations.csv are not there",)
    boxes = read_boxes(found.cases[0], read_image(found.cases[0]))
    around = [[9.0, 8.0, 16.0], [11.0, 12.0, 24.0]]  # center (10, 10, 20), radius 2 mm
    assert boxes.edges.tolist() == [around]


def test_nodules_of_luna_on_nifti_whose_axes_run_the_other_way(tmp_path):
    save_nifti(noise(0), tmp_path / "1.2.3.nii.gz", np.diag([0.5, 1.5, 2.0, 1.0]))
    lines = ["seriesuid,coordX,coordY,coordZ,diameter_mm", "1.2.3,-2,-4.5,6,1"]
    (tmp_path / "annotations.csv").write_text("\n".join(lines))
    found = open_dataset(tmp_path)
    boxes = read_boxes(found.cases[0], read_image(found.cases[0]))
    assert boxes.edges.mean(axis=1).tolist() == [[3.0, 3.0, 4.0]]


def test_an_unknown_folder_is_told_what_is_known(tmp_path):
    (tmp_path / "note.txt").write_text("nothing")
    with pytest.raises(InputError, match="has no known layout; known are nnU-Net"):
        open_dataset(tmp_path)
    with pytest.raises(InputError, match="is not there"):
        open_dataset(tmp_path / "gone")
    with pytest.raises(InputError, match=r"note\.txt is no data set"):
        open_dataset(tmp_path / "note.txt")


def test_a_description_says_in_words_what_was_recognized(tmp_path):
    assert open_dataset(an_nnunet(tmp_path / "d")).describe() == (
        "d: nnU-Net raw data, version 2; segmentation, 3 cases (3 labelled), 3-D,"
        " channels T1, T2; classes 1 core, 2 edema"
    )


def test_openkbps_organs_are_bits_and_its_targets_are_left_out(tmp_path):
    found = open_dataset(an_openkbp(tmp_path / "kbp"))
    assert (found.layout, found.task, found.kind) == ("OpenKBP", Task.SEGMENTATION, Kind.SOLID)
    assert found.channels == ("CT",)
    assert found.is_partial
    assert found.blank == -1024
    assert list(found.classes)[1] == "spinal cord"
    assert names(found) == ["pt_0", "pt_1"]
    mask = read_mask(found.cases[0], read_image(found.cases[0]))
    assert mask[1, 1, 1] == 2
    assert mask[1, 1, 2] == 7  # the later of two
    assert np.count_nonzero(mask) == 2
    assert check(found) == ()


def test_whom_cases_show_is_read_where_the_data_say_so(tmp_path):
    root = an_nnunet(tmp_path)
    header = nnunet_header() | {"patients": {"case0": "p1", "case2": "p1"}}
    save_json(header, root / "dataset.json")
    assert [case.patient for case in open_dataset(root).cases] == ["p1", "case1", "p1"]


def test_lunas_table_may_say_whom_series_show(tmp_path):
    for name in ("a", "b", "c"):
        save_nifti(noise(0), tmp_path / f"{name}.nii.gz")
    lines = ["seriesuid,coordX,coordY,coordZ,diameter_mm,class,patient"]
    lines += ["a,1,2,3,4,Nodule,p1", "b,0,0,0,0,0,p1", "c,1,2,3,4,Nodule,p2"]
    (tmp_path / "annotations.csv").write_text("\n".join(lines), encoding="utf-8")
    found = open_dataset(tmp_path)
    assert [case.patient for case in found.cases] == ["p1", "p1", "p2"]
    assert [len(case.label.balls) for case in found.cases] == [1, 0, 1]
