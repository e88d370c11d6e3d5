"""Pixels are normalized in the step that uses them, on the device: until then they take a quarter of the memory.

The process that trains is what limits a fast GPU once images are prepared in others, and most of its time for an image
went into the float32 form of it: pages of fresh memory for a batch, and the copy to the GPU.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from bnext_keras.data.pipeline import normalize
from bnext_keras.patching import attribute
from bnext_keras.preprocessing import Normalization

import tensorflow as tf


@contextmanager
def takes_pixels(model: tf.keras.Model, normalization: Normalization) -> Iterator[None]:
    """Within, steps of ``fit`` and ``evaluate`` normalize images that are uint8; others are taken as they are.

    To callbacks of `bnext_keras.callbacks`, and so to teachers, images are the normalized ones, too.

    Args:
        model: A compiled model.
        normalization: What happens to the pixels, to the bit what `bnext_keras.data.normalize` makes of them.

    Example:
        >>> import numpy as np
        >>> model = tf.keras.Sequential([tf.keras.layers.GlobalAveragePooling2D(input_shape=(2, 2, 3))])
        >>> model.compile(loss="mae")
        >>> white, zeros = np.full((1, 2, 2, 3), 255, np.uint8), np.zeros((1, 3))
        >>> with takes_pixels(model, Normalization((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))):
        ...     model.evaluate(white, zeros, verbose=0)
        2.0
        >>> model.evaluate(white, zeros, verbose=0)
        255.0
    """

    def with_floats(step, data):
        images, labels, weights = tf.keras.utils.unpack_x_y_sample_weight(data)
        if getattr(images, "dtype", None) == tf.uint8:
            data = tf.keras.utils.pack_x_y_sample_weight(normalize(images, normalization), labels, weights)
        return step(data)

    with ExitStack() as stack:
        for name in ("train_step", "test_step"):
            stack.enter_context(attribute(model, name, partial(with_floats, getattr(model, name))))
        # What Keras has compiled before does not know of it, nor may what it compiles now outlive it.
        for name in ("train_function", "train_tf_function", "test_function"):
            stack.enter_context(attribute(model, name, None))
        yield
