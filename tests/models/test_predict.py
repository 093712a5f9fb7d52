from functools import partial

import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.core.finding import Weights
from medloop.models.bundle import load_bundle
from medloop.models.engines import Machine, Precision, engine_here, providers_of
from medloop.models.measured import Memory, Subject
from medloop.models.predict import (
    FastestPredictor,
    OpenVinoPredictor,
    answered,
    end_case,
    expect,
    open_predictor,
)
from tests.apps.tiny_bundles import a_grading_bundle

FP32, BF16 = Precision.FP32, Precision.BF16
HERE = Machine("openvino 1", "a processor", cores=2, has_bf16=True)
ME = Weights("organs", "1", "ab" * 32)
X = np.zeros((1, 1, 4, 4), np.float32)


class Slowly:
    """Says in which precision it answers; FP32 takes ten million additions."""

    def __init__(self, precision, opened):
        self.precision = precision
        opened.append(precision)

    def run(self, x):
        for _ in range(40 if self.precision is FP32 else 1):
            np.ones(250_000).sum()
        return {"said": np.array([0.0]), "precision": np.array([len(self.precision)])}


@pytest.fixture
def opened():
    return []


@pytest.fixture
def network(tmp_path, opened):
    return a_network(tmp_path, opened)


def a_network(folder, opened):
    networks = {p: partial(Slowly, p, opened) for p in (FP32, BF16)}
    subject = Subject("organs", "ab" * 32, ("fp32", "bf16"))
    return FastestPredictor(networks, partial(subject.on, HERE), Memory(folder / "m.json"))


def a_case(network, batches):
    """Ask a network as an analysis does; return the precision its record states."""
    for _ in range(batches):
        expect(network, batches, X)
        network.run(X)
    return answered(ME, network).precision


def test_a_few_batches_are_answered_in_fp32_and_nothing_is_measured(network, opened):
    assert a_case(network, 2) == "fp32"
    assert opened == [FP32]
    assert network.memory.all() == ()


def test_many_batches_are_all_answered_in_what_is_fastest(network):
    assert a_case(network, 8) == "bf16"


def test_a_second_run_takes_the_choice_of_the_first(tmp_path, network):
    first = a_case(network, 8)
    opened = []
    again = a_network(tmp_path, opened)
    assert a_case(again, 8) == first
    assert opened == [BF16]  # nothing was measured
    assert a_case(again, 1) == first


def test_a_warm_network_measures_between_cases_never_within_one(network):
    network.run(X)
    expect(network, 100, X)
    for _ in range(20):
        network.run(X)
    assert answered(ME, network).precision == "fp32"
    assert a_case(network, 1) == "bf16"


def test_what_keeps_no_record_ends_its_cases_too(network):
    for _ in range(9):
        expect(network, 1, X)
        network.run(X)
        end_case(network)
    assert a_case(network, 1) == "bf16"


def test_a_choice_that_is_on_offer_no_more_is_not_taken(tmp_path, network, opened):
    a_case(network, 8)
    again = a_network(tmp_path, opened)
    again.networks = {FP32: again.networks[FP32]}
    assert a_case(again, 1) == "fp32"


def test_a_record_says_the_precision_of_a_plain_network(tmp_path):
    assert answered(ME, OpenVinoPredictor(tmp_path, BF16)).precision == "bf16"
    assert answered(ME, OpenVinoPredictor(tmp_path)) == ME


def test_networks_that_read_photographs_stay_in_fp32(tmp_path):
    bundle = load_bundle(a_grading_bundle(tmp_path / "b"))
    network = open_predictor(bundle, memory=Memory(tmp_path / "m.json"))
    assert not isinstance(network, FastestPredictor)
    assert answered(ME, network).precision == "fp32"


def test_bf16_is_refused_where_nothing_computes_in_it(tmp_path):
    bundle = load_bundle(a_grading_bundle(tmp_path / "b"))
    with pytest.raises(InputError, match="has no BF16"):
        open_predictor(bundle, precision="bf16", engine="onnxruntime")


def test_this_machine_says_what_speed_depends_on():
    machine = Machine.here()
    assert machine.engine.startswith(engine_here())
    assert machine.processor
    assert machine.cores >= 1


@pytest.mark.skipif(not Machine.here().has_bf16, reason="no BF16 in this processor")
def test_bf16_answers_near_fp32_with_the_bundles_network(tmp_path):
    bundle = load_bundle(a_grading_bundle(tmp_path / "b", grade=3))
    x = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    exact, rounded = (
        open_predictor(bundle, precision=p).run(x)["logits"] for p in ("fp32", "bf16")
    )
    np.testing.assert_allclose(rounded, exact, rtol=0.01)


def test_faster_devices_of_onnx_runtime_come_first():
    reported = ["CPUExecutionProvider", "AzureExecutionProvider", "CUDAExecutionProvider"]
    assert [name for name, _ in providers_of(reported)] == [
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ]


def test_fp32_on_a_gpu_keeps_its_mantissa():
    assert dict(providers_of(["CUDAExecutionProvider"])) == {
        "CUDAExecutionProvider": {"use_tf32": "0"}
    }


@pytest.mark.parametrize(
    "provider",
    ["CUDAExecutionProvider", "TensorrtExecutionProvider", "CoreMLExecutionProvider"],
)
def test_a_gpu_answers_like_the_processor(tmp_path, provider):
    runtime = pytest.importorskip("onnxruntime")
    if provider not in runtime.get_available_providers():
        pytest.skip(f"needs a GPU: ONNX Runtime reports no {provider}")
    bundle = load_bundle(a_grading_bundle(tmp_path / "b", grade=3))
    x = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    found = open_predictor(bundle, engine="onnxruntime").run(x)["logits"]
    wanted = open_predictor(bundle, engine="openvino").run(x)["logits"]
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
