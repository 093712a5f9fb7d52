"""Networks that classify, measured end to end on pictures with a known answer."""

import csv
import json

import numpy as np
import pytest
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

from medloop.apps.cli import main
from medloop.core.errors import InputError
from medloop.learning.evaluate import Wanted, evaluate
from medloop.learning.evaluating.classification import Classified, names_of, overall
from medloop.learning.evaluating.decision import (
    Operating,
    calibration,
    confused,
    decide,
    operating_from,
)
from medloop.models.bundle import load_bundle
from tests.apps.test_classify import a_bundle, a_plan
from tests.learning.evaluating.tiny import some_pictures

BRIGHT = (40, 70, 100, 120, 130, 150, 170, 200, 230, 250, 60, 210)
LABELS = (0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1)


@pytest.fixture
def bundle(tmp_path):
    return load_bundle(a_bundle(tmp_path / "bundle", a_plan(classes=("0", "1"))))


def metrics_of(out):
    return json.loads((out / "metrics.json").read_text())


def figure(metrics, key, name=None):
    (found,) = [f for f in metrics["figures"] if (f["key"], f["class"]) == (key, name)]
    return found


def drawn(cases=300, classes=3, seed=0):
    """Cases whose probabilities lean toward the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, cases)
    z = rng.standard_normal((cases, classes)) + 1.2 * (np.arange(classes) == truth[:, None])
    shares = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    names = tuple("abcdef"[:classes])
    return Classified(names, False, truth, shares, {})


def test_figures_are_scikit_learns(bundle, tmp_path):
    data = some_pictures(tmp_path / "some.npz", BRIGHT, LABELS)
    evaluate(bundle, data, tmp_path / "out", split="test")
    metrics = metrics_of(tmp_path / "out")
    with (tmp_path / "out/cases.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    truth = np.array([int(row["true"]) for row in rows])
    score = np.array([float(row["p_1"]) for row in rows])
    given = (score > 0.5).astype(int)
    wanted = {
        ("accuracy", None): reference.accuracy_score(truth, given),
        ("balanced_accuracy", None): reference.balanced_accuracy_score(truth, given),
        ("kappa", None): reference.cohen_kappa_score(truth, given),
        ("auc", None): reference.roc_auc_score(truth, score),
        ("brier", None): reference.brier_score_loss(truth, score),
        ("average_precision", "1"): reference.average_precision_score(truth, score),
        ("average_precision", "0"): reference.average_precision_score(1 - truth, 1 - score),
        ("recall", "0"): reference.recall_score(truth, given, pos_label=0),
        ("precision", "1"): reference.precision_score(truth, given),
    }
    for (key, name), value in wanted.items():
        assert figure(metrics, key, name)["value"] == pytest.approx(value, abs=1e-4), key
    matrix = reference.confusion_matrix(truth, given).tolist()
    assert metrics["confusion"]["classes"] == matrix
    assert figure(metrics, "auc")["interval"] == "DeLong"
    assert len(rows) == metrics["data"]["cases"] == 12


def test_several_classes_are_measured_as_scikit_learn_does():
    found = drawn()
    values = dict(zip(names_of(found), overall(found, np.arange(300)), strict=True))
    area = reference.roc_auc_score(found.truth, found.shares, multi_class="ovr")
    assert values["macro_auc"] == pytest.approx(area)
    kappa = reference.cohen_kappa_score(found.truth, found.given)
    assert values["kappa"] == pytest.approx(kappa)


def test_the_calibration_curve_is_scikit_learns():
    found = drawn(classes=2)
    (curve, _), record = calibration(found)
    seen, stated = calibration_curve(found.truth, found.shares[:, 1], n_bins=10)
    assert curve.lines["b"][0] == pytest.approx(stated)
    assert curve.lines["b"][1] == pytest.approx(seen)
    assert sum(record["reliability"]["cases"]) == 300


def test_the_operating_point_keeps_its_promise_and_warns_of_its_choice():
    found = drawn(classes=2)
    decision = decide(found, Operating("sensitivity", 0.95), "")
    figures = {row.key: row.figure for row in decision.rows}
    threshold = decision.record["operating_point"]["threshold"]
    called = found.shares[:, 1] >= threshold
    assert figures["sensitivity"].value >= 0.95
    assert figures["sensitivity"].value == pytest.approx(
        reference.recall_score(found.truth, called)
    )
    assert figures["specificity"].value == pytest.approx(
        reference.recall_score(found.truth, called, pos_label=0)
    )
    assert figures["ppv"].value == pytest.approx(reference.precision_score(found.truth, called))
    assert "flatters" in decision.warnings[0]


def test_a_threshold_from_elsewhere_is_judged_without_a_warning():
    decision = decide(drawn(classes=2), Operating("threshold", 0.7), "")
    assert decision.record["operating_point"]["threshold"] == 0.7
    assert not decision.record["operating_point"]["chosen_on_these_cases"]
    assert decision.warnings == ()


def test_the_positive_class_may_be_the_first():
    found = drawn(classes=2)
    first = {r.key: r.figure.value for r in decide(found, Operating(), "A").rows}
    called = (
        found.shares[:, 0]
        >= decide(found, Operating(), "a").record["operating_point"]["threshold"]
    )
    assert first["sensitivity"] == pytest.approx(called[found.truth == 0].mean())


def test_several_classes_have_no_point_unless_one_is_named():
    found = drawn()
    assert decide(found, None, "").rows == ()
    with pytest.raises(InputError, match="--positive"):
        decide(found, Operating(), "")
    assert decide(found, Operating(), "b").record["operating_point"]["class"] == "b"


@pytest.mark.parametrize("text", ["sensitivity", "sensitivity=95", "nonsense=0.5", "youden=1"])
def test_what_chooses_no_point_is_refused(text):
    with pytest.raises(InputError, match="chooses no operating point"):
        operating_from(text)


def test_rows_of_the_confusion_are_the_truth():
    found = drawn()
    table = confused(found)
    assert table.rows == reference.confusion_matrix(found.truth, found.given).tolist()


def test_a_part_of_the_data_is_measured_alone(bundle, tmp_path):
    data = some_pictures(tmp_path / "some.npz", BRIGHT, LABELS)
    some_pictures(data, BRIGHT[:5], LABELS[:5], part="val")
    evaluate(bundle, data, tmp_path / "out", split="val")
    assert metrics_of(tmp_path / "out")["data"]["cases"] == 5
    with pytest.raises(InputError, match="the parts are: test, val"):
        evaluate(bundle, data, tmp_path / "out", split="train")


def test_cases_the_bundle_was_made_with_are_told(bundle, tmp_path):
    data = some_pictures(tmp_path / "some.npz", BRIGHT, LABELS)
    (bundle.folder / "folds").mkdir()
    (bundle.folder / "folds/split.json").write_text('{"test/0": 0, "test/1": 1}')
    measured = evaluate(bundle, data, tmp_path / "out")
    assert any("2 of 12 cases" in warning for warning in measured.warnings)
    evaluate(bundle, data, tmp_path / "out", split="fold1")
    assert metrics_of(tmp_path / "out")["data"]["cases"] == 1


def test_a_bundle_equals_itself(bundle, tmp_path):
    data = some_pictures(tmp_path / "some.npz", BRIGHT, LABELS)
    evaluate(bundle, data, tmp_path / "out", wanted=Wanted(against=bundle))
    found = metrics_of(tmp_path / "out")["against"]["figures"]
    assert {f["test"] for f in found} == {"bootstrap", "McNemar", "DeLong"}
    assert all(f["difference"] == 0 for f in found)
    assert all(f["p"] == 1 for f in found)


def test_the_card_keeps_the_figures_and_its_hashes_hold(bundle, tmp_path):
    data = some_pictures(tmp_path / "some.npz", BRIGHT, LABELS)
    typed = ["evaluate", str(bundle.folder), "--data", str(data), "-o", str(tmp_path / "out")]
    for _ in range(2):
        assert main([*typed, "--split", "test", "--operating", "youden", "--card"]) == 0
    again = load_bundle(bundle.folder)  # checks every hash
    (entry,) = again.card["evaluated_on"]
    assert (entry["data"], entry["split"], entry["cases"]) == ("some", "test", 12)
    assert entry["command"].startswith("medloop evaluate bundle --data some.npz --split test")
    named = {f["name"]: f["value"] for f in entry["figures"]}
    assert named["auc"] == figure(metrics_of(tmp_path / "out"), "auc")["value"]
    assert again.sha256 == bundle.sha256
    assert main(typed) == 0


def test_an_installed_bundle_gets_its_card_as_a_new_version(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDLOOP_HOME", str(tmp_path / "home"))
    data = some_pictures(tmp_path / "some.npz", BRIGHT, LABELS)
    assert main(["models", "install", str(bundle.folder)]) == 0
    typed = ["evaluate", "mean", "--data", str(data), "-o", str(tmp_path / "out"), "--card"]
    assert main(typed) == 0
    current = load_bundle((tmp_path / "home/bundles/mean").resolve())
    assert len(current.card["evaluated_on"]) == 1
    assert "evaluated_on" not in load_bundle(bundle.folder).card
    assert main(["models", "rollback", "mean"]) == 0
    assert "evaluated_on" not in load_bundle((tmp_path / "home/bundles/mean").resolve()).card


@pytest.mark.parametrize(
    ("typed", "code", "told"),
    [
        (("--operating", "luck"), 2, "chooses no operating point"),
        (("--positive", "green"), 3, "the classes are: 0, 1"),
        (("--by", "sex"), 3, "no column 'sex'"),
        (("--against", "nothing"), 2, "no bundle 'nothing'"),
    ],
)
def test_what_cannot_be_meant_is_told_in_one_line(bundle, tmp_path, capsys, typed, code, told):
    data = some_pictures(tmp_path / "some.npz", BRIGHT, LABELS)
    start = ["evaluate", str(bundle.folder), "--data", str(data), "-o", str(tmp_path / "out")]
    assert main([*start, *typed]) == code
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
