"""nnU-Net's networks answer the same as bundles of ours."""

from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip(
    "dynamic_network_architectures", reason="nnU-Net's networks are not installed"
)

from medloop.apps import cli  # noqa: E402 (after the skips)
from medloop.core.errors import InputError  # noqa: E402
from medloop.learning.base import open_base, put  # noqa: E402
from medloop.learning.imports.bring import bring  # noqa: E402
from medloop.models.networks.build import build  # noqa: E402
from medloop.models.predict import open_weights  # noqa: E402
from medloop.models.segmentation_plan import PICTURES, Intensity  # noqa: E402
from tests.learning.imports.results import (  # noqa: E402
    a_results_folder,
    arch_kwargs,
    original,
)

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
CLOSE = 1e-4


def imported(tmp_path, networks, kwargs, *, orientation=None, **changes):
    source = a_results_folder(tmp_path / "results", networks, kwargs, **changes)
    return bring(source, tmp_path / "drawn", orientation=orientation)


def answer(bundle, x):
    return open_weights(bundle.weights, engine="onnxruntime").run(x)["probability"]


def truth(networks, x):
    with torch.no_grad():
        logits = [network(torch.from_numpy(np.ascontiguousarray(x))) for network in networks]
    return torch.softmax(torch.stack(logits).mean(0), dim=1).numpy()


def noise(shape):
    return np.random.default_rng(3).standard_normal((1, 1, *shape), np.float32)


@pytest.mark.parametrize("is_residual", [False, True], ids=["plain", "residual"])
def test_two_folds_answer_the_mean_of_their_originals(is_residual, tmp_path):
    kwargs = arch_kwargs(is_residual=is_residual)
    networks = [original(kwargs, seed=seed) for seed in (1, 2)]
    bundle = imported(tmp_path, networks, kwargs)
    x = noise((8, 16, 24))
    assert np.abs(answer(bundle, x) - truth(networks, x)).max() < CLOSE
    plan = bundle.segmentation_plan
    assert (plan.patch, plan.spacing_mm) == ((8, 16, 24), (3.0, 1.0, 0.5))
    assert plan.intensities == (Intensity(-50.0, 120.0, 40.0, 20.0),)
    assert (plan.channels, plan.classes) == (("CT",), ("liver", "tumor"))
    assert plan.flips == (0, 1, 2)


def test_an_imported_network_can_be_trained_on(tmp_path):
    kwargs = arch_kwargs(is_residual=False)
    networks = [original(kwargs, seed=1)]
    bundle = imported(tmp_path, networks, kwargs)
    network = build(bundle.segmentation_plan.architecture)
    assert put(network, open_base(bundle), keeps_head=True).fresh == ()
    x = noise((8, 16, 24))
    with torch.no_grad():
        logits = network.eval()(torch.from_numpy(x))
    found = torch.softmax(logits, dim=1).numpy()
    np.testing.assert_allclose(found, answer(bundle, x), atol=2e-3)  # half precision


def test_transposed_axes_and_a_stored_orientation_are_undone(tmp_path):
    kwargs = arch_kwargs()
    network = original(kwargs)
    bundle = imported(
        tmp_path,
        [network],
        kwargs,
        orientation="RAS",
        plans={"transpose_forward": [2, 0, 1], "transpose_backward": [1, 2, 0]},
    )
    plan = bundle.segmentation_plan  # nnU-Net's axes are now (column, slice, row)
    assert (plan.patch, plan.spacing_mm) == ((16, 24, 8), (1.0, 0.5, 3.0))
    x = noise(plan.patch)
    stored = x[:, :, :, ::-1, ::-1]  # rows ran to A, columns to R
    theirs = truth([network], stored.transpose(0, 1, 4, 2, 3))
    wanted = theirs.transpose(0, 1, 3, 4, 2)[:, :, :, ::-1, ::-1]
    assert np.abs(answer(bundle, x) - wanted).max() < CLOSE
    assert "stored RAS" in " ".join(bundle.card["limits"])


def test_a_network_of_slices_reads_volumes_a_slice_at_a_time(tmp_path):
    kwargs = arch_kwargs(dims=2)
    network = original(kwargs)
    bundle = imported(tmp_path, [network], kwargs)
    plan = bundle.segmentation_plan
    assert (plan.patch, plan.spacing_mm, plan.flips) == ((1, 16, 24), (2.5, 1.0, 0.5), (1, 2))
    x = noise(plan.patch)
    assert np.abs(answer(bundle, x)[:, :, 0] - truth([network], x[:, :, 0])).max() < CLOSE


