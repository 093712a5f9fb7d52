"""Send malformed associations and PDUs; the receiver must stay up, keep nothing, and not grow.

python -m tests.soak.pdus --count 10000 --seed 1
"""

import argparse
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.dsutils import encode

from medloop.store.spool import Spool
from tests.dicom.net.inlets import store
from tests.dicom.slices import a_slice, save
from tests.peers import free_port, wait_until

VERIFICATION = "1.2.840.10008.1.1"
COMMITMENT = "1.2.840.10008.1.20.1"
IMPLICIT = "1.2.840.10008.1.2"
CONTEXTS = {1: (CTImageStorage, ExplicitVRLittleEndian), 3: (VERIFICATION, IMPLICIT)}
CONTEXTS |= {5: (COMMITMENT, IMPLICIT)}
AT_ONCE = 4


@dataclass
class Figures:
    """What came of one run."""

    sent: int = 0
    answered: int = 0
    grown_mb: float = 0.0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body)) + body


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def a_request() -> bytes:
    """A-ASSOCIATE-RQ (PS3.8 9.3.2)."""
    contexts = b"".join(
        item(0x20, bytes([n, 0, 0, 0]) + item(0x30, a.encode()) + item(0x40, t.encode()))
        for n, (a, t) in CONTEXTS.items()
    )
    more = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3.4")
    titles = struct.pack(">HH16s16s32x", 1, 0, b"MEDLOOP".ljust(16), b"FUZZ".ljust(16))
    return pdu(1, titles + item(0x10, b"1.2.840.10008.3.1.1.1") + contexts + item(0x50, more))


def a_fragment(context: int, control: int, data: bytes) -> bytes:
    return struct.pack(">IBB", len(data) + 2, context, control) + data


def a_command(message: int, sop_class: str, uid: str, *, has_data: bool) -> bytes:
    """A command set (PS3.7 E.1) of a C- or N- request."""
    is_normal = message == 0x0130
    fields: list[tuple[int, bytes]] = [
        (0x0003 if is_normal else 0x0002, sop_class.encode()),
        (0x0100, struct.pack("<H", message)),
        (0x0110, struct.pack("<H", 1)),
        (0x0800, struct.pack("<H", 0 if has_data else 0x0101)),
        (0x1001 if is_normal else 0x1000, uid.encode()),
    ]
    if is_normal:
        fields.append((0x1008, struct.pack("<H", 1)))
    body = b"".join(
        struct.pack("<HHI", 0, tag, len(raw) + len(raw) % 2) + raw + b"\0" * (len(raw) % 2)
        for tag, raw in fields
    )
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def conversation() -> list[bytes]:
    """One of each: association, echo, object, request for commitment, release."""
    piece = a_slice()
    data = encode(piece, is_implicit_vr=False, is_little_endian=True) or b""
    uid = str(piece.SOPInstanceUID)
    half = len(data) // 2
    echo = a_command(0x0030, VERIFICATION, "", has_data=False)
    c_store = a_command(0x0001, CTImageStorage, uid, has_data=True)
    action = a_command(0x0130, COMMITMENT, "1.2.840.10008.1.20.1.1", has_data=True)
    asked = struct.pack("<HHI", 8, 0x1195, 8) + b"1.2.3.4\0"
    return [
        a_request(),
        pdu(4, a_fragment(3, 3, echo)),
        pdu(4, a_fragment(1, 3, c_store)),
        pdu(4, a_fragment(1, 0, data[:half])),
        pdu(4, a_fragment(1, 2, data[half:])),
        pdu(4, a_fragment(5, 3, action) + a_fragment(5, 2, asked)),
        pdu(5, bytes(4)),
    ]


def mutated(rng: random.Random) -> list[bytes]:
    """Spoil a conversation: bytes, lengths, order, types, or what it says altogether."""
    parts = conversation()
    for _ in range(rng.randint(1, 3)):
        n = rng.randrange(len(parts)) if rng.random() < 0.8 else 0
        parts[n] = _spoil(bytearray(parts[n]), rng)
    chance = rng.random()
    if chance < 0.1:
        rng.shuffle(parts)
    elif chance < 0.2:
        parts.insert(rng.randrange(len(parts)), rng.randbytes(rng.randint(1, 400)))
    elif chance < 0.3:
        parts = parts[: rng.randint(1, len(parts))]
    elif chance < 0.35:
        parts = [parts[0], *rng.choices(parts, k=10)]
    return parts


