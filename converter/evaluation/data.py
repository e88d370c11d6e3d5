"""Labelled images by what a command line calls them."""

from pathlib import Path

from bnext_keras.array_files import read_labelled
from bnext_keras.data import Examples, from_arrays, from_folder, from_tfrecords
from bnext_keras.data.examples import shuffled_numbers
from bnext_keras.data.sources import is_cifar
from bnext_keras.data.sources.by_name import TRAINING_SPLIT, VALIDATION_SPLITS, open_split
from bnext_keras.errors import LabelError, PredictionError
from bnext_keras.files import file_errors_as

import numpy as np


def open_examples(source: str, *, num_classes: int, split: str = "", label_offset: int = 0) -> Examples:
    """The images of a data set that are for evaluation.

    Args:
        source: A folder of one folder for each class; or one that has such folders called ``train`` and ``val`` (or
            ``validation``, ``test``); an ``.npz`` file of ``images`` and ``labels``; a folder of CIFAR's binary
            version; ``tfrecord:PATTERN``, with or without ``{split}``; ``tfds:NAME``; or ``digits``.
        num_classes: How many classes TFRecord files and arrays have.
        split: Another part of the data than that for validation.
        label_offset: The number of the first class in TFRecord files.

    Raises:
        PredictionError: if they cannot be opened.
    """
    try:
        with file_errors_as(PredictionError):
            return _open(source, num_classes, split, label_offset)
    except PredictionError:
        raise
    except (ImportError, OSError, ValueError) as error:
        raise PredictionError(str(error), where=source) from error


def _open(source, num_classes, split, label_offset):
    options = {"num_classes": num_classes, "label_offset": label_offset}
    if source.endswith(".npz"):
        return _arrays(Path(source), num_classes)
    if source.startswith("tfrecord:") and "{split}" not in source:
        return from_tfrecords(source.removeprefix("tfrecord:"), **options)
    folder = Path(source)
    has_splits = (folder / TRAINING_SPLIT).is_dir()
    if folder.is_dir() and not (split or has_splits or is_cifar(folder)):
        return from_folder(folder)
    names = None
    if has_splits:
        # As in training: a class without an image for evaluation has its number all the same.
        names = sorted(entry.name for entry in (folder / TRAINING_SPLIT).iterdir() if _is_class(entry))
    return open_split(source, [split] if split else VALIDATION_SPLITS, class_names=names, **options)


def _is_class(entry):
    return entry.is_dir() and not entry.name.startswith(".")


def _arrays(path, num_classes):
    arrays = read_labelled(path)
    if arrays.images.dtype.kind == "f":
        return PreparedImages(arrays.images, arrays.labels, num_classes)
    names = arrays.class_names
    return from_arrays(arrays.images, arrays.labels, num_classes=None if names else num_classes, class_names=names)


class PreparedImages:
    """Images that are just as a model takes them, like those of ``bnext-benchmark --test-data``.

    Args:
        images: Floats ``(images, height, width, channels)``.
        labels: Numbers of their classes, whole numbers ``(images,)``.
        num_classes: How many classes there are.

    Raises:
        LabelError: if a label is none of them.
    """

    class_names = None

    def __init__(self, images: np.ndarray, labels: np.ndarray, num_classes: int):
        if labels.min() < 0 or labels.max() >= num_classes:
            raise LabelError(f"labels must be from 0 to {num_classes - 1}, got {labels.min()} to {labels.max()}")
        self.num_classes = num_classes
        self._images, self._labels = images, labels

    def __len__(self) -> int:
        return len(self._images)

    def keys(self, epoch=None, seed=0):
        return shuffled_numbers(len(self), epoch, seed)

    def name(self, number) -> str:
        return f"image {int(number)}"

    def read(self, number) -> tuple[np.ndarray, int]:
        return self._images[number], int(self._labels[number])
