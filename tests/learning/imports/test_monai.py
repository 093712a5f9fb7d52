"""MONAI bundles in, and ours out to MONAI, with MONAI itself as the judge."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("monai", reason="MONAI is not installed")

from monai.bundle import ConfigParser  # noqa: E402 (after the skips)
from monai.networks.nets import UNet  # noqa: E402

from medloop.apps import cli  # noqa: E402
from medloop.core.geometry import Grid  # noqa: E402
from medloop.learning.imports.bring import bring  # noqa: E402
from medloop.models.architecture import unet  # noqa: E402
from medloop.models.bundle import load_bundle  # noqa: E402
from medloop.models.monai_export import inference_of, write_monai_bundle  # noqa: E402
from medloop.models.predict import open_weights  # noqa: E402
from medloop.models.segment import prepare  # noqa: E402
from medloop.models.segmentation_plan import Intensity, SegmentationPlan  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
CLOSE = 1e-4
ARGUMENTS = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 3,
    "channels": [4, 8],
    "strides": [2],
    "norm": "batch",
}
METADATA = {
    "name": "drawn",
    "version": "0.3.1",
    "description": "Organs that were drawn",
    "copyright": "nobody",
    "network_data_format": {
        "inputs": {"image": {"num_channels": 1, "channel_def": {"0": "CT"}}},
        "outputs": {
            "pred": {
                "num_channels": 3,
                "channel_def": {"0": "background", "1": "liver", "2": "spleen"},
            }
        },
    },
}
STEPS = [
    {"_target_": "LoadImaged", "keys": "image"},
    {"_target_": "EnsureChannelFirstd", "keys": "image"},
    {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
    {"_target_": "Spacingd", "keys": "image", "pixdim": [1.5, 1.0, 2.0], "mode": "bilinear"},
    {
        "_target_": "ScaleIntensityRanged",
        "keys": "image",
        "a_min": -57,
        "a_max": 164,
        "b_min": 0.0,
        "b_max": 1.0,
        "clip": True,
    },
    {"_target_": "EnsureTyped", "keys": "image"},
]


def config(**changes):
    return {
        "bundle_root": "/elsewhere",
        "device": "$torch.device('cuda')",
        "network_def": {"_target_": "UNet", **ARGUMENTS},
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": STEPS},
        "roi": [8, 12, 16],
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": "@roi", "overlap": 0.5},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [{"_target_": "Activationsd", "keys": "pred", "softmax": True}],
        },
    } | changes


def a_network():
    torch.manual_seed(1)
    return UNet(**ARGUMENTS).eval()


def a_monai_bundle(folder: Path, network, *, told=None, metadata=METADATA) -> Path:
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "configs/metadata.json").write_text(json.dumps(metadata))
    (folder / "configs/inference.json").write_text(json.dumps(told or config()))
    torch.save(network.state_dict(), folder / "models/model.pt")
    return folder


def theirs(network, x):
    """What MONAI's network says of an array of ours: its axes are (x, y, z), toward RAS."""
    seen = np.ascontiguousarray(x[:, :, :, ::-1, ::-1].transpose(0, 1, 4, 3, 2))
    with torch.no_grad():
        out = torch.softmax(network(torch.from_numpy(seen)), dim=1).numpy()
    return out.transpose(0, 1, 4, 3, 2)[:, :, :, ::-1, ::-1]


def answer(bundle, x):
    return open_weights(bundle.weights, engine="onnxruntime").run(x)["probability"]


def noise():
    return np.random.default_rng(5).standard_normal((1, 1, 16, 12, 8), np.float32)


def test_a_network_and_its_weights_answer_as_in_monai(tmp_path):
    network = a_network()
    bundle = bring(a_monai_bundle(tmp_path / "monai", network), tmp_path / "drawn")
    assert np.abs(answer(bundle, noise()) - theirs(network, noise())).max() < CLOSE
    plan = bundle.segmentation_plan
    assert (plan.patch, plan.spacing_mm) == ((16, 12, 8), (2.0, 1.0, 1.5))
    assert plan.intensities == (Intensity(-57.0, 164.0, -57.0, 221.0),)
    assert plan.classes == ("liver", "spleen")
    assert (plan.overlap, plan.spread) == (0.5, False)
    assert bundle.version == "0.3.1"
    assert "nothing was measured" in bundle.card["evaluation"]["how"]


def test_torchscript_in_a_zip_with_yaml_answers_as_in_monai(tmp_path):
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    network = a_network()
    folder = a_monai_bundle(tmp_path / "monai", network)
    (folder / "models/model.pt").unlink()
    scripted = torch.jit.trace(network, torch.zeros(1, 1, 8, 12, 16))
    torch.jit.save(scripted, folder / "models/model.ts")
    (folder / "configs/inference.json").unlink()
    (folder / "configs/inference.yaml").write_text(yaml.safe_dump(config()))
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "monai")
    bundle = bring(tmp_path / "packed.zip", tmp_path / "drawn")
    assert np.abs(answer(bundle, noise()) - theirs(network, noise())).max() < CLOSE


def step(target, **told):
    return {"_target_": target, "keys": "image", **told}


def preprocessing(*steps):
    return {"preprocessing": {"_target_": "Compose", "transforms": list(steps)}}


