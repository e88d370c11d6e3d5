"""The bounds of layers of 8 and 4 bits, measured on data: between which values their inputs are rounded.

PokeBNN trains with float inputs of such layers at first, measures bounds once, and then goes on with rounded ones.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any

from bnext_keras.layers.low_bit import LowBit
from bnext_keras.patching import attribute
from bnext_keras.sublayers import sublayers

import numpy as np
import tensorflow as tf


def measure_bounds(model: tf.keras.Model, batches: Iterable[Any]) -> list[str]:
    """Sets the bounds of all layers of 8 and 4 bits to what their inputs reach.

    A channel's bound is the mean over batches of the largest magnitude in a batch. While it is measured, no layer
    rounds its input; all else works as in evaluation.

    Args:
        model: Any model. It is changed.
        batches: Normalized images, float32 ``(batch, height, width, channels)``, or tuples that begin with them, as a
            ``tf.data.Dataset`` for training gives.

    Returns:
        The names of these layers.

    Raises:
        ValueError: if there is no such layer or no batch, or a bound is not a finite number; the model is then what it
            was.

    Example:
        >>> import bnext_keras
        >>> layer = bnext_keras.layers.LowBitDense(1, input_shape=(2,), name="dense")
        >>> model = tf.keras.Sequential([layer])
        >>> measure_bounds(model, [tf.constant([[1.0, -2.0], [0.5, 0.0]]), tf.constant([[3.0, 1.0]])])
        ['dense']
        >>> layer.bounds.numpy().tolist()
        [2.0, 1.5]

    Reference:
        The released code of arXiv 2112.00133. Its mean is a moving one, over the steps of training before.
    """
    layers = [layer for layer in sublayers(model) if isinstance(layer, LowBit)]
    if not layers:
        raise ValueError(f"{model.name} has no layers of 8 or 4 bits")
    before = [layer.bounds.numpy() for layer in layers]
    largest: dict[str, list[np.ndarray]] = {layer.name: [] for layer in layers}
    try:
        for layer in layers:
            layer.bounds.assign(tf.fill(layer.bounds.shape, -1.0))
        for batch in batches:
            with ExitStack() as stack:
                for layer in layers:
                    stack.enter_context(attribute(layer, "call", partial(_seen, layer.call, largest[layer.name])))
                model(batch[0] if isinstance(batch, tuple | list) else batch, training=False)
        if not all(largest.values()):
            raise ValueError("there is no batch to measure on")
        for layer in layers:
            bounds = np.mean(largest[layer.name], axis=0)
            if not np.isfinite(bounds).all():
                raise ValueError(f"the inputs of layer '{layer.name}' are not finite numbers")
            layer.bounds.assign(bounds)
    except BaseException:
        for layer, bounds in zip(layers, before, strict=True):
            layer.bounds.assign(bounds)
        raise
    return [layer.name for layer in layers]


def _seen(call, largest, inputs):
    axes = list(range(inputs.shape.rank - 1))
    largest.append(tf.reduce_max(tf.abs(tf.cast(inputs, tf.float32)), axis=axes).numpy())
    return call(inputs)
