"""Write and read a SEG of 98 structures on a CT of 512 x 512 x 150 voxels, beside highdicom.

``python -m benchmarks seg [--slices 150] [--structures 98] [--runs 3]``: the structures fill a
drawn trunk. Writing is from labels and the headers of the CT to a file; reading is from that
file to the same labels, which is checked. highdicom writes the same labels on the same frames
(binary, empty frames left out) and reads its own file; it also reads ours. Sides take turns;
medians of wall times after one round that is not counted.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import highdicom as hd
import numpy as np
from numpy import ndarray
from pydicom import Dataset, dcmread
from scipy.spatial import KDTree
from tests.necks import write_ct

from benchmarks.machine import describe
from benchmarks.plots import bars
from benchmarks.runs import in_turns, median, note, ratio, table
from medloop.core.code import Code
from medloop.core.finding import Provenance, Result
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap, Segment, Volume
from medloop.dicom.read_results import read_segmentation
from medloop.dicom.write import save
from medloop.dicom.write.seg import segmentation

SIDE, COARSE = 512, 4
CATEGORY = Code("SCT", "123037004", "Anatomical Structure")
ORGAN = Code("SCT", "113343008", "Organ")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LIMIT_S = 5


def a_grid(slices: int) -> Grid:
    """Lay out a CT of 0.8 x 0.8 mm pixels and 2 mm slices."""
    affine = np.eye(4)
    affine[:3, :3] = np.diag((2.0, 0.8, 0.8))[::-1]
    affine[:3, 3] = (-205.0, -205.0, -150.0)
    return Grid((slices, SIDE, SIDE), affine, "2.25.816")


def a_trunk(slices: int, structures: int) -> ndarray:
    """Divide a trunk among structures: each voxel to the nearest of random places in it."""
    rng = np.random.default_rng(0)
    size = (-(-slices // COARSE), SIDE // COARSE, SIDE // COARSE)
    half = np.array(size) / 2
    at = np.moveaxis(np.indices(size), 0, -1) + 0.5
    inside = (((at - half) / half)[..., 1:] ** 2 * (1 / 0.7, 1 / 0.9)).sum(-1) < 1
    places = at[inside][rng.choice(np.count_nonzero(inside), structures, replace=False)]
    labels = np.zeros(size, np.uint8)
    labels[inside] = KDTree(places).query(at[inside])[1] + 1
    fine = np.empty((slices, SIDE, SIDE), np.uint8)
    for k in range(slices):
        plane = labels[k // COARSE]
        cv2.resize(plane, (SIDE, SIDE), dst=fine[k], interpolation=cv2.INTER_NEAREST)
    return fine


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Labels, and the headers of the CT they lie on."""

    labels: LabelMap
    headers: tuple[Dataset, ...]

    @classmethod
    def in_folder(cls, folder: Path, slices: int, structures: int) -> "Drawn":
        """Draw labels and write an even CT under them."""
        grid = a_grid(slices)
        write_ct(Volume(np.zeros(grid.shape, np.int16), grid, "HU"), folder / "ct")
        paths = sorted((folder / "ct").glob("*.dcm"))
        headers = tuple(dcmread(path, stop_before_pixels=True) for path in paths)
        segments = {
            n: Segment(f"structure {n}", CATEGORY, ORGAN, (n * 2 % 256, n * 37 % 256, 90))
            for n in range(1, structures + 1)
        }
        return cls(LabelMap(a_trunk(slices, structures), segments, grid), headers)


def write_ours(drawn: Drawn, path: Path) -> None:
    """Write with medloop."""
    provenance = Provenance("total", "1", (), (), "", NOW)
    written = segmentation(Result(provenance, (), {}, drawn.labels), drawn.headers)
    if written is None:
        raise ValueError("nothing was labeled")
    save(written, path)


def read_ours(drawn: Drawn, path: Path) -> ndarray:
    """Read with medloop."""
    return read_segmentation(dcmread(path), grid=drawn.labels.grid).array


def write_theirs(drawn: Drawn, path: Path) -> None:
    """Write with highdicom: labels in the order of the CT's instances."""
    headers = sorted(drawn.headers, key=lambda header: float(header.ImagePositionPatient[2]))
    algorithm = hd.AlgorithmIdentificationSequence(
        name="total",
        family=hd.sr.CodedConcept("123110", "DCM", "Artificial Intelligence"),
        version="1",
    )
    described = [
        hd.seg.SegmentDescription(
            segment_number=n,
            segment_label=segment.name,
            segmented_property_category=hd.sr.CodedConcept(
                CATEGORY.value, CATEGORY.scheme, CATEGORY.meaning
            ),
            segmented_property_type=hd.sr.CodedConcept(
                ORGAN.value, ORGAN.scheme, ORGAN.meaning
            ),
            algorithm_type="AUTOMATIC",
            algorithm_identification=algorithm,
        )
        for n, segment in drawn.labels.segments.items()
    ]
    hd.seg.Segmentation(
        source_images=headers,
        pixel_array=drawn.labels.array,
        segmentation_type="BINARY",
        segment_descriptions=described,
        series_instance_uid=hd.UID(),
        series_number=901,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="benchmark",
        manufacturer_model_name="benchmark",
        software_versions="1",
        device_serial_number="1",
    ).save_as(path)


def read_theirs(drawn: Drawn, path: Path) -> ndarray:
    """Read with highdicom: all segments, combined, on the CT's slices."""
    headers = sorted(drawn.headers, key=lambda header: float(header.ImagePositionPatient[2]))
    read = hd.seg.segread(path)
    return read.get_pixels_by_source_instance(
        [header.SOPInstanceUID for header in headers],
        combine_segments=True,
        ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=150)
    parser.add_argument("--structures", type=int, default=98)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn = Drawn.in_folder(folder, options.slices, options.structures)
        ours, theirs = folder / "medloop.dcm", folder / "highdicom.dcm"
        writing = in_turns(
            {
                "medloop": lambda: write_ours(drawn, ours),
                "highdicom": lambda: write_theirs(drawn, theirs),
            },
            options.runs,
        )
        note("written")
        sides: dict[str, Callable[[], object]] = {
            "medloop": lambda: read_ours(drawn, ours),
            "highdicom": lambda: read_theirs(drawn, theirs),
            "highdicom, medloop's file": lambda: read_theirs(drawn, ours),
        }
        for side, read in sides.items():
            same = np.array_equal(read(), drawn.labels.array)
            note(f"{side} reads labels that are {'the same' if same else 'OTHERS'}")
        reading = in_turns(sides, options.runs)
        sizes = {
            side: p.stat().st_size for side, p in (("medloop", ours), ("highdicom", theirs))
        }
    print(describe())
    print(f"{options.structures} structures, {options.slices} slices; at most {LIMIT_S} s each")
    found = {"write": writing, "read": reading}
    rows = [
        [step, side, median(times, side) / 1000, ratio(times, side, "medloop")]
        for step, times in found.items()
        for side in times
    ]
    print(table(["step", "side", "s", "of medloop's time"], rows))
    print(", ".join(f"{side} {size / 1e6:.0f} MB" for side, size in sizes.items()))
    if options.plot:
        seconds = {
            step: {side: median(times, side) / 1000 for side in times}
            for step, times in found.items()
        }
        bars(options.plot, seconds, "seconds")
