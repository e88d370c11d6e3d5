"""Processes that prepare images, since threads of Python share one lock: four of them are all that one process can use.

They are those of `concurrent.futures`. What is special here is the memory through which images go: a file without a
name, which Linux takes back with the last process that has it open, however that one ended. It is not in ``/dev/shm``,
of which a container has 64 MB by default. A process imports a few small modules, TensorFlow not among them, and ends
with the one that started it.
"""

import mmap
import multiprocessing
import os
import pickle
import queue
import signal
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import ClassVar

from bnext_keras.data.locations import InMemory, Location
from bnext_keras.data.views import View, look

import numpy as np

#: Fewer cores are kept busy by threads, without the start and the memory of processes.
ENOUGH_FOR_THREADS = 4
#: How many images are asked for at a time: they share the cost of asking, about a millisecond where a process answers.
CHUNK = 16


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_processes() -> int:
    """How many processes suit this machine: one core is left for training; 0 stands for threads.

    Example:
        >>> 0 <= default_processes() < cores()
        True
    """
    return cores() - 1 if cores() > ENOUGH_FOR_THREADS and hasattr(os, "memfd_create") else 0


def check_processes(count: int) -> None:
    """Raises ValueError if there cannot be so many processes.

    Example:
        >>> check_processes(-1)
        Traceback (most recent call last):
        ...
        ValueError: processes must be 0 or more, got -1
    """
    if count < 0:
        raise ValueError(f"processes must be 0 or more, got {count}")
    if count and not hasattr(os, "memfd_create"):
        raise ValueError(f"processes={count}: processes need Linux; 0 takes threads")


