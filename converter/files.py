"""Files that are written whole or not at all."""

import os
import tempfile
from pathlib import Path

from converter.errors import ConversionError


def check_exists(path: Path) -> None:
    """Raises ConversionError if there is no such file or folder."""
    if not path.exists():
        raise ConversionError(f"{path}: no such file or folder")


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
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise ConversionError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
