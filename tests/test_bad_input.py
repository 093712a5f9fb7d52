"""Bad input, end to end: one clear line each, the rest still done, nothing half-written."""

import json
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from medloop.apps import analyze, bootstrap
from medloop.apps.cli import main
from tests.apps.fakes import OFFERS

A_CT = Path(get_testdata_file("CT_small.dcm"))


@pytest.fixture(autouse=True)
def _quick_analysis(monkeypatch):
    monkeypatch.setattr(bootstrap, "OFFERS", OFFERS)


def a_photograph(path: Path, *, side: int = 64, value: int = 90) -> Path:
    image = np.full((side, side, 3), value, np.uint8)
    image[: side // 2] //= 2
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


class Run:
    """What one command line did."""

    def __init__(self, tmp_path, capsys, *inputs, options=()):
        self.out = tmp_path / "out"
        before = sorted(path for path in tmp_path.rglob("*"))
        self.code = main(["analyze", *map(str, inputs), "-o", str(self.out), *options])
        captured = capsys.readouterr()
        self.stdout, self.lines = captured.out, captured.err.splitlines()
        self.rows = json.loads((self.out / "summary.json").read_text("utf-8"))["results"]
        strangers = [
            p for p in tmp_path.rglob("*") if p not in before and self.out not in p.parents
        ]
        assert strangers in ([], [self.out]), "something was written outside OUT"
        assert not [p for p in self.out.rglob("*") if p.name.startswith(".")], "half-written"
        for row in self.rows:
            assert set(row) == {"input", "study", "analysis", "outcome", "reason", "path"}
            assert bool(row["path"]) == (row["outcome"] == "done") == (not row["reason"])
            assert "\n" not in row["reason"]
        not_done = sum(row["outcome"] != "done" for row in self.rows)
        assert len(self.lines) == (not_done if self.rows else 1)
        assert not any("Traceback" in line for line in self.lines)

    def outcomes(self):
        return sorted(row["outcome"] for row in self.rows)

    def reasons(self):
        return " | ".join(row["reason"] for row in self.rows)


def empty(path):
    path.write_bytes(b"")


def random_bytes(path):
    path.write_bytes(np.random.default_rng(7).bytes(5000))


def text_in_a_jpeg_name(path):
    path.write_text("dear colleague, please find attached\n")


def half_a_png(path):
    whole = a_photograph(path.with_suffix(".png"), side=200).read_bytes()
    path.with_suffix(".png").unlink()
    path.write_bytes(whole[: len(whole) // 2])


def half_a_jpeg_header(path):
    path.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF")


def dicom_without_its_end(path):
    path.write_bytes(A_CT.read_bytes()[:300])


def only_the_dicom_prefix(path):
    path.write_bytes(bytes(128) + b"DICM")


def broken_zip(path):
    path.write_bytes(b"PK\x03\x04" + bytes(100))


def climbing_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../climbed.png", b"x")


def zip_that_claims_100_gb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.dcm", bytes(1000))
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    name_length = struct.unpack_from("<H", data, entry + 28)[0]
    struct.pack_into("<I", data, entry + 24, 0xFFFFFFFF)  # the size stands in the extra field
    extra = struct.pack("<HHQ", 1, 8, 100 * 1024**3)
    struct.pack_into("<H", data, entry + 30, len(extra))
    data[entry + 46 + name_length : entry + 46 + name_length] = extra
    end = data.rindex(b"PK\x05\x06")
    size = struct.unpack_from("<I", data, end + 12)[0]
    struct.pack_into("<I", data, end + 12, size + len(extra))
    path.write_bytes(bytes(data))


def zip_of_zeros(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("zeros.dcm", bytes(128 << 20))


def picture_of_40_000_pixels_a_side(path):
    side = 40_000
    row = b"\x00" + bytes(side // 8)
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(row * 1000) for _ in range(side // 1000)) + packer.flush()

    def chunk(kind, body):
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


BAD = {
    "empty.jpg": empty,
    "empty.dcm": empty,
    "random.png": random_bytes,
    "random": random_bytes,
    "letter.jpg": text_in_a_jpeg_name,
    "half.png.bin": half_a_png,
    "head.jpg": half_a_jpeg_header,
    "half.dcm": dicom_without_its_end,
    "prefix.dcm": only_the_dicom_prefix,
    "broken.zip": broken_zip,
    "climbing.zip": climbing_zip,
    "claims.zip": zip_that_claims_100_gb,
    "huge.png": picture_of_40_000_pixels_a_side,
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_one_line_and_the_good_one_is_still_done(name, tmp_path, capsys):
    BAD[name](tmp_path / name)
    good = a_photograph(tmp_path / "good.png")
    run = Run(tmp_path, capsys, tmp_path / name, good)
    assert run.code == 3
    assert run.outcomes() == ["done", "failed"]
    failed = next(row for row in run.rows if row["outcome"] == "failed")
    assert Path(failed["input"]).name.startswith(name)


@pytest.mark.slow
def test_a_zip_that_unpacks_to_far_more_than_it_weighs_is_refused(tmp_path, capsys):
    zip_of_zeros(tmp_path / "zeros.zip")
    run = Run(tmp_path, capsys, tmp_path / "zeros.zip")
    assert (run.code, run.outcomes()) == (3, ["failed"])


def test_a_climbing_zip_writes_nothing_above_its_folder(tmp_path, capsys):
    climbing_zip(tmp_path / "climbing.zip")
    Run(tmp_path, capsys, tmp_path / "climbing.zip")
    assert not list(tmp_path.parent.rglob("climbed.png"))


def test_a_picture_under_a_wrong_name_is_read_for_what_it_is(tmp_path, capsys):
    renamed = a_photograph(tmp_path / "eye.png").rename(tmp_path / "eye.dcm")
    run = Run(tmp_path, capsys, renamed)
    assert (run.code, run.outcomes()) == (0, ["done"])


def test_a_picture_of_one_pixel_is_unsuitable(tmp_path, capsys):
    run = Run(tmp_path, capsys, a_photograph(tmp_path / "dot.png", side=1, value=3))
    assert (run.code, run.outcomes()) == (4, ["skipped"])


def test_a_volume_of_nothing_but_nan_gets_one_line(tmp_path, capsys):
    volume = nib.Nifti1Image(np.full((4, 4, 4), np.nan, np.float32), np.eye(4))
    nib.save(volume, tmp_path / "nan.nii.gz")
    run = Run(tmp_path, capsys, tmp_path / "nan.nii.gz")
    assert run.code in (3, 4)
    assert len(run.rows) == 1


def test_a_path_that_does_not_exist_is_named(tmp_path, capsys):
    run = Run(tmp_path, capsys, tmp_path / "nowhere.jpg", a_photograph(tmp_path / "eye.jpg"))
    assert (run.code, run.outcomes()) == (3, ["done", "failed"])


def test_one_broken_file_of_fifty_does_not_stop_the_others(tmp_path, capsys):
    folder = tmp_path / "study"
    for number in range(47):
        a_photograph(folder / f"dark-{number:02}.png", value=2 * (number % 4))
    for number in range(2):
        a_photograph(folder / f"eye-{number}.jpg", value=90 + number)
    empty(folder / "broken.jpg")
    run = Run(tmp_path, capsys, folder)
    assert run.code == 3
    assert [run.outcomes().count(kind) for kind in ("done", "skipped", "failed")] == [2, 47, 1]


def test_a_series_with_one_broken_slice_is_still_indexed(tmp_path, capsys):
    folder = tmp_path / "series"
    folder.mkdir()
    shutil.copy(A_CT, folder / "1.dcm")
    dicom_without_its_end(folder / "2.dcm")
    run = Run(tmp_path, capsys, folder)
    assert run.code == 3
    assert run.outcomes() == ["failed", "skipped"]


def test_an_empty_folder_suits_no_analysis(tmp_path, capsys):
    (tmp_path / "nothing").mkdir()
    run = Run(tmp_path, capsys, tmp_path / "nothing")
    assert run.code in (3, 4)


def test_a_truncated_picture_is_refused_also_after_a_report_was_printed(tmp_path, capsys):
    half_a_png(tmp_path / "z.bin")
    good = a_photograph(tmp_path / "good.png")
    run = Run(tmp_path, capsys, good, tmp_path / "z.bin")
    assert run.outcomes() == ["done", "failed"]


def test_everything_unsuitable_exits_4(tmp_path, capsys):
    run = Run(tmp_path, capsys, A_CT)
    assert (run.code, run.outcomes()) == (4, ["skipped"])


def test_json_prints_the_summary_alone_on_stdout(tmp_path, capsys):
    empty(tmp_path / "empty.jpg")
    good = a_photograph(tmp_path / "good.png")
    run = Run(tmp_path, capsys, good, tmp_path / "empty.jpg", options=["--json"])
    assert json.loads(run.stdout) == json.loads((run.out / "summary.json").read_text("utf-8"))


def test_results_of_an_earlier_run_are_replaced_and_nothing_else_is_touched(tmp_path, capsys):
    good = a_photograph(tmp_path / "good.png")
    first = Run(tmp_path, capsys, good)
    folder = first.out / first.rows[0]["path"]
    (folder / "stale.txt").write_text("from before")
    (first.out / "mine.txt").write_text("keep")
    (folder.parent / "other").mkdir()
    Run(tmp_path, capsys, good)
    assert not (folder / "stale.txt").exists()
    assert (first.out / "mine.txt").read_text() == "keep"
    assert (folder.parent / "other").is_dir()


def test_out_that_is_a_file_is_a_usage_error(tmp_path, capsys):
    good = a_photograph(tmp_path / "good.png")
    assert main(["analyze", str(good), "-o", str(good)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_interruption_exits_130_and_leaves_nothing_half_written(
    tmp_path, monkeypatch, capsys
):
    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(analyze, "write_products", interrupted)
    out = tmp_path / "out"
    good = a_photograph(tmp_path / "good.png")
    assert main(["analyze", str(good), "-o", str(out)]) == 130
    assert not [path for path in out.rglob("*") if path.is_file()]
    assert capsys.readouterr().err == "medloop: interrupted\n"


@pytest.mark.slow
def test_the_installed_command_prints_no_traceback(tmp_path):
    empty(tmp_path / "empty.dcm")
    random_bytes(tmp_path / "random.zip")
    command = [
        sys.executable,
        "-c",
        "import sys; from medloop.apps.cli import main; sys.exit(main())",
    ]
    done = subprocess.run(
        [
            *command,
            "analyze",
            str(tmp_path / "empty.dcm"),
            str(tmp_path / "random.zip"),
            "-o",
            str(tmp_path / "out"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 2


def test_a_photograph_whose_pixels_are_cut_off_fails_when_it_is_read(tmp_path, capsys):
    image = pydicom.Dataset()
    image.file_meta = pydicom.dataset.FileMetaDataset()
    image.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    image.SOPInstanceUID, image.StudyInstanceUID, image.SeriesInstanceUID = (
        "2.25.1",
        "2.25.2",
        "2.25.3",
    )
    image.Modality, image.Rows, image.Columns = "OP", 64, 64
    image.SamplesPerPixel, image.PhotometricInterpretation = 3, "RGB"
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    image.PixelRepresentation, image.PlanarConfiguration = 0, 0
    image.PixelData = bytes([90]) * (64 * 64 * 3)
    whole, cut = tmp_path / "whole.dcm", tmp_path / "cut.dcm"
    image.save_as(whole, enforce_file_format=True)
    cut.write_bytes(whole.read_bytes()[:-5000])
    whole.unlink()
    run = Run(tmp_path, capsys, cut, a_photograph(tmp_path / "good.png"))
    assert (run.code, run.outcomes()) == (3, ["done", "failed"])
