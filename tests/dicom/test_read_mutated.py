"""Broken bytes end in our own errors, quickly and in bounded memory."""

import time
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from tests.dicom.test_read_every_file import ending
from tests.memory import memory_kb

NAMES = (
    "CT_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_jp2klossless.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_small_odd_jpeg.dcm",
    "image_dfl.dcm",
    "liver_1frame.dcm",
    "reportsi.dcm",
    "examples_palette.dcm",
)
LIMIT_S = 10.0
LIMIT_KB = 2 * 1024**2


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Flip, cut, repeat or overwrite a few bytes; more often in the header than behind it."""
    array = bytearray(data)
    for _ in range(int(rng.integers(1, 12))):
        end = len(array) if rng.random() < 0.3 else min(len(array), 2500)
        at = int(rng.integers(0, max(end, 1)))
        match int(rng.integers(0, 5)):
            case 0:
                array[at : at + 1] = bytes([int(rng.integers(0, 256))])
            case 1:
                array[at : at + 4] = rng.integers(0, 256, 4, dtype=np.uint8).tobytes()
            case 2:
                array[at : at + 4] = rng.choice(
                    [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"]
                )
            case 3:
                del array[at : at + int(rng.integers(1, 40))]
            case _:
                array[at:at] = array[at : at + int(rng.integers(1, 40))]
    return bytes(array[: int(rng.integers(1, len(array) + 1))] if rng.random() < 0.1 else array)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_mutated_files_end_in_an_image_or_a_line(tmp_path, name):
    data = Path(get_testdata_file(name)).read_bytes()
    rng = np.random.default_rng(20)
    path = tmp_path / name
    before_kb = memory_kb("VmRSS")
    Path("/proc/self/clear_refs").write_text(
        "5"
    )  # forget what other tests took at their height
    for number in range(60):
        path.write_bytes(mutated(data, rng))
        started = time.monotonic()
        kind, reason = ending(path, tmp_path)
        assert time.monotonic() - started < LIMIT_S, number
        assert kind == "image" or (reason and "\n" not in reason), number
    assert memory_kb("VmHWM") - before_kb < LIMIT_KB
