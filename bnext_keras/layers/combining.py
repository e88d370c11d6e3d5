"""Layers that mix or sum several maps of one shape by a few learned numbers."""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class SoftGate(tf.keras.layers.Layer):
    r"""Mixes two maps by one learned number: $\sigma(\theta)\,a + (1 - \sigma(\theta))\,b$.

    Takes a list of two maps of the same shape; the number starts at 0, a mean.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> float(bnext_keras.layers.SoftGate()([tf.ones((1, 1)), tf.zeros((1, 1))])[0, 0])
        0.5

    Reference:
        Zhuang et al., arXiv 1811.10413, section 3.2.
    """

    def build(self, input_shape):
        self.theta = self.add_weight(name="theta", shape=(), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs):
        first, second = inputs
        share = tf.sigmoid(self.theta)
        return share * first + (1 - share) * second

    def compute_output_shape(self, input_shape):
        return input_shape[0]


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class ScaledSum(tf.keras.layers.Layer):
    """Sums a list of maps, each times a learned number that starts at 1 / (number of maps).

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> float(bnext_keras.layers.ScaledSum()([tf.ones((1, 1)), 3 * tf.ones((1, 1))])[0, 0])
        2.0

    Reference:
        Zhuang et al., arXiv 1811.10413, section 3.2.
    """

    def build(self, input_shape):
        number = len(input_shape)
        initial = tf.keras.initializers.Constant(1 / number)
        self.scales = self.add_weight(name="scales", shape=(number,), initializer=initial)
        super().build(input_shape)

    def call(self, inputs):
        return tf.add_n([self.scales[i] * x for i, x in enumerate(inputs)])

    def compute_output_shape(self, input_shape):
        return input_shape[0]
