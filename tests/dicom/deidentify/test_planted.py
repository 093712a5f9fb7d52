"""Identifiers planted wherever they are found are gone, and nothing else is harmed."""

from functools import partial

import cv2
import numpy as np
import pytest
from pydicom import dcmread

from medloop.core.errors import InputError, ServiceError
from medloop.dicom.deidentify import Key, Patient, Profile, Task, deidentify, find_text
from medloop.dicom.deidentify.identity import Identity
from medloop.dicom.deidentify.ocr import Box, languages
from tests.dicom.deidentify.leaks import (
    BASIC,
    CLEANED,
    KEY,
    changed_outside,
    clean_study,
    leaks,
    new_errors,
    nothing,
    uids_in,
)
from tests.dicom.deidentify.planted import a_study, write

PROFILES = pytest.mark.parametrize("profile", [BASIC, CLEANED], ids=["basic", "cleaned"])
TENTH = 10  # studies of ten objects; `whole` runs all hundred


def with_ocr():
    try:
        languages()
    except ServiceError as error:
        pytest.skip(str(error))
    return find_text


@PROFILES
@pytest.mark.parametrize("seed", range(TENTH))
def test_no_identifier_is_left_in_any_byte_or_text(tmp_path, profile, seed):
    person, done = clean_study(seed, tmp_path, profile=profile)
    assert len(done) == 9
    found = {path.name: leaks(person, dcmread(source), path) for _, source, path, _ in done}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.whole
@PROFILES
def test_no_identifier_is_left_in_a_thousand_objects(tmp_path, profile):
    objects, found = 0, []
    for seed in range(TENTH, 100):
        person, done = clean_study(seed, tmp_path, profile=profile)
        objects += len(done) + 1
        for _, source, path, _ in done:
            found += [(seed, path.name, each) for each in leaks(person, dcmread(source), path)]
    assert objects == 900
    assert found == []


def test_the_search_itself_finds_each_identifier_in_the_source(tmp_path):
    person, done = clean_study(10, tmp_path, only=("CT",))
    source = done[0][1]
    found = " ".join(leaks(person, dcmread(source), source))
    assert [secret for secret in person.secrets if secret not in found] == []
    assert "an old UID" in found
    assert "the preamble" in found


@PROFILES
@pytest.mark.parametrize("seed", [0, 3])
def test_dciodvfy_finds_no_new_error(tmp_path, profile, seed):
    _, done = clean_study(seed, tmp_path, profile=profile)
    found = {path.name: new_errors(source, path) for _, source, path, _ in done}
    assert {name: what for name, what in found.items() if what} == {}


def test_pixels_and_places_are_as_they_were(tmp_path):
    _, done = clean_study(1, tmp_path)
    for thing, source, path, told in done:
        before, after = dcmread(source), dcmread(path)
        if "PixelData" in before:
            assert changed_outside(before, after, told.boxes) == 0, thing.kind
        for keyword in (
            "ImagePositionPatient",
            "ImageOrientationPatient",
            "PixelSpacing",
            "RescaleIntercept",
            "Rows",
            "Modality",
            "SOPClassUID",
            "ImageType",
        ):
            assert before.get(keyword) == after.get(keyword), keyword


def test_references_between_objects_lead_to_their_new_uids(tmp_path):
    _, done = clean_study(2, tmp_path)
    objects = {thing.kind: dcmread(path) for thing, _, path, _ in done}
    images = {dcmread(path).SOPInstanceUID for t, _, path, _ in done if t.kind == "CT"}
    for kind in ("SR", "SEG"):
        assert uids_in(objects[kind]) & images, kind
        assert uids_in(objects[kind]) <= images, kind
    study = objects["CT"].StudyInstanceUID
    assert uids_in(objects["RTSTRUCT"]) <= images | {study}
    assert uids_in(objects["RTSTRUCT"]) >= images
    frames = {
        each.get("FrameOfReferenceUID") for k, each in objects.items() if k in ("CT", "SEG")
    }
    assert len(frames) == 1


def test_the_same_input_and_key_give_the_same_bytes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, one = clean_study(4, tmp_path / "a", only=("CT", "SR"))
    _, other = clean_study(4, tmp_path / "b", only=("CT", "SR"))
    for (_, _, path, _), (_, _, again, _) in zip(one, other, strict=True):
        assert path.read_bytes() == again.read_bytes()


