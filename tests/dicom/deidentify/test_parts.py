"""Keys, dates, streams, tables and maps, each by itself."""

import io
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.uid import ExplicitVRLittleEndian

from medloop.core.errors import InputError
from medloop.dicom.deidentify import Clean, Key, Profile, Retain, append, read_key, reveal
from medloop.dicom.deidentify.keys import key_from_passphrase
from medloop.dicom.deidentify.pixels import tidy
from medloop.dicom.deidentify.streams import without_remarks
from medloop.dicom.deidentify.table import Action, action_of, basic_actions
from medloop.dicom.deidentify.types import type_of
from medloop.dicom.deidentify.values import capped_age, shifted

KEY = Key(b"k" * 32)
CT = "1.2.840.10008.5.1.4.1.1.2"


def action(keyword, **options):
    return action_of(tag_for_keyword(keyword), Profile(**options))


@given(st.text(min_size=1, max_size=64))
def test_a_uid_is_valid_and_always_the_same(original):
    uid = KEY.uid(original)
    assert uid == KEY.uid(original)
    assert len(uid) <= 64
    assert uid.startswith("2.25.")
    assert uid[5] != "0"


def test_two_patients_have_two_names_and_mostly_two_shifts():
    assert KEY.pseudonym("1") != KEY.pseudonym("2")
    shifts = {KEY.shift_days(str(n)) for n in range(50)}
    assert len(shifts) > 40
    assert all(-3650 <= shift <= -1 for shift in shifts)


def test_a_key_never_shows_itself():
    assert "k" * 8 not in repr(KEY)


def test_a_passphrase_gives_one_key_and_a_short_one_none():
    assert key_from_passphrase("a long passphrase") == key_from_passphrase("a long passphrase")
    with pytest.raises(InputError, match="12 are asked"):
        key_from_passphrase("short")


def test_a_file_that_is_no_key_is_refused(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("hello")
    with pytest.raises(InputError, match="holds no key"):
        read_key(path)


@pytest.mark.parametrize(
    ("value", "moved"),
    [
        ("20240301", "20240229"),
        ("2024.03.01", "20240229"),
        ("20240301101112.5+0100", "20240229101112.5+0100"),
        ("2024", ""),
        ("20241399", ""),
        ("00010101", ""),
    ],
)
def test_dates_move_and_what_is_none_goes(value, moved):
    assert shifted(value, -1) == moved


@given(st.dates(min_value=date(1200, 1, 1)), st.integers(-3650, -1))
def test_a_shift_can_be_undone(day, days):
    text = f"{day:%Y%m%d}"
    assert shifted(shifted(text, days), -days) == text


@pytest.mark.parametrize(
    ("age", "kept"), [("094Y", "090Y"), ("089Y", "089Y"), ("011M", "011M")]
)
def test_great_ages_are_given_as_ninety(age, kept):
    assert capped_age(age) == kept


def test_the_table_is_the_current_one():
    actions = basic_actions()
    assert len(actions) > 600
    assert actions[0x00100010] is Action.EMPTY
    assert actions[0x0020000D] is Action.UID


@pytest.mark.parametrize(
    ("keyword", "options", "expected"),
    [
        ("StudyDate", {"retain": frozenset([Retain.DATES_FULL])}, Action.KEEP),
        ("StudyDate", {"retain": frozenset([Retain.DATES_SHIFTED])}, Action.CLEAN),
        ("PatientBirthDate", {"retain": frozenset([Retain.DATES_FULL])}, Action.EMPTY),
        ("StudyInstanceUID", {"retain": frozenset([Retain.UIDS])}, Action.KEEP),
        ("StationName", {"retain": frozenset([Retain.DEVICE])}, Action.KEEP),
        ("InstitutionName", {"retain": frozenset([Retain.INSTITUTION])}, Action.KEEP),
        ("PatientSex", {"retain": frozenset([Retain.PATIENT])}, Action.KEEP),
        ("PatientName", {"retain": frozenset(Retain) - {Retain.DATES_FULL}}, Action.EMPTY),
        ("SeriesDescription", {"clean": frozenset([Clean.DESCRIPTORS])}, Action.CLEAN),
        ("PatientAddress", {"clean": frozenset([Clean.DESCRIPTORS])}, Action.REMOVE),
        ("ContentSequence", {"clean": frozenset([Clean.STRUCTURED_CONTENT])}, Action.CLEAN),
        ("PatientID", {"clean": frozenset(Clean)}, Action.EMPTY_OR_DUMMY),
    ],
)
def test_options_retain_and_clean_what_they_name(keyword, options, expected):
    assert action(keyword, **options) is expected


def test_dates_are_kept_or_shifted_not_both():
    with pytest.raises(ValueError, match="not both"):
        Profile(frozenset([Retain.DATES_FULL, Retain.DATES_SHIFTED]))


@pytest.mark.parametrize(
    ("path", "keyword", "kind"),
    [
        ((), "SOPInstanceUID", "1"),
        ((), "StudyDate", "2"),
        ((), "StudyDescription", "3"),
        (("NoSuchSequence",), "StudyDescription", "3"),
    ],
)
def test_types_are_those_of_the_iod(path, keyword, kind):
    assert type_of(CT, path, keyword) == kind


def test_a_jpeg_loses_its_remarks_and_keeps_its_pixels():
    picture = Image.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64))
    said = Image.Exif()
    said[0x010E] = "Kowalczyk"
    target = io.BytesIO()
    picture.save(target, "JPEG", exif=said, comment=b"Kowalczyk")
    frame = target.getvalue() + b"Kowalczyk"
    assert frame.count(b"Kowalczyk") == 3
    bare = without_remarks(frame)
    assert b"Kowalczyk" not in bare
    with Image.open(io.BytesIO(frame)) as before, Image.open(io.BytesIO(bare)) as after:
        assert np.array_equal(np.asarray(before), np.asarray(after))


