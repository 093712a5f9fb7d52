"""Triton's model repository: its own schema reads it, and its networks answer as ours do."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, load
from onnx import save as save_onnx

from medloop.apps.cli import main
from medloop.apps.demo import write_photographs
from medloop.core.errors import InputError
from medloop.models.bundle import HASHES, load_bundle, seal, shipped_bundles
from medloop.models.engines import OnnxRuntimePredictor
from medloop.models.triton import Port, Ports, config_of, ports_of, write_triton_models
from tests.apps.tiny_bundles import a_grading_bundle, a_lesion_bundle
from tests.test_docs import DOCS, FENCE

FREE, FP32 = -1, "TYPE_FP32"


def schema():
    """Triton's own schema; protobuf warns that it was made for the version before."""
    pytest.importorskip("tritonclient", reason="tritonclient is not installed")
    return pytest.importorskip(
        "tritonclient.grpc.model_config_pb2", reason="grpcio is not installed"
    )


def parsed(text: str):
    text_format = pytest.importorskip("google.protobuf.text_format")
    return text_format.Parse(text, schema().ModelConfig())


def a_bundle(tmp_path: Path):
    return load_bundle(a_grading_bundle(tmp_path / "bundle"))


def drawn(ports: Ports) -> np.ndarray:
    """Noise of a shape that a network takes: three of a batch, free sides of 64."""
    port = ports.inputs[0]
    sizes = [64 if size == FREE else size for size in port.shape]
    sizes[0] = 3 if port.shape[0] == FREE else sizes[0]
    return np.random.default_rng(5).normal(size=sizes).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_bundles())
def test_tritons_schema_reads_what_is_written_and_it_fits_the_network(name, tmp_path):
    for folder in write_triton_models(load_bundle(name), tmp_path / "models"):
        config = parsed((folder / "config.pbtxt").read_text(encoding="utf-8"))
        session = onnxruntime.InferenceSession(folder / "1" / "model.onnx")
        assert config.name == folder.name
        assert config.backend == "onnxruntime"
        pairs = [*zip(config.input, session.get_inputs(), strict=True)]
        pairs += [*zip(config.output, session.get_outputs(), strict=True)]
        for said, real in pairs:
            dims = [FREE] * (config.max_batch_size > 0) + list(said.dims)
            assert said.name == real.name
            assert dims == [size if isinstance(size, int) else FREE for size in real.shape]
        assert config.HasField("dynamic_batching") == (config.max_batch_size > 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_bundles())
def test_every_network_of_a_bundle_is_written_and_answers_as_the_bundles_own(name, tmp_path):
    bundle = load_bundle(name)
    networks = {path.read_bytes(): path for path in bundle.folder.glob("*.onnx")}
    folders = write_triton_models(bundle, tmp_path)
    assert len(folders) == len(networks)
    for folder in folders:
        written = folder / "1" / "model.onnx"
        own = OnnxRuntimePredictor(networks[written.read_bytes()], is_on_cpu=True)
        session = onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"])
        x = drawn(ports_of(written))
        answers = session.run(None, {session.get_inputs()[0].name: x})
        for mine, answer in zip(own.run(x).values(), answers, strict=True):
            np.testing.assert_allclose(answer, mine, rtol=1e-5, atol=1e-6)


def test_models_carry_the_bundles_name_and_what_each_network_is(tmp_path):
    folder = a_grading_bundle(tmp_path / "bundle")
    for name in ("screen.onnx", "weights.int8.onnx", "forgotten.onnx"):
        shutil.copyfile(folder / "weights.onnx", folder / name)
    seal(folder)
    sealed = json.loads((folder / HASHES).read_text())
    written = write_triton_models(load_bundle(folder), tmp_path / "models")
    assert "forgotten.onnx" not in sealed
    assert {path.name for path in written} == {
        "retina_grading",
        "retina_grading_screen",
        "retina_grading_int8",
    }


