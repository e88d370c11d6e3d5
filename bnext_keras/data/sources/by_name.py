"""Examples by what a command line calls them: a folder, CIFAR's files, ``tfrecord:...``, ``tfds:...``, digits."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bnext_keras.data.examples import Examples
from bnext_keras.data.sources.arrays import from_arrays
from bnext_keras.data.sources.cifar import from_cifar, is_cifar
from bnext_keras.data.sources.folder import from_folder
from bnext_keras.data.sources.tfds import from_tfds
from bnext_keras.data.sources.tfrecords import from_tfrecords
from bnext_keras.extras import how_to_install

import numpy as np

#: What images for training are called, and those for evaluation in the order of preference.
TRAINING_SPLIT = "train"
VALIDATION_SPLITS = ("validation", "val", "test")


def open_split(
    source: str,
    splits: Sequence[str] = VALIDATION_SPLITS,
    *,
    num_classes: int,
    label_offset: int = 0,
    class_names: Sequence[str] | None = None,
) -> Examples:
    """One part of a data set.

    Args:
        source: A folder with a folder for each split, each of one folder per class; a folder of CIFAR's binary version;
            ``tfrecord:PATTERN`` with ``{split}`` in the pattern; ``tfds:NAME``; or ``digits``.
        splits: Names of the part, in the order of preference: the first that exists is taken.
        num_classes: How many classes TFRecord files have, which do not say so.
        label_offset: The number of their first class.
        class_names: The classes of a folder in order, if that should not be the order of their names.

    Raises:
        OSError, ValueError, ImportError: if it cannot be opened.
    """
    if source == "digits":
        return _digits(is_training=TRAINING_SPLIT in splits)
    kind, colon, rest = source.partition(":")
    if colon and kind == "tfds":
        return _first_that_exists(splits, lambda split: from_tfds(rest, split), missing=ValueError)
    if colon and kind == "tfrecord":
        if "{split}" not in rest:
            raise ValueError("write {split} where file names say train or validation: tfrecord:imagenet/{split}-*")
        options = {"num_classes": num_classes, "label_offset": label_offset}
        return _first_that_exists(splits, lambda split: from_tfrecords(rest.replace("{split}", split), **options))
    folder = Path(source)
    if not folder.is_dir():
        raise FileNotFoundError("no such folder")
    if is_cifar(folder):
        return from_cifar(folder, "train" if TRAINING_SPLIT in splits else "test")
    return _first_that_exists(splits, lambda split: from_folder(folder / split, class_names=class_names))


def _first_that_exists(
    splits: Sequence[str], open_one: Callable[[str], Examples], missing: type[Exception] = FileNotFoundError
) -> Examples:
    errors = []
    for split in splits:
        try:
            return open_one(split)
        except missing as error:
            errors.append(error)
    raise errors[0]


def _digits(is_training):
    """The 1797 handwritten digits of scikit-learn, a fifth of them held out, always the same ones."""
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError(f"scikit-learn is not installed: {how_to_install('train')}") from error
    digits = load_digits()
    # Each of the 8 x 8 pixels has 17 shades and becomes 4 x 4 of the usual ones.
    images = np.round(digits.images * 255 / 16).astype(np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    split = train_test_split(images, digits.target, test_size=0.2, stratify=digits.target, random_state=0)
    train_images, held_out_images, train_labels, held_out_labels = split
    names = [str(digit) for digit in digits.target_names]
    images, labels = (train_images, train_labels) if is_training else (held_out_images, held_out_labels)
    return from_arrays(images, labels, class_names=names)
