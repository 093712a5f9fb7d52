"""Looking for a person in what was written: in bytes, in decoded text, in old UIDs."""

import shutil
import subprocess

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from medloop.core.errors import InputError
from medloop.dicom.deidentify import (
    Clean,
    Identity,
    Key,
    Patient,
    Profile,
    Retain,
    Task,
    deidentify,
    survey,
)
from tests.dicom.deidentify.planted import a_study, write

KEY = Key(b"0123456789abcdef0123456789abcdef")
BASIC = Profile()
CLEANED = Profile(
    frozenset([Retain.DATES_SHIFTED, Retain.SAFE_PRIVATE]),
    frozenset([Clean.DESCRIPTORS, Clean.STRUCTURED_CONTENT]),
)
CODES = ("utf-8", "gb18030", "latin-1", "utf-16-le")


def nothing(_gray, *, surely=False):
    """Find no text: for objects whose pixels are looked at elsewhere."""
    return ()


def clean_study(seed, folder, *, profile=BASIC, read=nothing, only=None):
    """De-identify one study; return the person and, for each object, how it was and became."""
    person, things = a_study(seed)
    source, target = folder / f"in{seed}", folder / f"out{seed}"
    source.mkdir()
    target.mkdir()
    paths = [write(t, source / f"{n}-{t.kind}.dcm") for n, t in enumerate(things)]
    identity, seen = Identity(), None
    for path in paths:
        seen = survey(path, profile)
        identity = identity.joined(seen.identity)
    patient = Patient(identity, KEY.pseudonym(seen.patient), KEY.shift_days(seen.patient))
    done = []
    for thing, path in zip(things, paths, strict=True):
        if only is not None and thing.kind not in only:
            continue
        try:
            told = deidentify(path, target / path.name, Task(profile, KEY, read), patient)
        except InputError:
            assert thing.kind == "PDF"
            assert not (target / path.name).exists()
            continue
        done.append((thing, path, target / path.name, told))
    return person, done


def leaks(person, before: Dataset, path) -> list[str]:
    """Name what of the person is still in a file."""
    data = path.read_bytes()
    lower = data.lower()
    found = []
    for secret in person.secrets:
        for code in CODES:
            try:
                sought = secret.lower().encode(code)
            except UnicodeEncodeError:
                continue
            if len(sought) >= 4 and sought in lower:
                found.append(f"{secret} as {code}")
    after = dcmread(path)
    text = str(after).lower()
    bare = "".join(filter(str.isalnum, text))
    found += [s for s in person.secrets if s.lower() in text]
    long = [s for s in person.secrets if len(s) >= 8]
    found += [s for s in long if "".join(filter(str.isalnum, s.lower())) in bare]
    root = str(before.StudyInstanceUID)
    if root.encode() in data:
        found.append("an old UID")
    if data[:128] != b"\0" * 128:
        found.append("the preamble")
    return found


def new_errors(before, after) -> set[str]:
    """Name what dciodvfy says of the second file and not of the first."""
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    return _errors(tool, after) - _errors(tool, before)


def _errors(tool, path) -> set[str]:
    done = subprocess.run(
        [tool, "-new", str(path)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    lines = (done.stderr + done.stdout).splitlines()
    return {line for line in lines if line.startswith(("Error", "Abort"))}


def uids_in(dataset: Dataset) -> set[str]:
    """Gather every reference to an instance, at any depth."""
    found = set()
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                found |= uids_in(item)
        elif element.keyword == "ReferencedSOPInstanceUID":
            found.add(str(element.value))
    return found


def changed_outside(before: Dataset, after: Dataset, boxes) -> int:
    """Count pixels that differ outside the boxes."""
    one, other = before.pixel_array, after.pixel_array
    frames = int(before.get("NumberOfFrames", 1))
    shape = (frames, int(before.Rows), int(before.Columns), -1)
    differ = (one.reshape(shape) != other.reshape(shape)).any(axis=-1)
    for top, left, bottom, right in boxes:
        differ[:, top:bottom, left:right] = False
    return int(np.count_nonzero(differ))
