"""Files that are read and written: images found in folders, results written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from converter.errors import ConversionError

#: File names that count as images in a folder.
IMAGE_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}


def check_exists(path: Path) -> None:
    """Raises ConversionError if there is no such file or folder."""
    if not path.exists():
        raise ConversionError(f"{path}: no such file or folder")


def find_images(folder: Path) -> list[Path]:
    """The image files in a folder and the folders in it, in the order of their names.

    Raises:
        ConversionError: if there are none.
    """
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise ConversionError(f"{folder}: has no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return files


def check_writable(path: Path) -> None:
    """Raises ConversionError if a file could not be put there, before any work has been done."""
    if path.is_dir():
        raise ConversionError(f"{path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise ConversionError(f"{path}: the folder {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK):
        raise ConversionError(f"{path}: the folder {path.parent} is not writable")


def write_atomically(path: Path, content: bytes) -> None:
    """Writes to a temporary file in the same folder, then renames it.

    Raises:
        ConversionError: if the file cannot be written, for want of space say; what was there before is untouched.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary file in the same folder, with the same ending, to write to; then renames it.

    Raises:
        ConversionError: if writing to it raises an OSError, for want of space say; what was there before is untouched.
    """
    temporary = None
    options = {"prefix": f".{path.stem}.", "suffix": path.suffix, "delete": False}
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, **options) as file:
            temporary = Path(file.name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise ConversionError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
