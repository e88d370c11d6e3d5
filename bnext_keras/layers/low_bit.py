"""PokeBNN's convolutions of 8 and 4 bits.

Rounding is simulated, in training and evaluation alike: values are those that so many bits can hold, computed in
floats.
"""

from bnext_keras.gradients import custom_gradient
from bnext_keras.layers.common import Conv2D, Dense, DepthwiseConv2D, product

import numpy as np
import tensorflow as tf


class LowBit(tf.keras.layers.Layer):
    """What the three layers below share: bounds of the input, which `bnext_keras.bounds` measures, and rounding.

    Attributes:
        bits: Bits of weights and input.
        unsigned: Whether the input has no negative values, as behind a ReLU.
    """

    takes_kernel_bits = False

    def __init__(self, *args, bits=8, unsigned=False, **kwargs):
        if bits not in (4, 8):
            raise ValueError(f"bits must be 4 or 8, got {bits}")
        super().__init__(*args, **kwargs)
        self.bits = bits
        self.unsigned = unsigned

    def build(self, input_shape):
        super().build(input_shape)
        # -1: not measured yet.
        initial = tf.keras.initializers.Constant(-1.0)
        self.bounds = self.add_weight(name="bounds", shape=(input_shape[-1],), initializer=initial, trainable=False)

    def get_config(self):
        return {**super().get_config(), "bits": self.bits, "unsigned": self.unsigned}

    def finished(self, products):
        """Products of the quantized inputs and kernel with the layer's bias and activation."""
        outputs = tf.nn.bias_add(products, self.bias) if self.use_bias else products
        return outputs if self.activation is None else self.activation(outputs)

    def quantized_inputs(self, inputs):
        """The input at so many bits, in steps of each channel's bound; as it is where there is none yet."""
        is_measured = self.bounds >= 0
        bounds = tf.where(is_measured, self.bounds + _epsilon(inputs), tf.ones_like(self.bounds))
        if self.unsigned:
            levels = 2**self.bits
            quantized = _floor(tf.clip_by_value(inputs * (levels / bounds), 0.0, levels - 1.0)) * (bounds / levels)
        else:
            levels = 2 ** (self.bits - 1) - 1
            quantized = tf.clip_by_value(inputs * (levels / bounds), -float(levels), float(levels))
            quantized = _floor(quantized + 0.5) * (bounds / levels)
        return tf.where(is_measured, quantized, inputs)

    def quantized_kernel(self, kernel, axes):
        """The kernel at so many bits, in steps of the largest weight of each output channel."""
        levels = 2 ** (self.bits - 1) - 1
        bound = tf.reduce_max(tf.abs(kernel), axis=axes, keepdims=True) + _epsilon(kernel)
        scaled = tf.clip_by_value(kernel * (levels / bound), -float(levels), float(levels))
        return _floor(scaled + 0.5) * (bound / levels)


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class LowBitConv2D(LowBit, Conv2D):
    r"""A convolution of 8 or 4 bits.

    With $n = 2^{bits - 1} - 1$, weights $w$ of an output channel and inputs $x$ of an input channel become

    $$\frac{b}{n} \left\lfloor \mathrm{clip}\!\left(\frac{n x}{b}, -n, n\right) + \tfrac{1}{2} \right\rfloor, \qquad
    b_w = \max |w|, \quad b_x = \text{the layer's weight ``bounds''},$$

    unsigned inputs $\frac{b}{m} \lfloor \mathrm{clip}(m x / b, 0, m - 1) \rfloor$ with $m = 2^{bits}$. Rounding has the
    identity as its gradient, clipping its own. Bounds of -1, as in a new layer, leave the input as it is; they are a
    weight that is not trained, measured on data.

    Args:
        *args: Positional arguments of `bnext_keras.layers.Conv2D`.
        bits: 8 or 4.
        unsigned: Whether the input has no negative values.
        **kwargs: Any other argument of `bnext_keras.layers.Conv2D`.

    Raises:
        ValueError: if there are no such bits.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> layer = bnext_keras.layers.LowBitConv2D(1, 1, bits=4, kernel_initializer="ones")
        >>> layer.build((None, 1, 1, 1))
        >>> layer.bounds.assign([7.0])  # doctest: +ELLIPSIS
        <tf.Variable ...>
        >>> [round(float(layer(tf.fill((1, 1, 1, 1), x))[0, 0, 0, 0]), 3) for x in (2.4, 2.6, 9.0)]
        [2.0, 3.0, 7.0]

    Reference:
        Zhang et al., arXiv 2112.00133, and its released code.
    """

    def call(self, inputs):
        kernel = self.quantized_kernel(self.kernel, (0, 1, 2))
        return self.finished(self.convolution_op(self.quantized_inputs(inputs), kernel))


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class LowBitDepthwiseConv2D(LowBit, DepthwiseConv2D):
    """A depthwise convolution of 8 or 4 bits, see `LowBitConv2D`; each filter has a scale of its own.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.layers.LowBitDepthwiseConv2D(3, depth_multiplier=2)(tf.ones((1, 3, 3, 4))).shape.as_list()
        [1, 1, 1, 8]
    """

    def call(self, inputs):
        kernel = self.quantized_kernel(self.depthwise_kernel, (0, 1))
        options = {"padding": self.padding.upper(), "strides": (1, *self.strides, 1)}
        return self.finished(tf.nn.depthwise_conv2d(self.quantized_inputs(inputs), kernel, **options))


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class LowBitDense(LowBit, Dense):
    """A dense layer of 8 or 4 bits, see `LowBitConv2D`.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.layers.LowBitDense(10, role="head")(tf.ones((1, 4))).shape.as_list()
        [1, 10]
    """

    def build(self, input_shape):
        super().build(input_shape)
        # The released code of PokeBNN penalizes what has two dimensions or more.
        self.kernel.decays_as_kernel = True

    def call(self, inputs):
        return self.finished(product(self.quantized_inputs(inputs), self.quantized_kernel(self.kernel, (0,))))


@custom_gradient
def _floor(values):
    return tf.floor(values), lambda upstream: upstream


def _epsilon(values):
    """The distance from 1 to the next number; NumPy's finfo does not know bfloat16."""
    kind = values.dtype.as_numpy_dtype
    return np.nextafter(kind(1), kind(2)) - kind(1)
