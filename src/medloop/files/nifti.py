"""NIfTI-1 and -2: between their RAS millimetres and (i, j, k), and our LPS and (k, j, i)."""

import gzip
import warnings
import zlib
from pathlib import Path
from typing import Final

import nibabel as nib
import numpy as np
from jaxtyping import Float, Shaped
from nibabel.spatialimages import HeaderDataError
from numpy import ndarray

from medloop.core.errors import FOREIGN_ERRORS, GeometryError, InputError
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.core.study import Notice

MAX_BYTES: Final = 2 * 1024**3

_RAS_TO_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
_MM: Final = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
_Header = nib.Nifti1Header  # NIfTI-2 derives from it


def read_nifti(path: Path) -> Volume:
    """Read a volume in DICOM patient LPS, voxels in the order they were stored.

    Raises
    ------
    InputError
        If it is damaged, has several time points or channels, is all NaN, or has no geometry.
    """
    return read_nifti_with_notices(path)[0]


def read_nifti_with_notices(path: Path) -> tuple[Volume, tuple[Notice, ...]]:
    """Read a volume, and say what was guessed or replaced; otherwise as `read_nifti`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"NIfTI cannot be read: {error}") from error
    return decode_nifti(data)


def decode_nifti(
    data: bytes, *, max_bytes: int = MAX_BYTES
) -> tuple[Volume, tuple[Notice, ...]]:
    """Read a volume from the bytes of a file, gzipped or not; as `read_nifti_with_notices`.

    One whose voxels take more than `max_bytes` is refused before it is unpacked.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            header, raw = _load(data, max_bytes)
            array = _stored(header, raw)
            affine, notices = _affine(header)
        except (*FOREIGN_ERRORS, HeaderDataError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
            raise InputError(f"NIfTI cannot be read: {reason}") from error
    array, replaced = _without_nan(array)
    array = np.ascontiguousarray(array.transpose(2, 1, 0))
    return Volume(array, Grid(array.shape, affine), "1"), notices + replaced


def write_nifti(array: Shaped[ndarray, "k j i"], grid: Grid, path: Path) -> None:
    """Write an array on its grid as NIfTI-1, gzipped where the name ends so.

    The same array and grid give the same bytes.
    """
    data = encode_nifti(array, grid)
    path.write_bytes(gzip.compress(data, 6, mtime=0) if path.suffix == ".gz" else data)


def encode_nifti(array: Shaped[ndarray, "k j i"], grid: Grid) -> bytes:
    """Return the bytes of an array on its grid as NIfTI-1."""
    affine = _RAS_TO_LPS @ grid.affine[:, [2, 1, 0, 3]]
    image = nib.Nifti1Image(array.transpose(2, 1, 0), affine, dtype=array.dtype)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1, strip_shears=True)
    data: bytes = image.to_bytes()
    return data


def _load(data: bytes, max_bytes: int) -> tuple[_Header, bytes]:
    """Read the header, then as many bytes as it promises: a bomb stops there."""
    packed = data[:2] == b"\x1f\x8b"
    head = _gunzip(data, 540) if packed else data[:540]
    header = _header(head)
    if header["magic"].tobytes()[:2] == b"ni" or int(header["vox_offset"]) < 348:
        raise InputError("NIfTI header comes without its image; one .nii file is read")
    size = _size(header, max_bytes)
    raw = _gunzip(data, size) if packed else data[:size]
    if len(raw) < size:
        raise InputError(f"NIfTI is truncated: {len(raw)} bytes of {size}")
    return header, raw


def _gunzip(data: bytes, size: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    return unpacker.decompress(data, size)


def _header(head: bytes) -> _Header:
    second = 540 in (int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big"))
    length = 540 if second else 348
    if len(head) < length:
        raise InputError(f"NIfTI is truncated: {len(head)} bytes of a {length}-byte header")
    kind = nib.Nifti2Header if second else nib.Nifti1Header
    header: _Header = kind(head[:length], check=False)  # type: ignore[no-untyped-call]
    return header


def _size(header: _Header, max_bytes: int) -> int:
    count = int(header["dim"][0])
    shape = [int(n) for n in header["dim"][1 : count + 1]]
    if not 2 <= count <= 7 or min(shape, default=0) < 1:
        raise InputError(f"NIfTI has shape {shape}; two or three dimensions are read")
    if any(n > 1 for n in shape[3:]):
        raise InputError(
            f"NIfTI holds {int(np.prod(shape[3:], dtype=float))} time points or channels"
            f" (shape {shape}); give one volume a file"
        )
    voxels = float(np.prod(shape, dtype=float))
    size = voxels * header.get_data_dtype().itemsize
    if size > max_bytes:
        raise InputError(
            f"NIfTI holds {size / 1e9:.1f} GB; the limit is {max_bytes / 1e9:.1f} GB"
        )
    return int(header["vox_offset"]) + int(size)


def _stored(header: _Header, raw: bytes) -> Shaped[ndarray, "i j k"]:
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise InputError(
            f"NIfTI holds {header.get_value_label('datatype')} values, not scalars"
        )
    shape = (*header.get_data_shape(), 1)[:3]
    array = np.frombuffer(raw, dtype, int(np.prod(shape)), int(header["vox_offset"]))
    array = array.reshape(shape, order="F").astype(dtype.newbyteorder("="), copy=False)
    slope, intercept = header.get_slope_inter()
    if slope not in (None, 1.0) or intercept not in (None, 0.0):
        return np.float32(slope) * array.astype(np.float32) + np.float32(intercept or 0)
    return array.astype(np.float32) if dtype.kind == "f" else array


def _affine(header: _Header) -> tuple[Float[ndarray, "4 4"], tuple[Notice, ...]]:
    notices: tuple[Notice, ...] = ()
    sform, s_code = header.get_sform(coded=True)
    qform, q_code = header.get_qform(coded=True)
    affine = sform if s_code else qform if q_code else header.get_base_affine()
    if affine is None or not np.isfinite(affine).all():
        raise GeometryError("NIfTI affine holds values that are not finite")
    if not s_code and not q_code:
        text = "The NIfTI file states no orientation; left and right may be exchanged."
        notices += (Notice("nifti-no-orientation", text),)
    elif s_code and q_code and not np.allclose(sform, qform, atol=1e-2):
        apart = float(np.abs(sform - qform).max())
        text = f"The two NIfTI orientations differ by up to {apart:.2f} mm; the sform was used."
        notices += (Notice("nifti-two-orientations", text, (("difference_mm", apart),)),)
    scale = _MM.get(header.get_xyzt_units()[0], 1.0)
    affine = np.diag([scale, scale, scale, 1.0]) @ affine
    return (_RAS_TO_LPS @ affine)[:, [2, 1, 0, 3]], notices


def _without_nan(
    array: Shaped[ndarray, "i j k"],
) -> tuple[Shaped[ndarray, "i j k"], tuple[Notice, ...]]:
    if array.dtype.kind != "f":
        return array, ()
    finite = np.isfinite(array)
    missing = int(array.size - np.count_nonzero(finite))
    if missing == 0:
        return array, ()
    if missing == array.size:
        raise InputError(f"volume holds no number: all {missing} voxels are NaN or infinite")
    low = float(array[finite].min())
    text = (
        f"{missing} voxels without a value (NaN or infinite) were set to the minimum, {low:g}."
    )
    notice = Notice("nan-replaced", text, (("voxels", missing), ("value", low)))
    return np.where(finite, array, np.float32(low)), (notice,)
