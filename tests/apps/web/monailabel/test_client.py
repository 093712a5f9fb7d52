"""The client class that monailabel publishes works against a node."""

import importlib
import subprocess
import sys
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medloop.annotation.masks import decode
from medloop.files.nifti import decode_nifti
from medloop.store.users import Role
from tests.apps.web.monailabel.requests import BASE, nifti
from tests.apps.web.test_fuzz import listening
from tests.clinical.brains import PLAN, a_bundle

WHEEL = "monailabel==0.8.5"


@pytest.fixture(scope="session")
def client_class(tmp_path_factory):
    """The class `MONAILabelClient`, out of a wheel that nothing else of is imported of."""
    folder = tmp_path_factory.mktemp("monailabel")
    fetch = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", WHEEL, "-d", folder]
    done = subprocess.run(fetch, capture_output=True, check=False, timeout=120)
    wheels = list(Path(folder).glob("*.whl"))
    if done.returncode or not wheels:
        pytest.skip(f"{WHEEL} cannot be fetched")
    with zipfile.ZipFile(wheels[0]) as wheel:
        source = wheel.read("monailabel/client/client.py")
    (folder / "their_client.py").write_bytes(source)
    sys.path.insert(0, str(folder))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports cgi, which goes with Python 3.13
            found = importlib.import_module("their_client")
    except ImportError as error:
        pytest.skip(f"the client cannot be imported: {error}")
    finally:
        sys.path.remove(str(folder))
    return found.MONAILabelClient


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # it leaves connections open
def test_the_published_client_lists_infers_fetches_the_next_sample_and_saves_a_label(
    client_class, node, job, volume, tmp_path
):
    store, now = node.context.store, node.clock()
    ct = replace(PLAN, channels=("CT",), patch=(8, 16, 16))
    a_bundle(node.context.settings.bundles / "organs", ct)
    user = node.context.users.add("li", Role.ANNOTATOR, now=now)
    _, secret = node.context.tokens.issue(user, "slicer", now=now, lasts=None)
    with listening(node.app) as url:
        client = client_class(url + BASE, tmpdir=str(tmp_path), client_id="slicer")
        assert client.auth_enabled()
        client.update_auth(client.auth_token("li", secret))
        assert client.auth_valid_token()
        assert client.info()["models"]["lung"]["type"] == "segmentation"
        sample = client.next_sample("first", {})
        assert client.datastore()["objects"].keys() == {str(job.id)}
        file, params = client.infer("lung", sample["id"], {"result_extension": ".nii.gz"})
        assert params["label_names"] == {"nodule 1": 1, "nodule 2": 2}
        labels = decode(Path(file).read_bytes(), volume.grid, (1, 2)).copy()
        folder = store.results_folder / store.results.get(job.id).folder
        proposed = decode_nifti((folder / "labels.nii.gz").read_bytes())[0].array
        np.testing.assert_array_equal(labels, proposed)
        made, params = client.infer("organs", sample["id"], {"result_extension": ".nii.gz"})
        assert params["model"] == "organs"
        found = decode(Path(made).read_bytes(), volume.grid, (1, 2))
        assert found.shape == labels.shape
        assert found.any()
        labels[0, 0, 0] = 2
        (tmp_path / "mine.nii.gz").write_bytes(nifti(labels, volume.grid))
        named = [{"name": "nodule 1", "idx": 1}, {"name": "nodule 2", "idx": 2}]
        told = client.save_label(
            sample["id"], str(tmp_path / "mine.nii.gz"), params={"label_info": named}
        )
        assert told["label"] == str(job.id)
        again = client.download_label(str(job.id), "final")
        kept = decode(Path(again).read_bytes(), volume.grid, (1, 2))
        np.testing.assert_array_equal(kept, labels)
        assert client.next_sample("first", {}) == {}
        assert client.train_status(check_if_running=True) is False
    (reading,) = store.readings.of_job(job.id)
    assert (reading.reader, reading.number) == ("li", 1)
