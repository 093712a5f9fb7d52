"""Folds never divide a patient or a copy, and come back for the same data only."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.learning.data import (
    CaseSource,
    Dataset,
    Facts,
    Kind,
    Task,
    make_split,
    open_dataset,
    read_split,
    survey,
    write_split,
)
from medloop.learning.data.description import Channel, Grades, Mask
from tests.learning.data.layouts import an_nnunet, noise, save_nifti


def a_dataset(tmp_path, patients, grades, *, splits=None, sites=None):
    cases = tuple(
        CaseSource(
            f"c{n}",
            patient,
            Kind.FLAT,
            (Channel(tmp_path / f"c{n}.png"),),
            Grades((grade,)),
            site=sites[n] if sites else "",
            split=splits[n] if splits else "",
        )
        for n, (patient, grade) in enumerate(zip(patients, grades, strict=True))
    )
    classes = {str(g): (g,) for g in sorted(set(grades))}
    return Dataset("toy", "toy", tmp_path, Task.CLASSIFICATION, ("image",), classes, cases)


def some_facts(dataset, *, pixels=None):
    return tuple(
        Facts(case.name, pixels[n] if pixels else f"p{n}", f"l{n}", (4, 4), None, {1: n + 1})
        for n, case in enumerate(dataset.cases)
    )


@settings(max_examples=25)
@given(
    patients=st.lists(st.integers(0, 12), min_size=12, max_size=60),
    seed=st.integers(0, 99),
    folds=st.integers(2, 4),
)
def test_every_case_is_held_out_once_and_no_patient_is_divided(
    tmp_path_factory, patients, seed, folds
):
    patients = [*patients, *range(folds)]
    dataset = a_dataset(
        tmp_path_factory.getbasetemp(), [str(p) for p in patients], [p % 3 for p in patients]
    )
    split = make_split(dataset, some_facts(dataset), folds=folds, seed=seed)
    held = [name for fold in range(folds) for name in split.validation(fold)]
    assert sorted(held) == sorted(case.name for case in dataset.cases)
    for fold in range(folds):
        trained = {case.patient for case in dataset.cases if case.name in split.training(fold)}
        tested = {case.patient for case in dataset.cases if case.name in split.validation(fold)}
        assert not trained & tested


def test_copies_and_their_patients_stay_together(tmp_path):
    dataset = a_dataset(tmp_path, ["A", "A", "B", "B", "C", "D"], [0] * 6)
    pixels = ["p0", "same", "same", "p3", "p4", "p5"]  # links patients A and B
    split = make_split(dataset, some_facts(dataset, pixels=pixels), folds=2, seed=0)
    assert len({split.fold_of[f"c{n}"] for n in range(4)}) == 1


def test_classes_are_dealt_evenly(tmp_path):
    grades = [0] * 50 + [1] * 10 + [2] * 5
    dataset = a_dataset(tmp_path, [str(n) for n in range(65)], grades)
    split = make_split(dataset, some_facts(dataset), folds=5, seed=3)
    for fold in range(5):
        held = [grades[int(name[1:])] for name in split.validation(fold)]
        assert [held.count(grade) for grade in range(3)] == [10, 2, 1]


def test_sites_are_dealt_evenly(tmp_path):
    sites = ["north", "south"] * 10
    dataset = a_dataset(tmp_path, [str(n) for n in range(20)], [0] * 20, sites=sites)
    split = make_split(dataset, some_facts(dataset), folds=5, seed=3)
    for fold in range(5):
        held = [sites[int(name[1:])] for name in split.validation(fold)]
        assert (held.count("north"), held.count("south")) == (2, 2)


def test_masks_are_dealt_by_presence_and_volume(tmp_path):
    dataset = a_dataset(tmp_path, [str(n) for n in range(30)], [0] * 30)
    cases = tuple(replace(case, label=Mask(tmp_path / "m.png")) for case in dataset.cases)
    dataset = replace(dataset, cases=cases)
    facts = tuple(
        replace(each, counts={} if n < 10 else {1: 10 * n})
        for n, each in enumerate(some_facts(dataset))
    )
    split = make_split(dataset, facts, folds=5, seed=1)
    small = [sum(int(n[1:]) < 10 for n in split.validation(fold)) for fold in range(5)]
    large = [sum(int(n[1:]) >= 23 for n in split.validation(fold)) for fold in range(5)]
    assert small == [2] * 5
    assert max(large) - min(large) <= 1


def test_the_test_part_and_what_it_shares_is_held_out(tmp_path):
    splits = ["test", "train", "train", "train", "val", "train"]
    dataset = a_dataset(tmp_path, ["A", "A", "B", "C", "D", "E"], [0] * 6, splits=splits)
    pixels = ["same", "p1", "same", "p3", "p4", "p5"]
    split = make_split(dataset, some_facts(dataset, pixels=pixels), folds=3, seed=0)
    assert split.held_out == ("c0", "c1", "c2")
    assert set(split.fold_of) == {"c3", "c4", "c5"}


def test_the_seed_decides(tmp_path):
    dataset = a_dataset(tmp_path, [str(n) for n in range(40)], [0] * 40)
    facts = some_facts(dataset)
    first = make_split(dataset, facts, folds=5, seed=0)
    assert make_split(dataset, facts, folds=5, seed=0) == first
    assert make_split(dataset, facts, folds=5, seed=1).fold_of != first.fold_of


def test_fewer_patients_than_folds_are_refused(tmp_path):
    dataset = a_dataset(tmp_path, ["A"] * 9 + ["B"], [0] * 10)
    with pytest.raises(InputError, match="2 patients do not make 5 folds"):
        make_split(dataset, some_facts(dataset), folds=5, seed=0)


def test_a_stored_split_comes_back(tmp_path):
    dataset = a_dataset(tmp_path, [str(n) for n in range(9)], [n % 2 for n in range(9)])
    facts = some_facts(dataset)
    split = make_split(dataset, facts, folds=3, seed=0)
    write_split(split, tmp_path / "split.json")
    assert read_split(tmp_path / "split.json", facts) == split


def test_changed_removed_and_added_cases_are_named(tmp_path):
    dataset = open_dataset(an_nnunet(tmp_path / "data", cases=5))
    write_split(make_split(dataset, survey(dataset), folds=2, seed=0), tmp_path / "s.json")
    root = tmp_path / "data"
    save_nifti(noise(77), root / "imagesTr/case1_0001.nii.gz")
    for path in root.rglob("case3*"):
        path.rename(path.with_name(path.name.replace("case3", "case7")))
    with pytest.raises(InputError) as caught:
        read_split(tmp_path / "s.json", survey(open_dataset(root)))
    assert str(caught.value) == (
        "data are not those of s.json: case1 changed; case3 removed; case7 added"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [("{}", "no split"), ("[", "no readable JSON"), ('{"schema": "x"}', "has schema x")],
)
def test_a_file_that_is_no_split_is_refused(tmp_path, text, says):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(InputError, match=says):
        read_split(tmp_path / "s.json", ())


def test_amounts_are_volumes_not_voxels(tmp_path):
    """Six thin-sliced cases of many voxels, three thick ones that are larger in mm3."""
    dataset = a_dataset(tmp_path, [str(n) for n in range(9)], [0] * 9)
    cases = tuple(replace(case, label=Mask(tmp_path / "m.png")) for case in dataset.cases)
    dataset = replace(dataset, cases=cases)
    facts = tuple(
        replace(
            each,
            spacing_mm=(9.0, 1.0, 1.0) if n < 3 else (1.0, 1.0, 1.0),
            counts={1: 100 if n < 3 else 200 + n},
        )
        for n, each in enumerate(some_facts(dataset))
    )
    split = make_split(dataset, facts, folds=3, seed=0)
    assert [sum(int(c[1:]) < 3 for c in split.validation(f)) for f in range(3)] == [1, 1, 1]
    assert np.unique(list(split.fold_of.values())).tolist() == [0, 1, 2]