def test_a_network_of_pictures_stays_one(tmp_path):
    kwargs = arch_kwargs(dims=2)
    network = original(kwargs)
    bundle = imported(
        tmp_path,
        [network],
        kwargs,
        plans={"image_reader_writer": "NaturalImage2DIO"},
        configuration={"spacing": [1.0, 1.0], "normalization_schemes": ["ZScoreNormalization"]},
    )
    plan = bundle.segmentation_plan
    assert (plan.frame, plan.patch, plan.intensities[0].own) == (PICTURES, (16, 24), True)
    x = noise(plan.patch)
    assert np.abs(answer(bundle, x) - truth([network], x)).max() < CLOSE


def test_the_card_says_where_it_comes_from_and_that_nothing_was_measured(tmp_path):
    kwargs = arch_kwargs()
    card = imported(tmp_path, [original(kwargs)], kwargs).card
    assert "nnU-Net v2, Dataset007_Drawn" in card["training"]["imported_from"]
    assert "nothing was measured" in card["evaluation"]["how"]
    assert card["evaluation"]["figures"] == []
    assert "assumed" in " ".join(card["limits"])
    assert len(card["training"]["files_sha256"]["fold_0/checkpoint_final.pth"]) == 64


REFUSED = {
    "a cascade": {"configuration": {"previous_stage": "3d_lowres"}},
    "inside a mask": {
        "configuration": {
            "normalization_schemes": ["ZScoreNormalization"],
            "use_mask_for_norm": [True],
        }
    },
    "scaled by RescaleTo01": {
        "configuration": {"normalization_schemes": ["RescaleTo01Normalization"]}
    },
    "regions of several labels": {
        "dataset": {"labels": {"background": 0, "whole": [1, 2], "core": 2}}
    },
    "are not 0, 1, 2": {"dataset": {"labels": {"background": 0, "liver": 1, "tumor": 3}}},
    "transpose_forward": {"plans": {"transpose_forward": [0, 0, 1]}},
    "is no nnU-Net v2 result": {"dataset": {"labels": None}},
    "squeeze_excitation": {"kwargs": {"squeeze_excitation": True}},
    "leak 0.01": {"kwargs": {"nonlin_kwargs": {"negative_slope": 0.2}}},
    "weights of another network": {"kwargs": {"features_per_stage": [4, 8, 16]}},
    "has weights ours has no place for": {"kwargs": {"n_conv_per_stage": [2, 2, 1]}},
    "has no encoder.stages.2.0.convs.2": {"kwargs": {"n_conv_per_stage": [2, 2, 3]}},
}


@pytest.mark.parametrize("says", REFUSED)
def test_what_a_plan_cannot_say_is_refused_in_one_line(says, tmp_path, capsys):
    changes = dict(REFUSED[says])
    kwargs = arch_kwargs()
    network = original(kwargs)
    told = kwargs | changes.pop("kwargs", {})
    source = a_results_folder(tmp_path / "results", [network], told, **changes)
    assert cli.main(["models", "import", str(source), "-o", str(tmp_path / "out")]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["plans.json", "dataset.json", "fold_0/checkpoint_final.pth"])
@pytest.mark.parametrize("content", [b"", b"[1]", b"\x80\x04garbage"])
def test_a_damaged_file_is_named_in_one_line(name, content, tmp_path, capsys):
    kwargs = arch_kwargs()
    source = a_results_folder(tmp_path / "results", [original(kwargs)], kwargs)
    (source / name).write_bytes(content)
    assert cli.main(["models", "import", str(source), "-o", str(tmp_path / "out")]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert name in line


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    kwargs = arch_kwargs()
    source = a_results_folder(tmp_path / "results", [original(kwargs)], kwargs)
    torch.save({"network_weights": Fraction(1, 2)}, source / "fold_0/checkpoint_final.pth")
    with pytest.raises(InputError, match="holds no plain tensors"):
        bring(source, tmp_path / "out")


@pytest.mark.parametrize("letters", ["RR", "RAX", "RAA", "RASL"])
def test_an_orientation_that_is_none_is_refused(letters, tmp_path):
    kwargs = arch_kwargs()
    source = a_results_folder(tmp_path / "results", [original(kwargs)], kwargs)
    with pytest.raises(InputError, match="orientation"):
        bring(source, tmp_path / "out", orientation=letters)
