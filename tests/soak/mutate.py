"""Break DICOM files the way disks, networks and senders do, the same way for the same seed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

VR_NAMES = (
    b"AEASATCSDADSDTFDFLISLOLTOBODOFOLOWPNSHSLSQSSSTTMUIULUNUSUT"  # PS3.5 table 6.2-1, two each
)
VRS = tuple(VR_NAMES[at : at + 2] for at in range(0, len(VR_NAMES), 2))
INTERESTING = (0, 1, 2, 3, 7, 8, 16, 31, 32, 63, 64, 255, 256, 4096, 32767, 32768, 65535)
LENGTHS = (0, 1, 2, 3, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)

Mutation = Callable[[bytearray, np.random.Generator], None]


def mutated(sources: Sequence[Path], *, seed: int, number: int) -> tuple[Path, bytes]:
    """Return the source and the bytes of file `number` of the run with this seed."""
    rng = np.random.default_rng([seed, number])
    source = sources[int(rng.integers(len(sources)))]
    data = bytearray(source.read_bytes())
    for _ in range(int(rng.choice((1, 1, 1, 2, 3)))):
        if len(data) > 8:
            MUTATIONS[int(rng.integers(len(MUTATIONS)))](data, rng)
    return source, bytes(data)


def flip_bits(data: bytearray, rng: np.random.Generator) -> None:
    for _ in range(int(rng.choice((1, 2, 4, 32)))):
        data[_early(data, rng)] ^= 1 << int(rng.integers(8))


def overwrite(data: bytearray, rng: np.random.Generator) -> None:
    start = _early(data, rng)
    length = int(rng.choice((1, 4, 64)))
    data[start : start + length] = rng.bytes(length)


def truncate(data: bytearray, rng: np.random.Generator) -> None:
    del data[int(rng.integers(len(data))) :]


def remove(data: bytearray, rng: np.random.Generator) -> None:
    start = _early(data, rng)
    del data[start : start + int(rng.integers(1, 257))]


def repeat(data: bytearray, rng: np.random.Generator) -> None:
    start = _early(data, rng)
    piece = bytes(data[start : start + int(rng.integers(1, 1025))])
    data[start:start] = piece * int(rng.integers(1, 5))


def change_length(data: bytearray, rng: np.random.Generator) -> None:
    """Write another length into an element of explicit VR (PS3.5 7.1.2)."""
    place = _element(data, rng)
    value = int(rng.choice(LENGTHS))
    if data[place + 4 : place + 6] in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF"):
        data[place + 8 : place + 12] = value.to_bytes(4, "little")
    else:
        data[place + 6 : place + 8] = (value & 0xFFFF).to_bytes(2, "little")


def change_vr(data: bytearray, rng: np.random.Generator) -> None:
    place = _element(data, rng)
    data[place + 4 : place + 6] = VRS[int(rng.integers(len(VRS)))]


def change_value(data: bytearray, rng: np.random.Generator) -> None:
    """Write a number that code likes to trip over where the value begins."""
    place = _element(data, rng) + 8
    data[place : place + 2] = int(rng.choice(INTERESTING)).to_bytes(2, "little")


def swap_tags(data: bytearray, rng: np.random.Generator) -> None:
    first, second = _element(data, rng), _element(data, rng)
    data[first : first + 4], data[second : second + 4] = (
        data[second : second + 4],
        data[first : first + 4],
    )


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    overwrite,
    truncate,
    remove,
    repeat,
    change_length,
    change_vr,
    change_value,
    change_value,
    swap_tags,
)


def _early(data: bytearray, rng: np.random.Generator) -> int:
    """Choose a place, half of the time in the header, where it hurts."""
    end = len(data) if rng.random() < 0.5 else min(len(data), 2048)
    return int(rng.integers(end))


def _element(data: bytearray, rng: np.random.Generator) -> int:
    """Choose where an element of explicit VR seems to begin, or any place without one."""
    header = bytes(data[:8192])
    places = [
        at - 4 for vr in VRS if (at := header.find(vr, int(rng.integers(len(header))))) >= 4
    ]
    places = [place for place in places if place + 12 <= len(data)]
    return int(rng.choice(places)) if places else int(rng.integers(max(1, len(data) - 12)))
