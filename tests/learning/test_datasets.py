"""Labelled photographs are read as they are, or refused by name."""

import cv2
import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.learning.datasets import gradings, groups_of, outlines, read_mask, read_rgb
from tests.learning.photographs import SIZE, some_gradings, some_outlines


def test_grades_are_those_of_the_table(tmp_path):
    examples = gradings(some_gradings(tmp_path, count=4))
    assert [(e.name, e.grades) for e in examples] == [
        ("eye0", (0, 0)),
        ("eye1", (1, 1)),
        ("eye2", (2, 2)),
        ("eye3", (3, 0)),
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("eye0.jpg,5,0", "line 4: grades .* outside 0-4, 0-2"),
        ("eye0.jpg,x,0", "line 4: ValueError"),
        ("gone.jpg,1,0", r"line 4: .*gone\.jpg is missing"),
        ("eye0.jpg", "line 4: TypeError"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, says):
    data = some_gradings(tmp_path, count=2)
    with (data / "grading/labels.csv").open("a") as table:
        table.write(line + "\n")
    with pytest.raises(InputError, match=says):
        gradings(data)


def test_a_folder_without_a_table_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"labels\.csv is missing"):
        gradings(tmp_path)
    with pytest.raises(InputError, match=r"holds no \.jpg"):
        outlines(tmp_path)


def test_a_class_without_a_mask_is_absent(tmp_path):
    first, second = outlines(some_outlines(tmp_path, count=2))
    assert not read_mask(first, "SE", SIZE).any()
    assert read_mask(second, "SE", SIZE).any()
    assert read_mask(first, "OD", SIZE).sum() > 50


def test_a_mask_of_another_size_is_refused(tmp_path):
    example = outlines(some_outlines(tmp_path, count=1))[0]
    with pytest.raises(InputError, match=r"lesion0\.png is no mask of \(10, 10\) pixels"):
        read_mask(example, "MA", (10, 10))


def test_a_copy_at_another_size_is_the_same_photograph(tmp_path):
    data = some_gradings(tmp_path, count=4)
    rgb = read_rgb(data / "grading/images/eye2.jpg")
    larger = cv2.resize(rgb, (428, 284), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(data / "grading/images/copy.jpg"), np.ascontiguousarray(larger[..., ::-1]))
    with (data / "grading/labels.csv").open("a") as table:
        table.write("copy.jpg,2,2\n")
    groups = groups_of(gradings(data))
    assert groups[4] == groups[2]
    assert len(set(groups[:4])) == 4
