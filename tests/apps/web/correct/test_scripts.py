"""The arithmetic of masks in the page, run by Node.js; and its files, read by Python."""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import medloop.apps.web
from medloop.core.geometry import Grid
from medloop.files.nifti import read_nifti, write_nifti

STATIC = Path(medloop.apps.web.__file__).parent / "static" / "correct"
HERE = Path(__file__).parent
LONG_S = 120


@pytest.fixture
def scripts(tmp_path) -> Path:
    """A folder with the modules and their tests, which Node.js takes for modules."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    shutil.copytree(STATIC, tmp_path / "static" / "correct")
    (tmp_path / "tests").mkdir()
    for path in HERE.glob("*.mjs"):
        shutil.copy(path, tmp_path / "tests")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    return tmp_path


def run(folder: Path, name: str, **environment: str) -> None:
    """Run one file of tests; what it says is shown if one fails."""
    done = subprocess.run(
        ["node", "--test", f"tests/{name}"],  # noqa: S607
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LONG_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert "# pass 0" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_the_arithmetic_of_the_page_holds(scripts, name):
    run(scripts, name)


@pytest.mark.slow
def test_a_mask_goes_to_the_page_and_back_with_one_voxel_changed(scripts):
    array = np.random.default_rng(3).integers(0, 5, (6, 5, 4)).astype(np.uint8)
    turned, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turned * (2.5, 0.7, 0.71), (-120.3, 44.1, 9.9)
    sent, came = scripts / "sent.nii.gz", scripts / "came.nii.gz"
    write_nifti(array, Grid(array.shape, affine), sent)
    run(scripts, "nifti.test.mjs", MASK_IN=str(sent), MASK_OUT=str(came))
    back = read_nifti(came)
    wanted = array.copy()
    wanted[3, 2, 1] = 7
    assert_array_equal(back.array, wanted)
    assert_allclose(back.grid.affine, affine, atol=1e-4)
    heads = [gzip.decompress(path.read_bytes())[:352] for path in (sent, came)]
    assert heads[0] == heads[1]
