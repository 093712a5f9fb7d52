"""Batches drawn in a thread of their own, and taken in groups."""

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from torch import Tensor

Batch = tuple[Tensor, ...]


def ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Draw batches in a thread of their own, two in advance, while the network learns."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(2)
    stop = threading.Event()

    def put(item: Batch | BaseException | None) -> None:
        while not stop.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.2)
                return

    def draw() -> None:
        try:
            for batch in batches:
                put(batch)
                if stop.is_set():
                    return
            put(None)
        except BaseException as why:  # noqa: BLE001 (raised again where the batch is awaited)
            put(why)

    thread = threading.Thread(target=draw, daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()


def in_groups(batches: Iterator[Batch], size: int) -> Iterator[tuple[Batch, ...]]:
    """Take `size` batches together; the last group may be smaller."""
    while group := tuple(islice(batches, size)):
        yield group