REFUSED = {
    "CropForeground": preprocessing(*STEPS, step("CropForegroundd", source_key="image")),
    "expression '$[1, 1, 1]'": preprocessing(
        *STEPS[:3], step("Spacingd", pixdim="$[1, 1, 1]"), *STEPS[4:]
    ),
    "no Spacingd": preprocessing(*STEPS[:3], *STEPS[4:]),
    "no Orientationd": preprocessing(*STEPS[:2], *STEPS[3:]),
    "nonzero": preprocessing(*STEPS[:4], step("NormalizeIntensityd", nonzero=True)),
    "which is not run": {"preprocessing": "$import_steps()"},
    "sigmoid": {"postprocessing": {"transforms": [step("Activationsd", sigmoid=True)]}},
    "network 'os.system'": {"network_def": {"_target_": "os.system", "command": "true"}},
    "the expression": {
        "network_def": {"_target_": "UNet", **ARGUMENTS, "channels": "$open('x')"}
    },
    "weights of another network": {
        "network_def": {"_target_": "UNet", **ARGUMENTS, "channels": [4, 6]}
    },
    "refers to 'nowhere'": {
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": "@nowhere"}
    },
    "refers to itself": {"roi": "@roi"},
    "cannot be built so": {"network_def": {"_target_": "UNet", **ARGUMENTS, "colour": 1}},
    "told were 2 classes and background": {"roi": [7, 12, 16]},
}


@pytest.mark.parametrize("says", REFUSED)
def test_what_a_plan_cannot_say_is_refused_in_one_line(says, tmp_path, capsys):
    source = a_monai_bundle(tmp_path / "m", a_network(), told=config(**REFUSED[says]))
    assert cli.main(["models", "import", str(source), "-o", str(tmp_path / "out")]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["configs/metadata.json", "configs/inference.json", "models/model.pt"]
)
@pytest.mark.parametrize("content", [b"", b"[1]", b"{}", b"\x80\x04garbage"])
def test_a_damaged_file_is_refused_in_one_line(name, content, tmp_path, capsys):
    source = a_monai_bundle(tmp_path / "monai", a_network())
    (source / name).write_bytes(content)
    assert cli.main(["models", "import", str(source), "-o", str(tmp_path / "out")]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert str(source) in line


def test_what_is_neither_folder_nor_zip_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_bytes(b"PK\x03\x04")
    (tmp_path / "empty").mkdir()
    with zipfile.ZipFile(tmp_path / "bare.zip", "w") as archive:
        archive.writestr("readme", "nothing")
    for name in ("file", "empty", "bare.zip", "absent"):
        typed = ["models", "import", str(tmp_path / name), "-o", str(tmp_path / "out")]
        assert cli.main(typed) == 3
        (line,) = capsys.readouterr().err.splitlines()
        assert name in line


PLAN = SegmentationPlan(
    channels=("CT",),
    classes=("liver",),
    spacing_mm=(2.0, 1.0, 1.5),
    patch=(16, 12, 8),
    intensities=(Intensity(-57.0, 164.0, 40.0, 25.0),),
    architecture=unet(3, 1, 2, widths=(4, 8)),
)


@pytest.mark.parametrize(
    "intensity",
    [PLAN.intensities[0], Intensity(-1e30, 1e30, 0, 1, own=True)],
    ids=["range", "own"],
)
def test_monai_prepares_a_volume_as_the_plan_does(intensity, tmp_path):
    plan = replace(PLAN, intensities=(intensity,))
    rng = np.random.default_rng(2)
    stored = rng.uniform(-100, 200, (8, 12, 16)).astype(np.float32)  # (x, y, z), toward RPI
    affine = np.diag([1.5, -1.0, -2.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(stored, affine), tmp_path / "drawn.nii.gz")
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    grid = Grid((16, 12, 8), lps[:, [2, 1, 0, 3]])
    ours = prepare(stored.transpose(2, 1, 0)[None], grid, plan).array
    parser = ConfigParser(inference_of(plan))
    chain = parser.get_parsed_content("preprocessing")
    seen = chain({"image": str(tmp_path / "drawn.nii.gz")})["image"]
    assert np.abs(np.asarray(seen) - ours).max() < CLOSE


def test_an_exported_bundle_answers_in_monai_as_here(tmp_path, capsys):
    bundle = bring(a_monai_bundle(tmp_path / "monai", a_network()), tmp_path / "drawn")
    out = tmp_path / "exported"
    typed = ["models", "export", str(bundle.folder), "--monai", str(out)]
    assert cli.main([*typed, "--onnx", str(tmp_path / "plain.onnx")]) == 0
    assert (tmp_path / "plain.onnx").read_bytes() == bundle.weights.read_bytes()
    told = json.loads((out / "configs/inference.json").read_text())
    parser = ConfigParser(told | {"bundle_root": str(out)})
    network, inferer = (parser.get_parsed_content(key) for key in ("network", "inferer"))
    seen = inferer(torch.from_numpy(noise()), network).numpy()
    assert np.abs(seen - answer(bundle, noise())).max() < CLOSE
    metadata = json.loads((out / "configs/metadata.json").read_text())
    assert metadata["network_data_format"]["outputs"]["pred"]["channel_def"]["2"] == "spleen"
    assert cli.main(typed) == 2  # it is there already


def test_channels_that_are_clipped_each_in_its_own_way_are_refused(tmp_path, capsys):
    bundle = bring(a_monai_bundle(tmp_path / "monai", a_network()), tmp_path / "drawn")
    two = replace(PLAN, channels=("a", "b"), intensities=(Intensity(0, 1, 0, 1),) * 2)
    inference_of(two)
    other = replace(two, intensities=(Intensity(0, 1, 0, 1), Intensity(0, 2, 0, 1)))
    with pytest.raises(Exception, match="MONAI has no words"):
        write_monai_bundle(replace(bundle, plan=other), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert load_bundle(bundle.folder).sha256 == bundle.sha256
