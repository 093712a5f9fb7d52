"""What holds for every test: no test fails for being slow on a busy machine."""

import logging
import os
import resource
import signal

import pytest
from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:  # a worker has one core
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# gRPC's handlers for fork() crash children of a process that runs one of its servers.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: a file packed now differs from one packed in a second."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """Give every test the logging that a fresh process has: libraries turn it off."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.WARNING)  # OpenVINO raises it where a network is converted
    logging.disable(logging.NOTSET)  # forgets what each logger remembers of it, too
    for name, logger in root.manager.loggerDict.items():
        if name.partition(".")[0] == "medloop" and isinstance(logger, logging.Logger):
            logger.disabled, logger.propagate = False, True
            logger.setLevel(logging.NOTSET)
    for handler in root.handlers:  # pytest's serve the whole session
        handler.setLevel(logging.NOTSET)
    yield
    logging.disable(logging.NOTSET)
    root.setLevel(before)


@pytest.fixture
def small_files():
    """Let no file grow over 100 kB, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)
