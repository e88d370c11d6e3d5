"""The file of a session's results, whole after every measurement."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bnext_keras.errors import BenchmarkError
from bnext_keras.files import file_errors_as, locked

from android_demo.results import Measurement, Results, load, save


@contextmanager
def open_store(folder: Path, resume: bool = False) -> Iterator["Store"]:
    """The `Store` of a folder, which is ours alone until the end: two sessions would lose each other's results.

    The folder is made at once. If it is still empty at the end, because nothing was measured, it goes again.

    Raises:
        BenchmarkError: if another session writes there, or nothing can be written, or what is there cannot be read.
    """
    is_new = not folder.exists()
    try:
        with file_errors_as(BenchmarkError), locked(folder):
            yield Store(folder, resume)
    finally:
        if is_new:
            with suppress(OSError):
                folder.rmdir()


class Store:
    """Results in a folder, as ``results.json``.

    Args:
        folder: Locked by `open_store`.
        resume: Whether to go on with what is there. Otherwise it is kept under another name, ``results-1.json``, once
            there is something to take its place.

    Attributes:
        results: All of them.
        kept: Where earlier results have gone, None if there were none in the way.

    Raises:
        BenchmarkError: if what is there cannot be read.
    """

    def __init__(self, folder: Path, resume: bool = False):
        self.file = folder / "results.json"
        self.results = load(self.file) if resume and self.file.exists() else Results()
        self.kept: Path | None = None
        self._in_the_way = not resume

    def add(self, measurement: Measurement) -> None:
        """Adds a measurement, in the place of an older one of the same kind, and writes the file.

        Raises:
            BenchmarkError: if it cannot be written; what was there before is untouched.
        """
        if self._in_the_way and self.file.exists():
            names = (self.file.with_name(f"results-{number}.json") for number in itertools.count(1))
            self.kept = next(path for path in names if not path.exists())
            self.file.rename(self.kept)
        self._in_the_way = False
        self.results = self.results.adding(measurement)
        save(self.results, self.file)
