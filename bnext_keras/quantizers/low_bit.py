r"""Kernels of 8 and 4 bits for what is not binary, simulated in training so that a file can hold just these values.

With $n = 2^{bits - 1} - 1$, the weights $w$ of each output channel become

$$q(w) = s \,\mathrm{round}(w / s), \qquad s = \max |w| / n, \qquad \frac{\partial q}{\partial w} = 1,$$

whole numbers from -n to n times one scale; a channel of zeros stays one. Nothing is clipped, because the largest weight
is n steps, so the straight-through gradient is that of every weight.

BNext's released code rounds likewise, but asymmetrically and for a stem with one scale of the whole kernel. TFLite's
files hold 8-bit weights in this form alone: symmetric, with one scale for each output channel. Trained in it, they lose
nothing on their way into a file.

Reference:
    Guo et al., arXiv 2211.12933, which counts stem, squeeze-and-expand and head with 8, 4 and 8 bits; Jacob et al.,
    "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", arXiv 1712.05877,
    section 3 (CVPR 2018); Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference", arXiv
    1806.08342, sections 2.2 to 2.4 and 3.1: symmetric, per channel, with the straight-through estimator.
"""

from bnext_keras.gradients import custom_gradient
from bnext_keras.roles import check_bits

import tensorflow as tf


def fake_quantized(kernel: tf.Tensor, bits: int) -> tf.Tensor:
    """The values of a kernel that so many bits can hold, symmetrically and with one scale for each output channel.

    Args:
        kernel: Floats ``(..., output channels)``.
        bits: 2 to 8.

    Returns:
        A tensor of the same shape and type. Its gradient goes to the kernel as it is.

    Raises:
        ValueError: if there are no such bits.

    Example:
        >>> import tensorflow as tf
        >>> kernel = tf.constant([[0.7, -30.0], [-0.24, 13.0]])
        >>> fake_quantized(kernel, 4).numpy().astype(float).round(2).tolist()
        [[0.7, -30.0], [-0.2, 12.86]]
    """
    largest = 2 ** (check_bits(bits) - 1) - 1

    @custom_gradient
    def rounded(weights):
        exact = tf.cast(weights, tf.float32) if weights.dtype.size < tf.float32.size else weights
        steps = tf.reduce_max(tf.abs(exact), axis=list(range(exact.shape.rank - 1))) / largest
        # Not 0 / 0 in a channel of zeros, nor a step that a processor takes for 0: such channels become zeros.
        steps = tf.where(steps >= 1e-37, steps, tf.ones_like(steps))
        return tf.cast(tf.round(exact / steps) * steps, weights.dtype), lambda upstream: upstream

    return rounded(tf.convert_to_tensor(kernel))
