"""What pynetdicom leaves behind: a socket that could not connect is closed when collected."""

import pytest

from tests.dicom.written import a_result_folder
from tests.peers import forget_sockets


@pytest.fixture(autouse=True)
def no_socket_for_the_next_test():
    yield
    forget_sockets()


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    return a_result_folder(tmp_path_factory.mktemp("products"))
