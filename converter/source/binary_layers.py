"""Finds the binary convolutions of a Larq model and steps in where they run.

A *site* is one call of a binary convolution in one run of the model. The order of calls is that of the Python program,
the same in every run, so sites are numbered by it; a layer that is shared has several.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import larq as lq
import numpy as np
import tensorflow as tf

#: Name of the kernel variable of each kind of layer.
_KERNELS = {lq.layers.QuantConv2D: "kernel", lq.layers.QuantDepthwiseConv2D: "depthwise_kernel"}


def binary_convs(model: tf.keras.Model) -> list[tf.keras.layers.Layer]:
    """The 2-D convolutions of a model, nested ones too, that binarize their input: the ones meant to run in LCE."""
    return [
        layer
        for layer in model.submodules
        if isinstance(layer, tuple(_KERNELS)) and getattr(layer.input_quantizer, "precision", None) == 1
    ]


def quantized_kernel(layer: tf.keras.layers.Layer) -> np.ndarray:
    """The kernel that a layer uses in evaluation, ``(height, width, in, out)``."""
    kernel = next(name for kind, name in _KERNELS.items() if isinstance(layer, kind))
    # Larq lists the latent variable among the layer's weights and quantizes on access, inside a forward pass only.
    with tf.init_scope(), lq.context.quantized_scope(True):
        return tf.convert_to_tensor(getattr(layer, kernel)).numpy()


@contextmanager
def patched(layers: list[tf.keras.layers.Layer], attribute: str, replace: Callable) -> Iterator[None]:
    """Sets ``layer.attribute = replace(layer)`` for a while, behind Keras' back.

    Keras tracks what is assigned to a layer's attributes; going through the instance's dictionary leaves its lists of
    weights and sublayers as they are.
    """
    before = [vars(layer).get(attribute) for layer in layers]
    replacements = [replace(layer) for layer in layers]
    try:
        for layer, replacement in zip(layers, replacements, strict=True):
            vars(layer)[attribute] = replacement
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            if value is None:
                del vars(layer)[attribute]
            else:
                vars(layer)[attribute] = value