def test_a_jpeg_2000_loses_its_comment():
    target = io.BytesIO()
    picture = Image.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64))
    picture.save(target, "JPEG2000", no_jp2=True, comment=b"Kowalczyk")
    bare = without_remarks(target.getvalue())
    assert b"Kowalczyk" in target.getvalue()
    assert b"Kowalczyk" not in bare
    with Image.open(io.BytesIO(bare)) as after:
        assert np.array_equal(np.asarray(after), np.asarray(picture))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_frame_never_raise(data):
    without_remarks(b"\xff\xd8" + data)
    without_remarks(b"\xff\x4f\xff\x51" + data)


def test_bits_of_old_overlays_and_bytes_past_the_pixels_are_cleared():
    dataset = Dataset()
    dataset.file_meta = Dataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Rows, dataset.Columns, dataset.BitsAllocated = 2, 2, 16
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    dataset.add_new(0x60000102, "US", 12)
    values = np.array([0x1001, 0x1FFF, 0x0002, 0xF003], "<u2")
    dataset.PixelData = values.tobytes() + b"Kowalczyk!"
    tidy(dataset)
    assert np.frombuffer(dataset.PixelData, "<u2").tolist() == [1, 0xFFF, 2, 3]


def test_a_map_is_read_with_its_key_up_to_where_a_run_was_killed(tmp_path):
    path = tmp_path / "map"
    append(path, KEY, {"patients": {"P-1": "Kowalczyk"}})
    append(path, KEY, {"patients": {"P-2": "Müller"}, "uids": {"2.25.1": "1.2.3"}})
    with path.open("ab") as file:
        file.write(b"gAAAAAB-half a tok")
    assert b"Kowalczyk" not in path.read_bytes()
    assert reveal(path, KEY) == {
        "patients": {"P-1": "Kowalczyk", "P-2": "Müller"},
        "uids": {"2.25.1": "1.2.3"},
    }
    with pytest.raises(InputError, match="another key"):
        reveal(path, Key(b"x" * 32))


def test_a_file_that_is_no_map_is_refused(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("hello")
    with pytest.raises(InputError, match="is no map"):
        reveal(path, KEY)
