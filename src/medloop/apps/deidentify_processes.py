"""Processes that clean files beside each other, and say nothing of their own."""

import signal
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def processes(jobs: int) -> ProcessPoolExecutor:
    """Start processes; Ctrl-C is left to the first one, and libraries' remarks to nobody."""
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_be_quiet)


def _be_quiet() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")  # they may quote values
