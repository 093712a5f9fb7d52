"""What goes over the network is small, and its size tells nothing."""

import pytest

from medloop.store.users import Role


@pytest.fixture
def client(node):
    return node.program(Role.ADMINISTRATOR)


def length(answer):
    """Bytes that came over the network."""
    return int(answer.headers["content-length"])


def test_pages_and_scripts_are_compressed_for_those_who_understand_it(client):
    for path in ("/models", "/static/base.css", "/static/shell.js"):
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        small = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in plain.headers
        if len(plain.content) > 1000:
            assert small.headers["content-encoding"] == "gzip"
            assert "accept-encoding" in small.headers["vary"].lower()
            assert length(small) < len(plain.content) / 2


def test_the_size_of_a_page_differs_from_time_to_time(client):
    sizes = {length(client.get("/login")) for _ in range(12)}
    assert len(sizes) > 3


def test_static_files_are_kept_for_ever_under_their_version(client):
    page = client.get("/models").text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    answer = client.get(address)
    assert "immutable" in answer.headers["cache-control"]
