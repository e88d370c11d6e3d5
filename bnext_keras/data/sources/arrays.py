"""Images that are in memory already: digits, CIFAR."""

import hashlib
from collections.abc import Sequence

from bnext_keras.data.examples import in_words, shuffled_numbers
from bnext_keras.errors import LabelError

import numpy as np
import tensorflow as tf


class ArrayExamples:
    """See `from_arrays`."""

    def __init__(self, images, labels, num_classes, class_names):
        self.num_classes = num_classes
        self.class_names = class_names
        self._images = images
        self._labels = labels

    def __len__(self) -> int:
        return len(self._images)

    def __repr__(self) -> str:
        return in_words(self)

    def fingerprint(self) -> str:
        """Of all pixels and labels."""
        digest = hashlib.sha256(f"{self._images.shape} {self._labels.shape}".encode())
        digest.update(np.ascontiguousarray(self._images))
        digest.update(np.asarray(self._labels, np.int64))
        return digest.hexdigest()

    def keys(self, epoch: int | tf.Tensor | None = None, seed: int = 0) -> tf.data.Dataset:
        return shuffled_numbers(len(self), epoch, seed)

    def name(self, number) -> str:
        return f"image {int(number)}"

    def read(self, number) -> tuple[np.ndarray, int]:
        return self._images[number], int(self._labels[number])


def from_arrays(
    images: np.ndarray,
    labels: Sequence[int],
    *,
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
) -> ArrayExamples:
    """Examples out of two arrays.

    Args:
        images: uint8 ``(examples, height, width)``, ``(..., 1)`` or ``(..., 3)``; grey ones become RGB.
        labels: Whole numbers from 0 on, ``(examples,)``; ``(examples, 1)`` as Keras' CIFAR has them is fine too.
        num_classes: Default: one for every name, or up to the largest label.
        class_names: In the order of the labels.

    Raises:
        ValueError: if an array is not of that kind.
        LabelError: if a label is not below ``num_classes``.

    Example:
        >>> examples = from_arrays(np.zeros((4, 8, 8), np.uint8), [0, 1, 2, 1], class_names=["cat", "dog", "bird"])
        >>> len(examples), examples.num_classes, examples.read(2)[1]
        (4, 3, 2)
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 or not (images.ndim == 3 or (images.ndim == 4 and images.shape[-1] in (1, 3))):
        raise ValueError(
            "images must be uint8 of shape (examples, height, width[, 1 or 3]), "
            f"got {images.dtype} of shape {images.shape}"
        )
    if labels.shape == (len(images), 1):
        labels = labels[:, 0]
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu" or not len(labels):
        raise ValueError(
            f"labels must be whole numbers, one for each of {len(images)} images (at least one), "
            f"got {labels.dtype} of shape {labels.shape}"
        )
    if num_classes is None:
        num_classes = len(class_names) if class_names is not None else int(labels.max()) + 1
    if class_names is not None and len(class_names) != num_classes:
        raise ValueError(f"class_names must be {num_classes}, one for each class, got {len(class_names)}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise LabelError(f"labels must be from 0 to {num_classes - 1}, got {labels.min()} to {labels.max()}")
    return ArrayExamples(images, labels, num_classes, None if class_names is None else tuple(class_names))
