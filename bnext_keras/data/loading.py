"""From keys to pixels: the examples of a pipeline are read here, in threads or in processes."""

from collections.abc import Callable, Sequence
from typing import Any

from bnext_keras.data.broken import BrokenImages
from bnext_keras.data.examples import Examples, Order
from bnext_keras.data.locations import InMemory, Location
from bnext_keras.data.processes import Processes
from bnext_keras.data.views import View, look
from bnext_keras.errors import LabelError

import numpy as np
import tensorflow as tf

#: How many examples in a row may be broken before there is nothing to put in their place.
LONGEST_BROKEN_RUN = 15


class Loader:
    """Reads, decodes and changes examples, and reports broken ones.

    Args:
        examples: Where keys lead to images.
        view: What becomes of an image.
        broken: Is told of images that cannot be read.
        order: Where the images are found that take the places of broken ones; None if these are left out.
        processes: How many processes decode and change images; 0 has it done by the thread that asks.
    """

    def __init__(
        self, examples: Examples, view: View, broken: BrokenImages, order: Order | None = None, processes: int = 0
    ):
        self._examples = examples
        # What can be read by another process is read where it is decoded.
        self._locate: Callable[..., Location] = getattr(examples, "locate", self._read)
        self._view = view
        self._broken = broken
        self._order = order
        self._count = processes
        self._processes: Processes | None = None

    def load(self, epochs: tf.Tensor, positions: tf.Tensor, *keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """In a `tf.data` function: images and labels of some examples.

        Args:
            epochs: The epoch in which each stands, int64 ``(examples,)``.
            positions: Its position there, likewise.
            *keys: The parts of their keys, each ``(examples,)``.

        Returns:
            Of the type of the view, ``(images, *size, 3)``; and int32 ``(images,)``.
        """
        # Not stateful, although reports of broken images remain: TensorFlow would otherwise load one after the other
        # where it is asked for determinism.
        images, labels = tf.numpy_function(
            self._load, [epochs, positions, *keys], [tf.as_dtype(self._view.dtype), tf.int32], stateful=False
        )
        return tf.ensure_shape(images, (None, *self._view.size, 3)), tf.ensure_shape(labels, [None])

    def _load(self, epochs, positions, *keys):
        keys = list(zip(*keys, strict=True))
        located = [self._located(key) for key in keys]
        there = [i for i, image in enumerate(located) if image is not None]
        locations = [located[i] for i in there]
        pixels, labels, faults = self._look(locations, epochs[there].tolist(), positions[there].tolist())
        labels = np.array(labels, np.int32)
        sound = np.array([fault is None for fault in faults], bool)
        for i, fault in zip(there, faults, strict=True):
            if fault is not None:
                self._broken.report(self._examples.name(*keys[i]), fault)
        if sound.sum() == len(keys):
            return pixels, labels
        if self._order is None:
            return pixels[sound], labels[sound]
        return self._replaced(epochs, positions, np.array(there, int)[sound], pixels[sound], labels[sound])

    def _replaced(self, epochs, positions, places, pixels, labels):
        """All images, where those at some places are given."""
        all_pixels = np.zeros((len(epochs), *pixels.shape[1:]), pixels.dtype)
        all_labels = np.zeros(len(epochs), np.int32)
        all_pixels[places], all_labels[places] = pixels, labels
        for i in sorted({*range(len(epochs))} - {*places.tolist()}):
            all_pixels[i], all_labels[i] = self._next_sound(int(epochs[i]), int(positions[i]))
        return all_pixels, all_labels

    def _next_sound(self, epoch, position):
        pixels = np.empty((1, *self._view.size, 3), self._view.dtype)
        for key in self._order.after(epoch, position, LONGEST_BROKEN_RUN):
            located = self._located(key)
            if located is None:
                continue
            (label,), (fault,) = look(self._view, [located], [epoch], [position], pixels)
            if fault is None:
                return pixels[0], label
            self._broken.report(self._examples.name(*key), fault)
        raise RuntimeError(f"{1 + LONGEST_BROKEN_RUN} broken images in a row; {self._broken.summary()}")

    def _read(self, *key):
        return InMemory(*self._examples.read(*key))

    def _located(self, key: Sequence[Any]):
        """Where the example is kept, or None if it is broken."""
        try:
            return self._locate(*key)
        except LabelError as error:
            raise LabelError(f"{self._examples.name(*key)}: {error}") from error
        except Exception as error:
            self._broken.report(self._examples.name(*key), error)
            return None

    def _look(self, locations, epochs, positions):
        if self._count and locations:
            self._processes = Processes.of(self._count)
            return self._processes.look(self._view, locations, epochs, positions)
        pixels = np.zeros((len(locations), *self._view.size, 3), self._view.dtype)
        return pixels, *look(self._view, locations, epochs, positions, pixels)
