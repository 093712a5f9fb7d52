import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from medloop.core.errors import InputError
from medloop.files.pictures import read_picture

COLORS = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3)
DEEP = COLORS.astype(np.uint16) * 800 + 3


def saved(tmp_path, image, name="p.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def a_png_header(width, height):
    """The beginning of a PNG that promises this size, without any pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data))
            + kind
            + data
            + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100)))


@pytest.mark.parametrize("name", ["p.png", "p.tif"])
def test_rgb_is_read_as_it_was_stored(tmp_path, name):
    path = saved(tmp_path, Image.fromarray(COLORS), name)
    np.testing.assert_array_equal(read_picture(path).array, COLORS)


def test_gray_has_no_third_axis(tmp_path):
    assert read_picture(saved(tmp_path, Image.fromarray(COLORS[..., 0]))).array.shape == (6, 4)


def test_a_palette_becomes_rgb(tmp_path):
    image = Image.fromarray(COLORS).convert("P")
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(read_picture(saved(tmp_path, image)).array, expected)


def test_what_is_transparent_becomes_black(tmp_path):
    rgba = np.dstack([COLORS, np.full((6, 4), 255, np.uint8)])
    rgba[0, 0, 3] = 0
    array = read_picture(saved(tmp_path, Image.fromarray(rgba))).array
    assert array[0, 0].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(array[1:], COLORS[1:])


@pytest.mark.parametrize("name", ["p.png", "p.tif"])
@pytest.mark.parametrize("array", [DEEP, DEEP[..., 0]], ids=["rgb", "gray"])
def test_sixteen_bits_stay_sixteen_bits(tmp_path, name, array):
    cv2.imwrite(str(tmp_path / name), array[..., ::-1] if array.ndim == 3 else array)
    read = read_picture(tmp_path / name).array
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, array)


TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("name", ["p.png", "p.tif"])
def test_exif_orientation_is_undone(tmp_path, orientation, name):
    exif = Image.Exif()
    exif[274] = orientation
    path = saved(tmp_path, Image.fromarray(COLORS), name, exif=exif)
    np.testing.assert_array_equal(read_picture(path).array, TURNS[orientation](COLORS))


@pytest.mark.parametrize("orientation", TURNS)
def test_deep_tiff_is_upright_too(tmp_path, orientation):
    tifffile = pytest.importorskip("tifffile")
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite(tmp_path / "p.tif", DEEP, photometric="rgb", extratags=[tag])
    np.testing.assert_array_equal(
        read_picture(tmp_path / "p.tif").array, TURNS[orientation](DEEP)
    )


def test_one_pixel_is_a_picture(tmp_path):
    assert read_picture(saved(tmp_path, Image.new("RGB", (1, 1)))).size == (1, 1)


@pytest.mark.parametrize(
    ("width", "height", "limit"),
    [
        (40_000, 40_000, "1600000000 pixels; the limit is 150 million"),
        (40_000, 10, "40000 x 10 pixels; the limit is 20000 pixels a side"),
        (
            15_000,
            11_000,
            "15000 x 11000 pixels; the limit is 20000 pixels a side and 150 million",
        ),
    ],
)
def test_a_picture_too_large_is_refused_by_its_header(tmp_path, width, height, limit):
    path = tmp_path / "p.png"
    path.write_bytes(a_png_header(width, height))
    with pytest.raises(InputError, match=limit):
        read_picture(path)


@pytest.mark.parametrize("name", ["p.png", "p.jpg", "p.tif"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_a_truncated_picture_is_one_line(tmp_path, name, share):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError) as caught:
        read_picture(path)
    assert "\n" not in str(caught.value)


def test_floating_point_tiff_is_refused(tmp_path):
    path = saved(tmp_path, Image.fromarray(np.ones((3, 3), np.float32)), "p.tif")
    with pytest.raises(InputError, match="floating-point values 1 to 1"):
        read_picture(path)


def test_what_has_no_header_is_named_without_its_path(tmp_path):
    path = tmp_path / "Wang Xiaodong.jpg"
    path.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match="header is damaged or truncated") as caught:
        read_picture(path)
    assert "Wang" not in str(caught.value)


def test_a_stereo_jpeg_gives_its_first_picture(tmp_path):
    path = tmp_path / "p.jpg"
    first = Image.fromarray(np.full((8, 8, 3), 90, np.uint8))
    first.save(path, format="MPO", save_all=True, append_images=[first])
    assert read_picture(path).size == (8, 8)
