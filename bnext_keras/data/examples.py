"""What a pipeline needs to know of a data set, wherever it is kept."""

from typing import Protocol, runtime_checkable

from bnext_keras.data.randomness import generator

import numpy as np
import tensorflow as tf


@runtime_checkable
class Examples(Protocol):
    """Labelled images in an order.

    A *key* is a tuple of scalars that stands for one example: its number, or its encoded record. Keys are drawn in
    TensorFlow, in order, by every worker; only what a worker needs is then read, in parallel, in Python.

    Attributes:
        num_classes: How many classes there are, labels being ``0 .. num_classes - 1``.
        class_names: Their names, or None where the source has none.
    """

    num_classes: int
    class_names: tuple[str, ...] | None

    def __len__(self) -> int:
        """How many examples there are, broken ones included."""

    def keys(self, epoch: int | tf.Tensor | None = None, seed: int = 0) -> tf.data.Dataset:
        """Every example's key, once.

        Args:
            epoch: Which shuffling, the same for equal ``seed`` and ``epoch``; None for the source's own order. May be
                a scalar tensor, inside a `tf.data` function.
            seed: Seed of the training run.
        """

    def name(self, *key) -> str:
        """How to call the example in a message: its path, say."""

    def read(self, *key) -> tuple[bytes | np.ndarray, int]:
        """One example's image, encoded or as uint8 ``(height, width[, channels])``, and its label.

        Raises:
            LabelError: if the label is not one of the classes.
            Exception: whatever else keeps it from being read: it is broken then, and skipped.
        """


def shuffled_numbers(count: int, epoch: int | tf.Tensor | None, seed: int) -> tf.data.Dataset:
    """The numbers below ``count``, int64, in the epoch's order: the keys of sources that can read any example at once.

    Example:
        >>> [int(number) for number in shuffled_numbers(4, epoch=None, seed=0)]
        [0, 1, 2, 3]
        >>> sorted(int(number) for number in shuffled_numbers(4, epoch=3, seed=0))
        [0, 1, 2, 3]
    """
    if epoch is None:
        return tf.data.Dataset.range(count)

    def permutation(epoch):
        return generator(seed, epoch).permutation(count)

    numbers = tf.ensure_shape(tf.numpy_function(permutation, [epoch], tf.int64, stateful=False), [count])
    return tf.data.Dataset.from_tensor_slices(numbers)
