import tomllib
from dataclasses import replace

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper

from medloop.apps.cli import main
from medloop.core.errors import InputError
from medloop.learning.data.description import Task
from medloop.learning.evaluating.cases import choose
from medloop.learning.quantize import Gate, Recorder, divided, quantize
from medloop.models.bundle import INT8, WEIGHTS, load_bundle
from medloop.models.measured import Memory
from medloop.models.predict import FastestPredictor, open_predictor
from tests.apps.test_label import PLAN_3D, a_bundle
from tests.learning.evaluating.tiny import some_scans


@pytest.fixture
def bundle(tmp_path):
    return load_bundle(
        a_bundle(tmp_path / "bright", replace(PLAN_3D, spacing_mm=(2.0, 1.0, 1.0)))
    )


@pytest.fixture
def data(tmp_path):
    return some_scans(tmp_path / "data")


def in_steps(step, *, spoiled=False):
    """Make a quantizer that rounds the one weight (-1 and 1) to whole steps."""

    def into(proto, batches):
        assert len(batches)
        out = ModelProto()
        out.CopyFrom(proto)
        (conv,) = [node for node in out.graph.node if node.op_type == "Conv"]
        scale = [
            numpy_helper.from_array(np.float32(step), "step"),
            numpy_helper.from_array(np.int8(0), "zero"),
        ]
        out.graph.initializer.extend(scale)
        nodes = [
            helper.make_node("QuantizeLinear", [conv.input[1], "step", "zero"], ["whole"]),
            helper.make_node("DequantizeLinear", ["whole", "step", "zero"], ["rounded"]),
            *out.graph.node,
        ]
        del out.graph.node[:]
        out.graph.node.extend(nodes)
        out.graph.node[2].input[1] = "rounded"
        if spoiled:
            out.graph.node.insert(3, helper.make_node("Neg", ["score"], ["spoiled"]))
            out.graph.node[4].input[0] = "spoiled"
        return out

    return into


def card_of(folder):
    return tomllib.loads((folder / "card.toml").read_text())


def test_a_twin_that_holds_its_dice_is_kept_with_both_figures(bundle, data, tmp_path):
    gate = quantize(bundle, data, tmp_path / "out", into=in_steps(1.0))
    assert (gate.passed, gate.figure, gate.in_fp32) == (True, "Dice", ())
    made = load_bundle(tmp_path / "out")
    assert made.sha256 == bundle.sha256
    assert (made.folder / INT8[WEIGHTS]).is_file()
    told = card_of(made.folder)
    assert told["precision"] == {"int8": True}
    assert told["int8"]["fp32"] == told["int8"]["int8"] == pytest.approx(1.0)
    assert (told["int8"]["calibrated_on"], told["int8"]["measured_on"]) == (2, 2)
    assert isinstance(open_predictor(made, memory=Memory(tmp_path / "m")), FastestPredictor)


def test_what_harms_the_figure_stays_in_fp32(bundle, data, tmp_path):
    gate = quantize(bundle, data, tmp_path / "out", into=in_steps(100.0))
    assert gate.passed
    assert len(gate.in_fp32) == gate.operations == 1
    assert card_of(tmp_path / "out")["int8"]["in_fp32"] == list(gate.in_fp32)


def test_a_network_that_fails_gets_no_twin_and_its_card_says_why(bundle, data, tmp_path):
    gate = quantize(bundle, data, tmp_path / "out", into=in_steps(1.0, spoiled=True))
    assert not gate.passed
    made = load_bundle(tmp_path / "out")
    assert not (made.folder / INT8[WEIGHTS]).exists()
    told = card_of(made.folder)
    assert told["precision"] == {"int8": False}
    assert "Dice 1.0000 in FP32, 0." in told["int8"]["reason"]
    with pytest.raises(InputError, match="no INT8 weights"):
        open_predictor(made, precision="int8")


def test_a_bundle_holds_nothing_of_the_calibration(bundle, data, tmp_path):
    quantize(bundle, data, tmp_path / "out", into=in_steps(1.0))
    new = {p.name for p in (tmp_path / "out").iterdir()} - {
        p.name for p in bundle.folder.iterdir()
    }
    assert new == {INT8[WEIGHTS]}
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_calibration_and_gate_see_different_patients(bundle, data):
    chosen = choose(bundle, data, Task.SEGMENTATION, split=None, by=())
    calibrating, judged = divided(chosen)
    assert {c.patient for c in calibrating.cases}.isdisjoint(c.patient for c in judged.cases)
    assert len(calibrating.cases) + len(judged.cases) == 4


def test_one_patient_is_too_few(bundle, tmp_path):
    data = some_scans(tmp_path / "one", shifts=(0,))
    with pytest.raises(InputError, match="different patients"):
        quantize(bundle, data, tmp_path / "out", into=in_steps(1.0))


@pytest.mark.parametrize(("int8", "passed"), [(0.895, True), (0.8949, False), (0.95, True)])
def test_half_a_point_may_be_lost(int8, passed):
    assert Gate("Dice", 0.9, int8, (), 3).passed is passed


def test_a_recorder_keeps_what_fits_spread_over_all():
    class Silent:
        def run(self, x):
            return {"logits": x}

    recorder = Recorder(Silent(), most_bytes=4 * 5)
    for n in range(40):
        recorder.run(np.array([n], np.float32))
    kept = [int(x[0]) for x in recorder.kept]
    assert 3 <= len(kept) <= 5
    steps = np.diff(kept)
    assert (steps == steps[0]).all()
    assert kept[0] == 0
    assert kept[-1] >= 40 - 2 * steps[0]


def test_a_place_that_is_taken_is_refused(bundle, data, tmp_path, capsys):
    taken = ["quantize", str(bundle.folder), "--data", str(data), "-o", str(bundle.folder)]
    assert main(taken) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.train
def test_the_command_quantizes_and_the_twin_answers(bundle, data, tmp_path, capsys):
    pytest.importorskip("nncf")
    out = tmp_path / "out"
    assert main(["quantize", str(bundle.folder), "--data", str(data), "-o", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    asked = ["predict", out, data / "scan0.nii.gz", "-o", tmp_path / "p", "--precision", "int8"]
    code = main([str(each) for each in asked])
    assert code == 0
    assert (tmp_path / "p" / "scan0.nii.gz").is_file()