def test_another_key_gives_other_uids_and_another_pseudonym(tmp_path):
    _, things = a_study(5)
    path = write(things[0], tmp_path / "in.dcm")
    uids = set()
    for secret in (b"a" * 32, b"b" * 32):
        key = Key(secret)
        patient = Patient(Identity(), key.pseudonym("1"), key.shift_days("1"))
        deidentify(path, tmp_path / "out.dcm", Task(BASIC, key, nothing), patient)
        after = dcmread(tmp_path / "out.dcm")
        uids |= {after.SOPInstanceUID, after.PatientID}
    assert len(uids) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.whole) for seed in range(1, 4))]
)
def test_words_burned_into_pixels_are_found_and_blanked_in_all_frames(tmp_path, seed):
    read = with_ocr()
    _, done = clean_study(seed, tmp_path, read=read, only=("US", "SC"))
    assert len(done) == 2
    for thing, source, path, told in done:
        before, after = dcmread(source), dcmread(path)
        for word, (top, left, bottom, right) in thing.burned:
            region = after.pixel_array[..., top:bottom, left:right]
            region = after.pixel_array[top:bottom, left:right] if thing.kind == "SC" else region
            assert region.max() == region.min(), f"{thing.kind}: {len(word)} letters"
        assert changed_outside(before, after, told.boxes) == 0
        assert after.BurnedInAnnotation == "NO"
        area = sum((b - t) * (r - x) for t, x, b, r in told.boxes)
        assert area < 0.35 * before.Rows * before.Columns


def test_the_object_says_how_it_was_cleaned(tmp_path):
    _, done = clean_study(6, tmp_path, profile=CLEANED, only=("CT",))
    after = dcmread(done[0][2])
    assert after.PatientIdentityRemoved == "YES"
    codes = [item.CodeValue for item in after.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113104", "113105", "113107", "113111"]
    assert after.LongitudinalTemporalInformationModified == "MODIFIED"
    assert "BurnedInAnnotation" not in after  # nobody looked


def test_dates_of_one_patient_move_by_the_same_days(tmp_path):
    person, done = clean_study(7, tmp_path, profile=CLEANED, only=("CT", "SR", "RTSTRUCT"))
    dates = {dcmread(path).StudyDate for _, _, path, _ in done}
    assert len(dates) == 1
    assert dates != {person.numbers["seen"]}


def test_useful_words_stay_in_cleaned_descriptions(tmp_path):
    _, done = clean_study(8, tmp_path, profile=CLEANED, only=("CT", "SR"))
    image, report = dcmread(done[0][2]), dcmread(done[-1][2])
    assert image.SeriesDescription.startswith("1.25mm ")
    assert image.SeriesDescription.endswith(" Lung")
    texts = [item.TextValue for item in report.ContentSequence if item.ValueType == "TEXT"]
    assert "nodule 5 mm" in texts[0]
    numbers = [item for item in report.ContentSequence if item.ValueType == "NUM"]
    assert numbers[0].MeasuredValueSequence[0].NumericValue == 5


def test_the_basic_profile_alone_replaces_every_text_of_a_report(tmp_path):
    _, done = clean_study(8, tmp_path, only=("SR",))
    report = dcmread(done[0][2])
    texts = [item.TextValue for item in report.ContentSequence if item.ValueType == "TEXT"]
    assert texts == ["REMOVED"]


def test_a_film_s_text_that_comes_late_is_found(tmp_path):
    """A reader that sees bright bars: the third frame alone has one."""
    _, things = a_study(9)
    thing = next(each for each in things if each.kind == "US")
    frames = np.zeros((6, 160, 256), np.uint8)
    cv2.putText(frames[2], "LATE NOTE", (20, 90), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1)
    thing.dataset.PixelData, thing.dataset.NumberOfFrames = frames.tobytes(), "6"
    path = write(thing, tmp_path / "in.dcm")

    def bars(gray, *, surely=False):
        rows, columns = np.nonzero(gray > 200)
        if not len(rows):
            return ()
        return (Box(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1),)

    patient = Patient(Identity(), "P-1", -1)
    told = deidentify(path, tmp_path / "out.dcm", Task(BASIC, KEY, bars), patient)
    assert len(told.boxes) == 1
    assert dcmread(tmp_path / "out.dcm").pixel_array.max() == 0


def test_text_that_cannot_be_blanked_refuses_the_object(tmp_path):
    def stubborn(_gray, *, surely=False):
        return (Box(0, 0, 4, 4),)

    _, things = a_study(9)
    path = write(next(t for t in things if t.kind == "SC"), tmp_path / "in.dcm")
    task = Task(Profile(), KEY, partial(stubborn))
    with pytest.raises(InputError, match="still found"):
        deidentify(path, tmp_path / "out.dcm", task, Patient(Identity(), "P-1", -1))
    assert not (tmp_path / "out.dcm").exists()
