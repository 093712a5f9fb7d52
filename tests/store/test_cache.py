"""A cache gives back what it was given, or nothing, and stays within its bound."""

import hashlib
import os
import time

import pytest

from medloop.core.errors import ServiceError
from medloop.store.cache import Cache


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", max_bytes=1000)


def put(cache, tmp_path, uid, content, *, age_s=0.0):
    (tmp_path / "file").write_bytes(content)
    path, _ = cache.put(uid, tmp_path / "file")
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_what_was_put_in_is_found_with_its_hash(cache, tmp_path):
    path = put(cache, tmp_path, "1.2", b"content")
    assert cache.find("1.2") == (path, hashlib.sha256(b"content").hexdigest())
    assert cache.find("1.3") is None


def test_what_was_damaged_is_forgotten(cache, tmp_path):
    path = put(cache, tmp_path, "1.2", b"content")
    path.write_bytes(b"damaged")
    assert cache.find("1.2") is None
    assert not path.exists()


def test_what_was_not_used_longest_goes_first_until_the_rest_fits(cache, tmp_path):
    for number in range(4):
        put(cache, tmp_path, f"1.{number}", bytes(400), age_s=10_000 - number)
    cache.find("1.0")
    assert cache.shrink() == 2
    found = [number for number in range(4) if cache.find(f"1.{number}")]
    assert found == [0, 3]


def test_what_is_in_use_stays_beyond_the_bound(cache, tmp_path):
    for number in range(4):
        put(cache, tmp_path, f"1.{number}", bytes(400))
    assert cache.shrink() == 0


def test_names_of_uids_lead_nowhere(cache, tmp_path):
    path = put(cache, tmp_path, "../../etc/passwd", b"x")
    assert path.is_relative_to(tmp_path / "cache")


def test_a_disk_that_fails_is_trouble_outside(cache, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(ServiceError, match="cache cannot be"):
        cache.put("1.2", tmp_path / "file")