class Processes:
    """So many processes that prepare images, each started when it is first needed.

    They end when nobody refers to this object any more, and with this process, even if that is killed.

    Args:
        count: How many there are.

    Raises:
        RuntimeError: if the system lacks what it takes to start some.
    """

    _shared: ClassVar[weakref.WeakValueDictionary] = weakref.WeakValueDictionary()
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, count: int):
        self.count = count
        self._broken = self._proved = False
        self._blocks: queue.SimpleQueue[_Block] = queue.SimpleQueue()
        # A fork of a process that runs TensorFlow hangs.
        context = multiprocessing.get_context("spawn")
        try:
            self._executor = ProcessPoolExecutor(count, mp_context=context, initializer=_end_with_parent)
        except OSError as error:
            raise _cannot_start(error) from error
        weakref.finalize(self, _end, self._executor)

    @classmethod
    def of(cls, count: int) -> "Processes":
        """Those that are there already, since training and validation take turns; or else new ones."""
        with cls._lock:
            found = cls._shared.get(count)
            if found is None or found._broken:
                found = cls._shared[count] = cls(count)
            return found

    def look(
        self,
        view: View,
        locations: Sequence[Location],
        epochs: Sequence[int],
        positions: Sequence[int],
    ) -> tuple[np.ndarray, list[int], list[str | None]]:
        """Does what `bnext_keras.data.views.look` does, in one of the processes; from any thread.

        Returns:
            The pixels, the labels, and what keeps each image from being read.

        Raises:
            RuntimeError: if a process was killed, there is no memory for images, or none could be started.
            LabelError: if a label is not one of the classes.
            Exception: whatever a view raises.
        """
        shape = (len(locations), *view.size, 3)
        taken = int(np.prod(shape)) * view.dtype.itemsize
        block = self._block()
        try:
            arranged, size = _arrange(locations, taken)
            block.reserve(size)
            for location, place in zip(locations, arranged, strict=True):
                if isinstance(location, InMemory) and isinstance(place, _Place):
                    image = location.image
                    content = image.tobytes() if isinstance(image, np.ndarray) else image
                    block.memory[place.start : place.start + place.size] = content
            # Pickled here: what cannot be unpickled is then an error of this task, and not the end of a process.
            task = pickle.dumps(_Task(view, block.path, size, shape, tuple(arranged), tuple(epochs), tuple(positions)))
            labels, faults = self._run(task)
            pixels = np.frombuffer(block.memory, view.dtype, taken // view.dtype.itemsize).reshape(shape).copy()
        finally:
            self._blocks.put(block)
        return pixels, labels, faults

    def _block(self):
        try:
            return self._blocks.get_nowait()
        except queue.Empty:
            return _Block()

    def _run(self, task):
        try:
            with _interrupts_blocked():
                future = self._executor.submit(_work, task)
            result = future.result()
            self._proved = True
            return result
        except BrokenProcessPool as error:
            self._broken = True
            raise RuntimeError(
                f"a process that prepares images, one of {self.count}, was killed, perhaps for want of memory: take "
                "fewer processes, or 0 for threads"
                if self._proved
                else "the processes that prepare images ended before the first was ready: they were killed, perhaps "
                'for want of memory, or a program of your own does not begin its work below if __name__ == "__main__", '
                "though each process imports it; processes=0 takes threads"
            ) from error
        except OSError as error:
            # Of a view, an error comes with the traceback of its process.
            if error.__cause__ is not None:
                raise
            self._broken = True
            raise _cannot_start(error) from error


def _end(executor):
    # Waits: an executor that is still ending when Python does writes to a pipe that it has closed, and says so.
    with suppress(RuntimeError):  # it may be a thread of its own that finds it unneeded
        executor.shutdown(cancel_futures=True)


def _cannot_start(error):
    return RuntimeError(
        f"processes that prepare images cannot start ({error.strerror or error}; /dev/shm, or the number of processes "
        "or files, may be at its limit): take fewer processes, or 0 for threads"
    )


@dataclass(frozen=True)
class _Place:
    """Where in a block an encoded image or, if it has a shape, an array lies; and its label."""

    start: int
    size: int
    label: int
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class _Task:
    """What a process needs to know: its arguments of `look`, some of which lie in a block."""

    view: View
    block: str
    size: int
    shape: tuple[int, ...]
    locations: tuple[Location | _Place, ...]
    epochs: tuple[int, ...]
    positions: tuple[int, ...]


def _arrange(locations, start):
    """Where images of this process lie behind the pixels, which are not to cover them; and where the last one ends."""
    places: list[Location | _Place] = []
    for location in locations:
        if not isinstance(location, InMemory):
            places.append(location)
            continue
        image = location.image
        is_array = isinstance(image, np.ndarray)
        size = image.nbytes if is_array else len(image)
        places.append(_Place(start, size, location.label, image.shape if is_array else None))
        start += size
    return places, start


class _Block:
    """Memory that this process and one other use at a time."""

    def __init__(self):
        self._file = os.memfd_create("images")
        self._close = weakref.finalize(self, os.close, self._file)
        self.memory = b""
        # A file without a name is opened by that of its number.
        self.path = f"/proc/{os.getpid()}/fd/{self._file}"

    def reserve(self, size: int) -> None:
        """Makes it large enough."""
        if len(self.memory) < size:
            try:
                # Otherwise a page would be missed only when it is first written, and the process that writes be killed.
                os.posix_fallocate(self._file, 0, size)
            except OSError as error:
                raise RuntimeError(
                    f"no memory for images ({error.strerror}): take fewer processes, or 0 for threads"
                ) from error
            self.memory = mmap.mmap(self._file, size)


@contextmanager
def _interrupts_blocked():
    """Keeps Ctrl-C from this thread, and from a process that it starts: from the first moment on, and for good.

    Ctrl-C reaches all processes of a terminal, and each would answer with a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# What follows runs in the processes.

_memories: dict[str, mmap.mmap] = {}


def _end_with_parent():
    def wait():
        multiprocessing.parent_process().join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _work(task):
    task = pickle.loads(task)
    memory = _memory(task.block, task.size)
    locations = [_taken(memory, place) if isinstance(place, _Place) else place for place in task.locations]
    pixels = np.frombuffer(memory, task.view.dtype, int(np.prod(task.shape))).reshape(task.shape)
    return look(task.view, locations, task.epochs, task.positions, pixels)


def _memory(path, size):
    if len(_memories.get(path, b"")) < size:
        file = os.open(path, os.O_RDWR)
        try:
            _memories[path] = mmap.mmap(file, 0)
        finally:
            os.close(file)
    return _memories[path]


def _taken(memory, place):
    content = memory[place.start : place.start + place.size]
    image = content if place.shape is None else np.frombuffer(content, np.uint8).reshape(place.shape)
    return InMemory(image, place.label)
