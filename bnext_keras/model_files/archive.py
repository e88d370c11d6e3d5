"""``.keras`` files: zip archives of a configuration and an HDF5 file of weights."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bnext_keras.errors import FileError, UntrustedFileError
from bnext_keras.model_files.configuration import MAX_JSON
from bnext_keras.model_files.hdf5 import largest_content
from bnext_keras.model_files.strangers import no_keras_file

ENTRIES = ("config.json", "metadata.json", "model.weights.h5")


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Opens a ``.keras`` file.

    Raises:
        FileError: if it is none, or claims to unpack to far more than it holds.
    """
    if not path.is_file():  # a pipe would never end
        raise FileError("not a regular file" if path.exists() else "no such file or folder", where=str(path))
    try:
        archive = zipfile.ZipFile(path)
    # zipfile meets damage with errors of a dozen types.
    except Exception as error:
        raise no_keras_file(path, "it is no zip archive") from error
    with archive:
        if sum(entry.file_size for entry in archive.infolist()) > largest_content(path.stat().st_size):
            raise FileError("unpacks to far more than it holds; it is not read", where=str(path))
        yield archive


def check_entries(archive: zipfile.ZipFile) -> None:
    """Raises UntrustedFileError if there is more in it, or less, than a configuration and weights."""
    names = sorted(archive.namelist())
    if names != sorted(ENTRIES):
        other = next((name for name in names if name not in ENTRIES or names.count(name) > 1), None)
        missing = next((name for name in ENTRIES if name not in names), None)
        raise UntrustedFileError(
            f"holds {other[:80]!r} besides a network and its weights" if other else f"has no {missing}",
            remedy="if you made it yourself, use --trust (trusted=True)",
        )


def read_config(archive: zipfile.ZipFile) -> bytes:
    """The configuration's JSON; of one that is too large, the beginning."""
    with archive.open("config.json") as entry:
        return entry.read(MAX_JSON + 1)


@contextmanager
def unpacked_weights(archive: zipfile.ZipFile) -> Iterator[Path]:
    """The weights as a file of their own: inside the archive every seek would decompress from the start."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.weights.h5"
        # An entry ends where its header says, however much there is: zipfile reads no further.
        with archive.open("model.weights.h5") as entry, path.open("wb") as file:
            shutil.copyfileobj(entry, file, 1 << 20)
        yield path
