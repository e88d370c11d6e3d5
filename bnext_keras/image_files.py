"""Which files are images, and where they lie. TensorFlow is not imported."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from bnext_keras.errors import FileError
from bnext_keras.logs import get_logger

_log = get_logger(__name__)

#: Endings of file names that count as images, whatever their case.
IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp", ".avif")


def is_image(path: str | Path) -> bool:
    """Whether a file's name is that of an image.

    Example:
        >>> is_image("photos/cat.JPG"), is_image("photos/.cat.jpg"), is_image("cat.txt")
        (True, False, False)
    """
    path = Path(path)
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def find_images(folder: Path) -> list[Path]:
    """The images in a folder and the folders in it, in the order of their names; one warning counts all other files.

    Raises:
        FileError: if there are none.
    """
    files, others = walk_images(folder)
    if not files:
        raise FileError(f"has no images ({', '.join(IMAGE_SUFFIXES)})", where=str(folder))
    warn_of_skipped(folder, others)
    return files


def walk_images(folder: Path, outside: Iterable[Path] = ()) -> tuple[list[Path], list[Path]]:
    """All images below a folder and all other files there, each in the order of their names.

    Hidden files and folders are passed over. Links are followed; a folder that is reached twice is read once, so that
    links in a circle end. What is called like an image but is no regular file, a pipe say, is one of the others.

    Args:
        folder: Where to look.
        outside: Folders that a link may lead to, but that are not read: those above, say.
    """
    images: list[Path] = []
    others: list[Path] = []
    seen = {_identity(path) for path in outside}
    pending = [Path(folder)]
    while pending:
        current = pending.pop()
        identity = _identity(current)
        if identity in seen:
            continue
        seen.add(identity)
        with os.scandir(current) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                path = current / entry.name
                if entry.is_dir():
                    pending.append(path)
                elif is_image(entry.name) and entry.is_file():
                    images.append(path)
                else:
                    others.append(path)
    return sorted(images), sorted(others)


def warn_of_skipped(folder: Path, others: Sequence[Path]) -> None:
    """Warns of files in a folder of images that are none: one line, with their number by ending."""
    if not others:
        return
    kinds = Counter("no regular files" if is_image(path) else path.suffix.lower() or "no ending" for path in others)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
    more = ", ..." if len(kinds) > 5 else ""
    plural = "s" * (len(others) > 1)
    _log.warning("%s: %d file%s skipped (%s%s)", folder, len(others), plural, counts, more)


def _identity(path):
    status = os.stat(path)
    return status.st_dev, status.st_ino
