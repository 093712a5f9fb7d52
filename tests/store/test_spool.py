"""What the spool has acknowledged is there after any end of the process, and once."""

import hashlib
import os
import sys
import threading

import pytest

from medloop.core.errors import ServiceError
from medloop.store import segments
from medloop.store.spool import Flush, Spool

MIB = 1 << 20


@pytest.fixture
def spool(tmp_path):
    made = a_spool(tmp_path)
    yield made
    made.close()


def a_spool(tmp_path, **more) -> Spool:
    return Spool(tmp_path / "spool", **{"reserve_bytes": 0, "segment_bytes": 4 * MIB} | more)


def keep(spool: Spool, data: bytes, source: str = "CT1") -> str:
    incoming = spool.open(source)
    for start in range(0, len(data), 1000):
        incoming.write(data[start : start + 1000])
    return incoming.keep()


def take(spool: Spool, limit: int = 1000) -> list[bytes]:
    """Read and note everything, as the indexer does."""
    with spool.reading():
        found = spool.waiting(limit)
        objects = [b"".join(each.chunks()) for each in found]
        spool.done(found)
        spool.sweep()
    return objects


def test_what_was_kept_is_read_once_and_in_order(spool):
    objects = [os.urandom(n) for n in (1, 4095, 4096, 4097, 300_000)]
    digests = [keep(spool, each) for each in objects]
    assert digests == [hashlib.sha256(each).hexdigest() for each in objects]
    assert take(spool) == objects
    assert take(spool) == []


def test_the_source_comes_with_the_object(spool):
    keep(spool, b"object", "CT 一")
    with spool.reading():
        (found,) = spool.waiting(10)
    assert (found.head.source, found.head.size) == ("CT 一", 6)


def test_what_was_not_kept_is_not_read(spool):
    keep(spool, b"first")
    dropped = spool.open("CT1")
    dropped.write(b"x" * 50_000)
    assert take(spool) == [b"first"]
    dropped.drop()
    keep(spool, b"second")
    assert take(spool) == [b"second"]


def test_bytes_that_look_like_a_record_are_no_record(spool):
    """What a dropped object has left behind a shorter one is not mistaken for more."""
    forged = segments.seal(b"g" * 16, 5, b"d" * 32, b"evil").ljust(4096, b"\0") * 20
    dropped = spool.open("CT1")
    dropped.write(forged)
    dropped.drop()
    keep(spool, b"short")
    assert take(spool) == [b"short"]


def test_a_new_process_reads_what_another_left(tmp_path):
    left = a_spool(tmp_path)
    keep(left, b"one")
    under_way = left.open("CT1")
    under_way.write(b"never acknowledged")
    left.close()
    assert take(a_spool(tmp_path)) == [b"one"]


def test_a_reader_that_forgot_reads_again(tmp_path, spool):
    keep(spool, b"one")
    assert take(spool) == [b"one"]
    assert take(a_spool(tmp_path)) == [b"one"]


def test_a_record_that_was_torn_ends_the_segment(spool, tmp_path):
    keep(spool, b"whole")
    keep(spool, b"torn")
    spool.close()
    (path,) = (tmp_path / "spool").glob("*.segment")
    with path.open("r+b") as file:
        file.seek(3 * 4096 + 20)  # in the first page of the second record
        file.write(b"\xff" * 8)
    assert take(spool) == [b"whole"]


def test_segments_are_used_again(spool, tmp_path):
    spool.prepare(1)
    for n in range(12):
        keep(spool, bytes([n]) * MIB)
        assert take(spool) == [bytes([n]) * MIB]
    assert len(list((tmp_path / "spool").glob("*.segment"))) <= 4


def test_nothing_of_a_segment_that_is_used_again_comes_back(spool, tmp_path):
    spool.prepare(1)
    for n in range(3):
        keep(spool, bytes([n]) * MIB)
    take(spool)
    spool.close()
    take(spool)
    keep(spool, b"new")
    assert take(a_spool(tmp_path)) == [b"new"]


def test_many_threads_keep_objects_at_once(spool):
    def send(name: int) -> None:
        for n in range(5):
            keep(spool, f"{name}.{n}".encode() * 2000)

    threads = [threading.Thread(target=send, args=(name,)) for name in range(8)]
    for each in threads:
        each.start()
    seen = []
    while any(each.is_alive() for each in threads):
        seen += take(spool)
    seen += take(spool)
    wanted = [f"{name}.{n}".encode() * 2000 for name in range(8) for n in range(5)]
    assert sorted(seen) == sorted(wanted)


def test_an_object_larger_than_a_segment_is_kept(spool):
    large = os.urandom(6 * MIB)
    incoming = spool.open("CT1")
    incoming.write(large)
    incoming.keep()
    keep(spool, b"after it")
    assert sorted(map(len, take(spool))) == [8, 6 * MIB]


def test_a_disk_near_its_reserve_takes_nothing(tmp_path):
    full = a_spool(tmp_path, reserve_bytes=1 << 60)
    with pytest.raises(ServiceError, match="full"):
        full.open("CT1")


def test_a_disk_that_fills_up_keeps_what_was_there(tmp_path, small_files):
    spool = a_spool(tmp_path)
    keep(spool, b"x" * 10_000)
    incoming = spool.open("CT1")
    with pytest.raises(ServiceError, match="written"):
        incoming.write(b"x" * 200_000)
    incoming.drop()
    assert take(spool) == [b"x" * 10_000]
    spool.close()


def test_later_flushes_survive_the_end_of_the_process(tmp_path):
    spool = a_spool(tmp_path, flush=Flush.LATER)
    keep(spool, b"one")
    spool.close()
    assert take(a_spool(tmp_path)) == [b"one"]


def test_there_is_one_reader_at_a_time(spool, tmp_path):
    other = a_spool(tmp_path)
    order = []

    def read() -> None:
        with other.reading():
            order.append("second")

    with spool.reading():
        thread = threading.Thread(target=read)
        thread.start()
        thread.join(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_the_disk_begins_with_whole_pages_and_what_was_written_stands(tmp_path):
    path, data = tmp_path / "segment", bytes(range(256)) * 2048
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        segments.write(handle, data, 0)
        assert segments.begin_flush(handle, 0, 5000) == 0  # too little to be worth a call
        begun = segments.begin_flush(handle, 4096, len(data) - 100)
        expected = len(data) - 4096 if sys.platform == "linux" else 4096
        assert begun == expected
        assert segments.begin_flush(handle, begun, len(data)) == begun
    finally:
        os.close(handle)
    assert path.read_bytes() == data
