"""What a pipeline needs to know of a data set, wherever it is kept."""

import threading
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

from bnext_keras.data.randomness import generator
from bnext_keras.text import counted

import numpy as np
import tensorflow as tf


@runtime_checkable
class Examples(Protocol):
    """Labelled images in an order.

    A *key* is a tuple of scalars that stands for one example: its number, say, or its encoded record. Keys are drawn in
    TensorFlow, in order, by every worker; only what a worker needs is then read, in parallel, in Python. Numbers of an
    epoch are held where broken images are to be replaced; records are too large for that, so they are drawn once more.

    A source may have one more method, which spares time and memory: ``locate(*key)`` reads nothing, but says where the
    example is kept, as a `bnext_keras.data.locations.Location`; it is then read in the process that decodes it.

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


def in_words(examples: Examples) -> str:
    """What a source's ``repr`` tells: its kind and how much there is of it.

    Example:
        >>> from bnext_keras import data
        >>> data.from_arrays(np.zeros((3, 8, 8), np.uint8), [0, 1, 0])
        ArrayExamples(2 classes, 3 images)
    """
    classes, images = counted(examples.num_classes, "class", "classes"), counted(len(examples), "image")
    return f"{type(examples).__name__}({classes}, {images})"


def fingerprint(examples: Examples) -> dict[str, int | str]:
    """What tells these examples from others, quickly: their number, and a hash that the source makes of what it knows.

    Names and sizes, for files; their pixels are not read. A source of your own may have a method ``fingerprint``, which
    returns a text; without one the number alone is known.

    Example:
        >>> from bnext_keras import data
        >>> images = np.zeros((3, 8, 8), np.uint8)
        >>> one, other = (fingerprint(data.from_arrays(images, labels)) for labels in ([0, 1, 0], [0, 1, 1]))
        >>> one["images"], one == other
        (3, False)
    """
    of_source = getattr(examples, "fingerprint", None)
    return {"images": len(examples), "sha256": of_source() if of_source else ""}


class Order:
    """The keys of an epoch by their positions: what takes the place of a broken image.

    An epoch's keys are listed when one of its images is first asked for, and kept until another epoch's are.

    Args:
        examples: The data set.
        seed: Seed of the training run.
    """

    def __init__(self, examples: Examples, seed: int):
        self._keys = examples.keys
        self._seed = seed
        self._lock = threading.Lock()
        self._epoch: int | None = None
        self._parts: tuple[np.ndarray, ...] = ()

    def after(self, epoch: int, position: int, count: int) -> Iterator[tuple[Any, ...]]:
        """The keys that follow a position of an epoch, which begins again where it ends.

        Example:
            >>> from bnext_keras import data
            >>> examples = data.from_arrays(np.zeros((3, 8, 8), np.uint8), [0, 1, 0])
            >>> order = [int(number) for number in examples.keys(epoch=5)]
            >>> [int(number) for number, in Order(examples, seed=0).after(5, 1, count=3)] == order[2:] + order[:2]
            True
        """
        if self._are_records:
            # All of an epoch would be too many to hold.
            yield from _each(self._keys(epoch, self._seed).repeat().skip(position + 1).take(count))
            return
        with self._lock:
            if epoch != self._epoch:
                self._epoch, self._parts = epoch, _listed(self._keys(epoch, self._seed))
            parts = self._parts
        for number in range(position + 1, position + 1 + count):
            yield tuple(part[number % len(part)] for part in parts)

    @cached_property
    def _are_records(self):
        # Looked at once: to build an epoch's keys takes a tenth of a second, and any image may be broken.
        return any(part.dtype == tf.string for part in _spec(self._keys(0, self._seed)))


def _spec(keys):
    return keys.element_spec if isinstance(keys.element_spec, tuple) else (keys.element_spec,)


def _each(keys):
    options = tf.data.Options()
    # The pipeline that waits for these may hold all other threads.
    options.threading.private_threadpool_size = 2
    for key in keys.with_options(options).as_numpy_iterator():
        yield key if isinstance(key, tuple) else (key,)


def _listed(keys):
    return tuple(np.concatenate(parts) for parts in zip(*_each(keys.batch(4096)), strict=True))


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
