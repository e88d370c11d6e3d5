r"""Signs of kernels, times a mean or a maximum of the latent weights.

In a convolution that a batch normalization follows, such a scale changes nothing after training: it is folded into the
normalization. In training it decides how large the gradients are. Bi-Real Net's and ReActNet's, a mean for each output
channel without a gradient of its own, is Larq's `larq.quantizers.MagnitudeAwareSign`; the others are here.

Kernels have the output channels last, as Keras has them: ``(height, width, in, out)`` or ``(in, out)``.
"""

from bnext_keras.gradients import custom_gradient
from bnext_keras.quantizers.signs import AnnealedSign
from bnext_keras.schedules import ANNEALED

import larq as lq
import numpy as np
import tensorflow as tf


@lq.utils.register_keras_custom_object
class XnorSign(lq.quantizers.Quantizer):
    r"""XNOR-Net's sign, times the mean magnitude of each output channel, through which gradients flow too.

    With $V = \mathrm{clip}(W, -1, 1)$ and $n$ weights in a channel,

    $$q(W) = \alpha\, \mathrm{sign}(V), \quad \alpha = \tfrac{1}{n} \sum |V|, \qquad
    \frac{\partial L}{\partial W} = \mathbb{1}_{|W| \leq 1} \left(\alpha\, g
    + \mathrm{sign}(W)\, \tfrac{1}{n} \sum g\, \mathrm{sign}(V)\right)$$

    for a gradient $g$ from above.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> kernel = tf.constant([[0.5, -2.0], [-0.1, 0.2]])
        >>> bnext_keras.quantizers.XnorSign()(kernel).numpy().astype(float).round(2).tolist()
        [[0.3, -0.6], [-0.3, 0.6]]

    Reference:
        Rastegari et al., "XNOR-Net", arXiv 1603.05279, as Larq Zoo has it.
    """

    precision = 1

    def call(self, inputs):
        clipped = tf.clip_by_value(inputs, -1.0, 1.0)
        return _channel_mean(tf.abs(clipped)) * lq.quantizers.ste_sign(clipped)


@lq.utils.register_keras_custom_object
class KernelMeanSign(lq.quantizers.Quantizer):
    r"""The sign, times the mean magnitude of the whole kernel, with the identity as pseudo-gradient.

    $$q(W) = \mathrm{mean}|W|\; \mathrm{sign}(W), \qquad \frac{\partial q}{\partial W} = 1.$$

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> kernel = tf.constant([[0.5, -2.0], [-0.25, 0.25]])
        >>> bnext_keras.quantizers.KernelMeanSign()(kernel).numpy().tolist()
        [[0.75, -0.75], [-0.75, 0.75]]

    References:
        Zhou et al., "DoReFa-Net", arXiv 1606.06160, section 2.3; Zhuang et al., "Structured Binary Neural Networks",
        arXiv 1811.10413, and its released code.
    """

    precision = 1

    def call(self, inputs):
        @custom_gradient
        def binarize(kernel):
            return tf.reduce_mean(tf.abs(kernel)) * lq.math.sign(kernel), lambda upstream: upstream

        return binarize(tf.convert_to_tensor(inputs))


@lq.utils.register_keras_custom_object
class AnnealedMeanSign(AnnealedSign):
    r"""BoolNet's kernels: signs that harden during training, times the mean magnitude of each output channel.

    In training, with temperature $T$ and $n$ weights in a channel,

    $$q(W) = \alpha\, \mathrm{clip}(W / T, -1, 1) \text{ for } T \geq 10^{-7}, \qquad
    \alpha\, \mathrm{sign}(W) \text{ below}, \qquad \alpha = \tfrac{1}{n} \sum |W|,$$

    The clipped quotient and the sign have 1 as their pseudo-gradient where $|W| \leq 1$, at any temperature; the mean
    has its own gradient.
    Outside training it is always $\alpha\, \mathrm{sign}(W)$. A `bnext_keras.callbacks.WeightTemperature` lowers the
    temperature.

    Reference:
        Guo et al., "BoolNet", arXiv 2106.06991, and its released code.
    """

    def call(self, inputs, training=None):
        scale = _channel_mean(tf.abs(inputs))
        if not training:
            return scale * lq.math.sign(inputs)
        temperature = tf.cast(self.temperature, inputs.dtype)

        @custom_gradient
        def harden(latent):
            floor = tf.constant(ANNEALED, latent.dtype)
            relaxed = tf.clip_by_value(latent / tf.maximum(temperature, floor), -1.0, 1.0)
            passes = tf.abs(latent) <= 1
            return tf.where(temperature < floor, lq.math.sign(latent), relaxed), lambda upstream: tf.where(
                passes, upstream, tf.zeros_like(upstream)
            )

        return scale * harden(tf.convert_to_tensor(inputs))


@lq.utils.register_keras_custom_object
class PokeSign(lq.quantizers.Quantizer):
    r"""PokeBNN's sign of activations: together with `PokeKernelSign` it is the paper's $1.5\, \mathrm{sign}(x)$.

    $$q(x) = \mathrm{sign}(x), \qquad \frac{\partial q}{\partial x} = \tfrac{2}{3}
    \text{ for } |x| < 3\,(1 - 2^{-7}), \quad 0 \text{ elsewhere}.$$

    The factor of 1.5, with its gradient of 1, is in the kernel instead: so activations are plain signs, which Larq
    Compute Engine runs.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.quantizers.PokeSign()(tf.constant([-0.3, 0.0, 2.0])).numpy().tolist()
        [-1.0, 1.0, 1.0]

    Reference:
        Zhang et al., "PokeBNN", arXiv 2112.00133, and its released code.
    """

    precision = 1
    limit = 3 * (1 - 2**-7)

    def call(self, inputs):
        @custom_gradient
        def binarize(values):
            passes = tf.abs(values) < self.limit
            return lq.math.sign(values), lambda upstream: tf.where(passes, upstream * (2 / 3), tf.zeros_like(upstream))

        return binarize(tf.convert_to_tensor(inputs))


@lq.utils.register_keras_custom_object
class PokeKernelSign(lq.quantizers.Quantizer):
    r"""PokeBNN's kernels: signs times half the largest weight of each output channel, and `PokeSign`'s 1.5.

    $$q(W) = 0.75\, \max |W|\; \mathrm{sign}(W), \qquad
    \frac{\partial q}{\partial W} = 1.5 \text{ for } |W| < \max |W|, \quad 0 \text{ at the largest}.$$

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> kernel = tf.constant([[0.5, -2.0], [-0.25, 0.25]])
        >>> bnext_keras.quantizers.PokeKernelSign()(kernel).numpy().astype(float).round(3).tolist()
        [[0.375, -1.5], [-0.375, 1.5]]

    Reference:
        Zhang et al., "PokeBNN", arXiv 2112.00133, and its released code.
    """

    precision = 1

    def call(self, inputs):
        @custom_gradient
        def binarize(kernel):
            magnitude = tf.abs(kernel)
            bound = tf.reduce_max(magnitude, axis=list(range(kernel.shape.rank - 1)))
            passes = magnitude < bound
            # The released code adds the float type's epsilon to every bound.
            scale = 0.75 * (bound + np.finfo(kernel.dtype.as_numpy_dtype).eps)
            return scale * lq.math.sign(kernel), lambda upstream: tf.where(
                passes, 1.5 * upstream, tf.zeros_like(upstream)
            )

        return binarize(tf.convert_to_tensor(inputs))


def _channel_mean(values):
    return tf.reduce_mean(values, axis=list(range(values.shape.rank - 1)))
