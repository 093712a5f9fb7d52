"""Rendered pictures (heat map, overlay) become Secondary Captures."""

from collections.abc import Sequence

from jaxtyping import UInt8
from numpy import ndarray
from pydicom import Dataset

from medloop.core.finding import Provenance
from medloop.dicom.codes import SOURCE_IMAGE
from medloop.dicom.header import SECONDARY_CAPTURE
from medloop.dicom.write.attested import series_description
from medloop.dicom.write.attributes import Identity, coded, new_dataset, reference
from medloop.dicom.write.jpeg import encode_jpeg
from medloop.dicom.write.pixels import store_jpeg
from medloop.dicom.write.uids import result_uid

_SERIES_NUMBERS = {"heatmap": 903, "overlay": 904}


def capture(
    name: str,
    pixels: UInt8[ndarray, "y x 3"],
    provenance: Provenance,
    sources: Sequence[Dataset],
    *,
    description: str = "",
) -> Dataset:
    """Store a rendered RGB picture as baseline JPEG (PS3.3 A.8.1).

    It is for the eye, not for measuring, and is marked as derived and lossy.

    Raises
    ------
    InputError
        If a side is longer than JPEG allows.
    """
    identity = Identity(
        sop_class=SECONDARY_CAPTURE,
        sop_uid=result_uid(provenance, name),
        series_uid=result_uid(provenance, f"{name} series"),
        series_number=_SERIES_NUMBERS.get(name, 905),
        series_description=series_description(provenance, name),
        modality="OT",
    )
    dataset = new_dataset(identity, sources[0], provenance.told)
    dataset.ConversionType = "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.DerivationDescription = (
        description or f"{name} drawn over the source by medloop {provenance.analysis}"
    )
    source = reference(sources[0])
    source.PurposeOfReferenceCodeSequence = [coded(SOURCE_IMAGE)]
    dataset.SourceImageSequence = [source]
    side = sources[0].get("ImageLaterality") or sources[0].get("Laterality")
    dataset.Laterality = side if side in ("R", "L") else ""
    dataset.PatientOrientation = ""
    dataset.BurnedInAnnotation = "NO"
    dataset.DateOfSecondaryCapture, dataset.TimeOfSecondaryCapture = (
        dataset.ContentDate,
        dataset.ContentTime,
    )
    height, width = pixels.shape[:2]
    store_jpeg(dataset, encode_jpeg(pixels), (height, width), "YBR_FULL_422")
    return dataset
