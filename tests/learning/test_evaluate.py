"""Evaluation runs the bundle's own weights, without torch."""

import json
import subprocess
import sys
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.evaluation.bootstrap import Figure
from medloop.learning.evaluate import evaluate
from medloop.learning.evaluating.blocks import Curve, Row, Table
from medloop.learning.evaluating.page import Page, render
from medloop.models.bundle import load_bundle
from tests.apps.tiny_bundles import a_grading_bundle, a_lesion_bundle
from tests.learning.photographs import some_gradings, some_outlines

WITHOUT_TORCH = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in ("torch", "onnx", "tomli_w"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
import medloop.learning.evaluate
"""


def figures_of(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    return {figure["name"]: figure for figure in metrics["figures"]}


@pytest.mark.slow
def test_a_bundle_that_always_says_two_is_measured_as_such(tmp_path):
    data = some_gradings(tmp_path / "data", count=10)  # each ICDR grade twice
    bundle = load_bundle(a_grading_bundle(tmp_path / "bundle", grade=2, dme=0))
    seen = []
    measured = evaluate(bundle, data, tmp_path / "out", report=lambda *n: seen.append(n))
    figures = figures_of(tmp_path / "out")
    assert figures["ICDR accuracy (five grades)"]["value"] == pytest.approx(0.2)
    assert figures["ICDR quadratic-weighted kappa"]["value"] == pytest.approx(0)
    assert figures["referable AUC"]["value"] == pytest.approx(0.5)
    assert figures["referable sensitivity"]["value"] == 1
    assert figures["DME accuracy (three grades)"]["value"] == pytest.approx(0.4)
    assert measured.warnings == ()
    assert measured.tables[0].rows[3] == [0, 0, 2, 0, 0]
    assert seen[-1] == (10, 10)
    page = (tmp_path / "out/report.html").read_text()
    assert "retina_grading 0.0.1" in page
    assert "<svg" in page
    assert "http" not in page  # self-contained


@pytest.mark.slow
def test_a_bundle_that_sees_exudates_everywhere_finds_them_all(tmp_path):
    data = some_outlines(tmp_path / "data", count=3)
    bundle = load_bundle(a_lesion_bundle(tmp_path / "bundle"))
    evaluate(bundle, data, tmp_path / "out")
    figures = figures_of(tmp_path / "out")
    share = figures["EX area under precision-recall"]["value"]
    dice = figures["EX pooled Dice at threshold 0.5"]["value"]
    assert 0 < share < 0.1
    assert dice == pytest.approx(2 * share / (1 + share), abs=2e-3)  # every pixel called
    assert figures["MA pooled Dice at threshold 0.5"]["value"] == 0


def test_a_bundle_without_parts_has_none_to_name(tmp_path):
    data = some_gradings(tmp_path / "data", count=2)
    bundle = load_bundle(a_grading_bundle(tmp_path / "bundle"))
    with pytest.raises(InputError, match="its parts are: none"):
        evaluate(bundle, data, tmp_path / "out", split="fold0")
    assert not (tmp_path / "out").exists()


def test_a_photograph_that_shows_no_retina_is_named(tmp_path):
    data = some_gradings(tmp_path / "data", count=2)
    cv2.imwrite(str(data / "grading/images/eye1.jpg"), np.zeros((90, 90, 3), np.uint8))
    bundle = load_bundle(a_grading_bundle(tmp_path / "bundle"))
    with pytest.raises(InputError, match=r"eye1\.jpg shows no fundus field"):
        evaluate(bundle, data, tmp_path / "out")


@pytest.mark.slow
def test_evaluation_needs_nothing_of_the_train_extra():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_texts_on_the_page_are_escaped_and_tags_are_closed():
    class Balance(HTMLParser):
        open_tags: list = []  # noqa: RUF012 (one parser)

        def handle_starttag(self, tag, attrs):
            if tag != "meta":
                self.open_tags.append(tag)

        def handle_endtag(self, tag):
            assert self.open_tags.pop() == tag

    nan = float("nan")
    page = render(
        Page(
            "a <b> & c",
            {"Bundle": "<x>"},
            ("<warned>",),
            (
                Row("kappa", Figure("kappa", 0.5, 0.4, 0.6, 9)),
                Row("recall", Figure("recall", nan, nan, nan, 9)),
            ),
            (
                Table("grades", ("0", "1"), ((3, 0), (1, 5))),
                Curve("line", {"EX": ([0.0, nan, 1.0], [1.0, 0.5, nan])}, diagonal=True),
            ),
        )
    )
    parser = Balance()
    parser.feed(page)
    assert parser.open_tags == []
    assert "<warned>" not in page
    assert "nan" not in page
    assert "0.400 to 0.600" in page