def _spoil(part: bytearray, rng: random.Random) -> bytes:
    if len(part) < 16:  # it was cut before
        return bytes(part) + rng.randbytes(16)
    kind = rng.randrange(6)
    if kind == 0:
        for _ in range(rng.randint(1, 8)):
            part[rng.randrange(len(part))] = rng.randrange(256)
    elif kind == 1:
        del part[rng.randrange(len(part)) :]
    elif kind == 2:
        struct.pack_into(">I", part, 2, rng.choice([0, 1, 5, 70_000, 2**31, 2**32 - 1]))
    elif kind == 3:
        part[0] = rng.randrange(256)
    elif kind == 4:
        at = rng.randrange(len(part))
        part[at:at] = rng.randbytes(rng.randint(1, 64))
    else:
        at = rng.randrange(6, len(part) - 4)
        struct.pack_into(">I", part, at, rng.choice([0, 1, 2**16, 2**31, 2**32 - 1]))
    return bytes(part)


def speak(port: int, parts: list[bytes]) -> bool:
    """Say all of it, listen for a moment; True if anything was answered."""
    heard = False
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.settimeout(0.05)
            for part in parts:
                connection.sendall(part)
                try:
                    heard = bool(connection.recv(4096)) or heard
                except TimeoutError:
                    continue
    except OSError:  # sent away, as it should be
        return heard
    return heard


def memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def run(
    folder: Path, *, count: int, seed: int, say: Callable[[str], None] = lambda _line: None
) -> Figures:
    """Send so many spoiled conversations; returns what became of the receiver."""
    figures, port, began = Figures(), free_port(), time.monotonic()
    program = [sys.executable, "-m", "tests.soak.quick_receiver", "receive", str(folder)]
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen([*program, str(port)], stdout=log, stderr=log)
    try:
        wait_until((folder / "ready").exists, timeout_s=60)
        _talk(port, process.pid, figures, count=count, seed=seed, say=say)
        if process.poll() is not None:
            figures.problems.append(f"the receiver ended with {process.returncode}")
        else:
            _is_alive(port, figures)
    finally:
        process.terminate()
        process.wait(30)
    if process.returncode:
        figures.problems.append(f"the receiver ended with {process.returncode} when told to")
    if b"Traceback" in (folder / "output.log").read_bytes():
        figures.problems.append("the receiver printed a traceback")
    figures.seconds = time.monotonic() - began
    return figures


def _talk(
    port: int,
    pid: int,
    figures: Figures,
    *,
    count: int,
    seed: int,
    say: Callable[[str], None],
) -> None:
    start_mb = 0.0
    lock = threading.Lock()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for first, size in _batches(count):
            rngs = [random.Random(f"{seed}.{n}") for n in range(first, first + size)]  # noqa: S311
            for heard in pool.map(lambda rng: speak(port, mutated(rng)), rngs):
                with lock:
                    figures.sent += 1
                    figures.answered += heard
            if not start_mb and figures.sent >= count // 5:
                start_mb = memory_mb(pid)
            say(f"{figures.sent} of {count} sent, {memory_mb(pid):.0f} MB")
    figures.grown_mb = memory_mb(pid) - start_mb


def _batches(count: int) -> Iterator[tuple[int, int]]:
    for first in range(0, count, 50):
        yield first, min(50, count - first)


def _is_alive(port: int, figures: Figures) -> None:
    piece = a_slice()
    save(piece, Path(os.devnull))
    for _ in range(40):  # spoiled associations may still hold their places
        try:
            if store(port, piece) == 0x0000:
                return
        except (AssertionError, RuntimeError, AttributeError):
            time.sleep(0.5)
    figures.problems.append("the receiver takes no object any more")


def kept(folder: Path) -> int:
    """How many objects are in the spool."""
    reader = Spool(folder / "spool")
    with reader.reading():
        return len(reader.waiting(1_000_000))


def main() -> int:
    """Run, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder), count=options.count, seed=options.seed, say=print)
        objects = kept(Path(folder))
    print(
        f"{figures.sent} sent in {figures.seconds:.0f} s, {figures.answered} answered, "
        f"{objects} objects kept, {figures.grown_mb:+.1f} MB; "
        + ("; ".join(figures.problems) or "no problem")
    )
    return 1 if figures.problems or figures.grown_mb > 50 else 0


if __name__ == "__main__":
    sys.exit(main())
