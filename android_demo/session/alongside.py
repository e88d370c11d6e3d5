"""Watching a device while a model runs on it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bnext_keras.errors import DeviceError

T = TypeVar("T")


@contextmanager
def alongside(look: Callable[[], T], every: float) -> Iterator[list[T]]:
    """Looks again and again while the block runs, in another thread; gives the list of what was found.

    A look that fails ends the looking: the block, which uses the same device, meets the same error.

    Args:
        look: Asks the device.
        every: Seconds before the first look, and between the end of one and the next.
    """
    found: list[T] = []
    over = threading.Event()

    def go_on():
        while not over.wait(every):
            try:
                found.append(look())
            except DeviceError:
                return

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join(timeout=30)
