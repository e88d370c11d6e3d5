"""Pooling that Keras does not have."""

from bnext_keras.layers.common import DepthwiseConv2D

import numpy as np
import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class BlurPool2D(DepthwiseConv2D):
    """A strided 3x3 blur of each channel: it lowers the resolution without aliasing.

    The kernel is the outer product of ``[1, 2, 1] / 4`` with itself, padded 'same' with zeros. It is not trained, but
    it is a weight of the layer, as in published weight files.

    Args:
        strides: Step in both directions.
        **kwargs: Any other argument of `bnext_keras.layers.DepthwiseConv2D`.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.layers.BlurPool2D(strides=2)(tf.ones((1, 4, 4, 1))).numpy()[0, :, :, 0].tolist()
        [[1.0, 0.75], [0.75, 0.5625]]

    Reference:
        Zhang, "Making Convolutional Networks Shift-Invariant Again", arXiv 1904.11486.
    """

    def __init__(self, strides=2, **kwargs):
        fixed = {"kernel_size": 3, "padding": "same", "use_bias": False, "trainable": False}
        super().__init__(strides=strides, **{**kwargs, **fixed})

    def build(self, input_shape):
        super().build(input_shape)
        kernel = np.outer([1.0, 2.0, 1.0], [1.0, 2.0, 1.0]) / 16
        self.depthwise_kernel.assign(np.broadcast_to(kernel[:, :, None, None], self.depthwise_kernel.shape))