def test_an_int8_twin_finds_the_whole_numbers_it_shares(tmp_path):
    folder = a_grading_bundle(tmp_path / "bundle")
    network = load(folder / "weights.onnx")
    (weight,) = [each for each in network.graph.initializer if each.name == "w"]
    there = (folder / "weights.onnx").read_bytes()
    offset, length = there.index(weight.raw_data), len(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    places = {"location": "weights.onnx", "offset": offset, "length": length}
    for key, value in places.items():
        weight.external_data.add(key=key, value=str(value))
    (folder / "weights.int8.onnx").write_bytes(network.SerializeToString())
    seal(folder)
    written = write_triton_models(load_bundle(folder), tmp_path / "models")
    x = np.ones((1, 3, 32, 32), np.float32)
    one, other = (
        OnnxRuntimePredictor(path / "1" / "model.onnx", is_on_cpu=True).run(x)["logits"]
        for path in written
    )
    np.testing.assert_array_equal(one, other)


def test_card_and_plan_stand_beside_the_network(tmp_path):
    bundle = a_bundle(tmp_path)
    (folder,) = write_triton_models(bundle, tmp_path / "models")
    for name in ("card.toml", "plan.json"):
        assert (folder / name).read_bytes() == (bundle.folder / name).read_bytes()


def test_a_first_axis_that_is_free_everywhere_lets_triton_join_requests():
    ports = Ports((Port("image", FP32, (FREE, 3, 48, 48)),), (Port("logits", FP32, (FREE, 1)),))
    config = parsed(config_of("screen", ports))
    assert config.max_batch_size == 64
    assert list(config.input[0].dims) == [3, 48, 48]
    assert config.HasField("dynamic_batching")


def test_a_fixed_first_axis_is_told_as_any_other():
    ports = Ports((Port("image", FP32, (1, 3, FREE, FREE)),), (Port("logits", FP32, (1, 6)),))
    config = parsed(config_of("grading", ports))
    assert config.max_batch_size == 0
    assert list(config.input[0].dims) == [1, 3, FREE, FREE]
    assert not config.HasField("dynamic_batching")


def test_trees_stay_on_the_processor_and_networks_go_where_a_gpu_is():
    ports = Ports((Port("evidence", FP32, (FREE, 101)),), (Port("above", FP32, (FREE, 6)),))
    kind = schema().ModelInstanceGroup
    assert parsed(config_of("f", ports, is_forest=True)).instance_group[0].kind == kind.KIND_CPU
    assert parsed(config_of("f", ports)).instance_group[0].kind == kind.KIND_AUTO


def test_a_repository_takes_a_second_bundle_and_no_model_twice(tmp_path):
    models = tmp_path / "models"
    grading = a_bundle(tmp_path)
    write_triton_models(grading, models)
    write_triton_models(load_bundle(a_lesion_bundle(tmp_path / "lesions")), models)
    with pytest.raises(InputError, match="is there already"):
        write_triton_models(grading, models)
    assert sorted(path.name for path in models.iterdir()) == [
        "retina_grading",
        "retina_lesions",
    ]


def test_a_network_that_triton_has_no_word_for_leaves_nothing_behind(tmp_path):
    folder = a_grading_bundle(tmp_path / "bundle")
    words = [helper.make_tensor_value_info(name, TensorProto.STRING, ["n", 2]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "words", words[:1], words[1:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    save_onnx(model, folder / "screen.onnx")
    seal(folder)
    with pytest.raises(InputError, match="Triton lacks"):
        write_triton_models(load_bundle(folder), tmp_path / "models")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


def test_a_name_that_would_leave_the_repository_is_refused(tmp_path):
    folder = a_grading_bundle(tmp_path / "bundle")
    (folder / "card.toml").write_text('name = "../up"\nversion = "1"\n')
    seal(folder)
    with pytest.raises(InputError, match="letters, digits"):
        write_triton_models(load_bundle(folder), tmp_path / "models")


def test_the_command_prints_each_model(tmp_path, capsys):
    bundle = a_bundle(tmp_path)
    models = tmp_path / "models"
    assert main(["models", "export", str(bundle.folder), "--triton", str(models)]) == 0
    assert capsys.readouterr().out.split() == [str(models / "retina_grading")]
    assert main(["models", "export", str(bundle.folder), "--triton", str(models)]) == 3


@contextmanager
def a_server(repository: Path):
    """Serve a repository over gRPC by Triton's protocol, as far as clients here speak it."""
    grpc = pytest.importorskip("grpc", reason="grpcio is not installed")
    schema()
    from tritonclient.grpc import service_pb2, service_pb2_grpc  # noqa: PLC0415

    @cache
    def opened(model):
        return onnxruntime.InferenceSession(repository / model / "1" / "model.onnx")

    class Served(service_pb2_grpc.GRPCInferenceServiceServicer):
        def ModelInfer(self, request, context):  # noqa: N802 (the protocol's name)
            session = opened(request.model_name)
            (sent,) = request.inputs
            x = np.frombuffer(request.raw_input_contents[0], np.float32).reshape(sent.shape)
            response = service_pb2.ModelInferResponse(model_name=request.model_name)
            answers = session.run(None, {sent.name: x})
            for port, answer in zip(session.get_outputs(), answers, strict=True):
                response.outputs.add(name=port.name, datatype="FP32", shape=answer.shape)
                response.raw_output_contents.append(answer.tobytes())
            return response

    options = [("grpc.max_receive_message_length", 1 << 28)]
    server = grpc.server(ThreadPoolExecutor(1), options=options)
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Served(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.mark.slow
def test_the_client_on_the_page_gets_the_results_of_medloop_analyze(tmp_path, monkeypatch):
    pytest.importorskip(
        "skimage", reason="scikit-image, which carries the photograph, is absent"
    )
    page = (DOCS / "how-to" / "serve-on-triton.md").read_text(encoding="utf-8")
    (client,) = [body for kind, _, body in FENCE.findall(page) if kind == "python"]
    write_photographs(tmp_path)
    (tmp_path / "retina.png").rename(tmp_path / "eye.png")
    monkeypatch.chdir(tmp_path)
    for name in ("retina_grading", "retina_lesions"):
        write_triton_models(load_bundle(name), tmp_path / "models")
    with a_server(tmp_path / "models") as address:
        exec(client.replace("localhost:8001", address), {})  # noqa: S102 (what the page says)
    assert main(["analyze", "eye.png", "-o", "own", "--precision", "fp32"]) == 0
    served, own = result_in(Path("out")), result_in(Path("own"))
    assert served["assessments"] == own["assessments"]
    pairs = zip(served["findings"], own["findings"], strict=True)
    for one, other in pairs:
        assert one["concept"] == other["concept"]
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-3)


def result_in(out: Path) -> dict:
    (row,) = json.loads((out / "summary.json").read_text())["results"]
    return json.loads((out / row["path"] / "result.json").read_text())
