"""What is wrong with a damaged object is said in words of DICOM."""

import re

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from medloop.core.errors import InputError
from medloop.dicom.damage import damage
from medloop.dicom.foreign import DICOM_ERRORS
from medloop.dicom.photo import picture_of
from medloop.dicom.pixels import check

_CLASS = re.compile(r"\w+(Error|Exception)\b")


def with_broken(tag: int) -> Dataset:
    """An object one element of which has three bytes where numbers have two or four."""
    dataset = Dataset()
    dataset.PatientName = "Secret^Name"
    dataset[tag] = RawDataElement(Tag(tag), "US", 3, b"\1\2\3", 0, False, True)
    return dataset


def raised(dataset: Dataset, keyword: str) -> BaseException:
    with pytest.raises(DICOM_ERRORS) as caught:
        getattr(dataset, keyword)
    return caught.value


def test_a_missing_element_is_named():
    dataset = Dataset()
    assert damage(raised(dataset, "PixelSpacing")) == "PixelSpacing (0028,0030) is missing"
    with pytest.raises(KeyError) as caught:
        dataset[0x00280010]
    assert damage(caught.value) == "Rows (0028,0010) is missing"
    assert damage(KeyError("Columns")) == "Columns (0028,0011) is missing"


def test_an_element_that_cannot_be_read_is_named_and_its_value_is_not():
    dataset = with_broken(0x00280010)
    said = damage(raised(dataset, "Rows"), with_broken(0x00280010))
    assert said == "Rows (0028,0010) cannot be read"


def test_an_element_within_a_sequence_is_found():
    outer = Dataset()
    outer.ProcedureCodeSequence = [with_broken(0x00280010)]
    assert damage(ValueError("?"), outer) == "Rows (0028,0010) cannot be read"


def test_the_tag_that_pydicom_names_is_taken():
    error = NotImplementedError("Unknown Value Representation 'UG' in tag (0020,000D)")
    assert damage(error) == "StudyInstanceUID (0020,000D) cannot be read"
    private = NotImplementedError("Unknown Value Representation '' in tag (5001,4459)")
    assert damage(private) == "(5001,4459) cannot be read"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (EOFError(), "it ends too early"),
        (MemoryError(), "it asks for more memory than there is"),
        (RecursionError(), "its sequences are nested too deep"),
        (TypeError("Secret"), "its elements cannot be read, or do not fit together"),
        (AttributeError("'FileDataset' object has no attribute 'file_meta'"), "its elements"),
    ],
)
def test_everything_else_is_said_in_general(error, words):
    assert damage(error, Dataset()).startswith(words)
    assert not _CLASS.search(damage(error))


def test_a_damaged_header_is_refused_by_the_name_of_its_element():
    dataset = with_broken(0x00280010)
    dataset.PixelData = b"\0" * 8
    with pytest.raises(InputError) as caught:
        check(dataset)
    said = "DICOM image header is damaged: Rows (0028,0010) cannot be read"
    assert str(caught.value) == said


def test_an_image_without_rows_says_so():
    dataset = Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.PixelData = b"\0" * 8
    with pytest.raises(InputError) as caught:
        picture_of(dataset)
    assert not _CLASS.search(str(caught.value))
    assert "Secret" not in str(caught.value)
