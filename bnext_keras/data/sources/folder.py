"""A folder for each class, full of images: how ImageNet is unpacked."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from bnext_keras.data.examples import shuffled_numbers
from bnext_keras.files import IMAGE_SUFFIXES, is_image

import numpy as np
import tensorflow as tf

_log = logging.getLogger("bnext_keras.data")


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

    def keys(self, epoch: int | tf.Tensor | None = None, seed: int = 0) -> tf.data.Dataset:
        return shuffled_numbers(len(self), epoch, seed)

    def name(self, number) -> str:
        return str(self._folder / self._files[int(number)])

    def read(self, number) -> tuple[bytes, int]:
        return (self._folder / self._files[int(number)]).read_bytes(), int(self._labels[int(number)])


def from_folder(folder: str | Path, *, class_names: Sequence[str] | None = None) -> FolderExamples:
    """Examples out of a folder that has a folder of images for each class.

    Classes are numbered in the order of their names, as everywhere; for ImageNet's WordNet folders (``n01440764``, ...)
    that is the usual numbering.

    Args:
        folder: Images may lie deeper in a class's folder; hidden files and folders are passed over.
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

    files, labels = [], []
    for label, name in enumerate(names):
        images = _images_below(folder, name)
        if not images:
            _log.warning("%s: has no images (%s)", folder / name, ", ".join(IMAGE_SUFFIXES))
        files += images
        labels += [label] * len(images)
    if not files:
        raise ValueError(f"{folder}: has no images in its {len(found)} folders ({', '.join(IMAGE_SUFFIXES)})")
    return FolderExamples(folder, names, files, np.asarray(labels, np.int32))


def _images_below(folder, class_name):
    """Paths of a class's images, relative to the folder and sorted."""
    files = []
    for parent, folders, names in os.walk(folder / class_name, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [os.path.relpath(os.path.join(parent, name), folder) for name in names if is_image(name)]
    return sorted(files)
