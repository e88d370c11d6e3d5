"""A folder for each class, full of images: how ImageNet is unpacked."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from bnext_keras.data.examples import in_words, shuffled_numbers
from bnext_keras.data.locations import ImageFile
from bnext_keras.image_files import IMAGE_SUFFIXES, is_image, walk_images, warn_of_skipped
from bnext_keras.logs import get_logger

import numpy as np
import tensorflow as tf

#: Largest number of files whose sizes are part of a fingerprint.
SIZES = 10_000

_log = get_logger("bnext_keras.data")


class FolderExamples:
    """See `from_folder`."""

    def __init__(self, folder: Path, class_names: tuple[str, ...], files: list[str], labels: np.ndarray):
        self.num_classes = len(class_names)
        self.class_names = class_names
        self._folder = folder
        self._files = files
        self._labels = labels

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return in_words(self)

    def fingerprint(self) -> str:
        """Of all names and classes, and the sizes of up to `SIZES` files: all of ImageNet's take minutes."""
        digest = hashlib.sha256()
        every = -(-len(self) // SIZES)
        for number, (file, label) in enumerate(zip(self._files, self._labels, strict=True)):
            size = (self._folder / file).stat().st_size if number % every == 0 else -1
            digest.update(f"{self.class_names[label]}\0{file}\0{size}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def keys(self, epoch: int | tf.Tensor | None = None, seed: int = 0) -> tf.data.Dataset:
        return shuffled_numbers(len(self), epoch, seed)

    def name(self, number) -> str:
        return str(self.locate(number))

    def read(self, number) -> tuple[bytes, int]:
        return self.locate(number).read()

    def locate(self, number) -> ImageFile:
        return ImageFile(self._folder / self._files[int(number)], int(self._labels[int(number)]))


def from_folder(folder: str | Path, *, class_names: Sequence[str] | None = None) -> FolderExamples:
    """Examples out of a folder that has a folder of images for each class.

    Classes are numbered in the order of their names, as everywhere; for ImageNet's WordNet folders (``n01440764``, ...)
    that is the usual numbering.

    Args:
        folder: Images may lie deeper in a class's folder; hidden files and folders are passed over. Links are followed,
            but not to a folder above, and to no folder twice in a class. A warning counts other files.
        class_names: The classes in order, to number a validation set like its training set: one that has no images of
            some class would otherwise number the following ones differently.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it has no class folders, or none of the images, or a class that is not in ``class_names``.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("dog", "cat"):
        ...         Path(folder, name).mkdir()
        ...         Image.new("RGB", (8, 8)).save(Path(folder, name, "1.PNG"))
        ...     from_folder(folder).class_names
        ('cat', 'dog')
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not found:
        flat = any(is_image(entry.name) for entry in folder.iterdir())
        advice = "; put them into one folder for each class" if flat else ""
        raise ValueError(f"{folder}: has {'images but ' if flat else ''}no folders, one for each class{advice}")
    names = tuple(found if class_names is None else class_names)
    unknown = sorted(set(found) - set(names))
    if unknown:
        raise ValueError(f"{folder}: has folders that are none of the {len(names)} classes: {', '.join(unknown[:5])}")

    files: list[str] = []
    labels: list[int] = []
    skipped: list[Path] = []
    # A link out of a class's folder to one above it would give it the images of all classes.
    outside = [folder.resolve(), *folder.resolve().parents]
    for label, name in enumerate(names):
        images, others = walk_images(folder / name, outside) if name in found else ([], [])
        if not images:
            _log.warning("%s: has no images (%s)", folder / name, ", ".join(IMAGE_SUFFIXES))
        files += [str(image.relative_to(folder)) for image in images]
        labels += [label] * len(images)
        skipped += others
    if not files:
        raise ValueError(f"{folder}: has no images in its {len(found)} folders ({', '.join(IMAGE_SUFFIXES)})")
    warn_of_skipped(folder, skipped)
    return FolderExamples(folder, names, files, np.asarray(labels, np.int32))
