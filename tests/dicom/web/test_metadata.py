"""Stored objects as DICOM JSON."""

import json

import pydicom
from pydicom.dataelem import DataElement

from medloop.dicom.web.metadata import metadata_of
from tests.dicom.slices import a_slice, save


def a_damaged_slice(path):
    save(a_slice(PatientWeight="64.75"), path)
    whole = path.read_bytes()
    assert whole.count(b"64.75") == 1
    path.write_bytes(whole.replace(b"64.75", b"64x75"))
    return path


def test_what_cannot_be_read_is_left_out_and_nothing_else(tmp_path):
    told = json.loads(metadata_of(a_damaged_slice(tmp_path / "a.dcm")))
    assert "00101030" not in told
    assert told["00080060"] == {"vr": "CS", "Value": ["CT"]}


def test_other_threads_read_as_before_meanwhile(tmp_path, monkeypatch):
    modes, real = set(), DataElement.to_json_dict

    def watched(self, *rest):
        modes.add(pydicom.config.settings.reading_validation_mode)
        return real(self, *rest)

    monkeypatch.setattr(DataElement, "to_json_dict", watched)
    metadata_of(a_damaged_slice(tmp_path / "a.dcm"))
    assert modes == {pydicom.config.WARN}
