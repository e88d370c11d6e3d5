"""Finds the binary convolutions of a Larq model, reads their kernels, and steps in where they run."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from bnext_keras.patching import attribute

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
def patched(layers: list[tf.keras.layers.Layer], name: str, replace: Callable) -> Iterator[None]:
    """Sets the attribute ``name`` of each layer to ``replace(layer)`` for a while, past Keras' tracking."""
    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(attribute(layer, name, replace(layer)))
        yield
