"""Ranges measured on boxes whose sizes and places are known."""

import json

import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.learning.segmentation.atlas import drawn, measure_atlas

GRID = Grid((20, 20, 20), np.diag([10.0, 10.0, 10.0, 1.0])[[2, 1, 0, 3]])  # 1 cm3 a voxel


def a_box(low, size) -> np.ndarray:
    mask = np.zeros(GRID.shape, bool)
    mask[tuple(slice(a, a + n) for a, n in zip(low, size, strict=True))] = True
    return mask


def a_case(size: int, shift: int, **more):
    masks = {"a": a_box((2, 2, 2), (size, 1, 1)), "b": a_box((5, 5, 5 + shift), (1, 1, 1))}
    return masks | more, GRID


def test_volume_and_offset_are_percentiles_over_cases():
    sizes = range(1, 11)
    found = measure_atlas([a_case(n, n - 1) for n in sizes], ("a", "b"))
    low, high = np.percentile(np.arange(1, 11), (1, 99))
    assert found["cases"] == 10
    assert found["organs"]["a"]["volume_cm3"] == pytest.approx([low, high], abs=0.01)
    x, y, z = found["offsets_mm"]["b"]["a"]
    assert x == pytest.approx(10 * np.percentile(np.arange(3, 13), (1, 99)), abs=0.1)
    assert y == [30, 30]
    middles = 5 - (2 + (np.arange(1, 11) - 1) / 2)
    assert z == pytest.approx(10 * np.percentile(middles, (1, 99)), abs=0.1)


def test_an_offset_is_the_opposite_one_the_other_way():
    found = measure_atlas([a_case(n, n) for n in (1, 3, 6)], ("a", "b"))["offsets_mm"]
    there, back = found["a"]["b"], found["b"]["a"]
    assert [[-high, -low] for low, high in back] == there


def test_only_cases_where_a_structure_was_drawn_count():
    nothing = {"b": np.zeros(GRID.shape, bool)}
    cases = [a_case(4, 0), a_case(8, 0, **nothing), ({"a": a_box((0, 0, 0), (1, 1, 1))}, GRID)]
    found = measure_atlas(cases, ("a", "b"))
    assert (found["organs"]["a"]["cases"], found["organs"]["b"]["cases"]) == (3, 1)
    assert found["organs"]["b"]["volume_cm3"] == [1, 1]


def test_pieces_and_what_lies_apart_are_counted():
    mask = a_box((2, 2, 2), (6, 1, 1)) | a_box((15, 2, 2), (2, 1, 1))
    each = drawn(mask, GRID)
    assert each.pieces == 2
    assert (each.apart_share, each.volume_cm3) == pytest.approx((0.25, 8))
    found = measure_atlas([a_case(1, 0, a=mask)], ("a", "b"))["organs"]["a"]
    assert (found["pieces"], found["apart_share"]) == (2, 0.25)


def test_the_record_is_plain_json():
    found = measure_atlas([a_case(1, 0)], ("a", "b"))
    assert json.loads(json.dumps(found)) == found


def test_structures_never_drawn_are_named():
    with pytest.raises(ValueError, match="c was drawn in none of 1 cases"):
        measure_atlas([a_case(1, 0)], ("a", "c"))
    alone = [
        ({"a": a_box((0, 0, 0), (1, 1, 1))}, GRID),
        ({"b": a_box((0, 0, 0), (1, 1, 1))}, GRID),
    ]
    with pytest.raises(ValueError, match="a and b were drawn in no case together"):
        measure_atlas(alone, ("a", "b"))
