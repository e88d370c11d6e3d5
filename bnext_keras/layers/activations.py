"""Activations that Keras does not have."""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class DPReLU(tf.keras.layers.Layer):
    r"""A PReLU with a slope on either side, around a point that is learned: *dynamic* PReLU.

    $$y = s\,(x - a) - c, \qquad s = s_+ \text{ for } x \geq a, \quad s_- \text{ below},$$

    all of them learned for each channel; at first $a = c = 0$, $s_+ = 1$, $s_- = 0.25$.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.layers.DPReLU()(tf.constant([[-4.0], [2.0]])).numpy().ravel().tolist()
        [-1.0, 2.0]

    Reference:
        Zhang, Zhang, Lew, "PokeBNN: A Binary Pursuit of Lightweight Accuracy", arXiv 2112.00133.
    """

    def build(self, input_shape):
        def add(name, value):
            initial = tf.keras.initializers.Constant(value)
            return self.add_weight(name=name, shape=(input_shape[-1],), initializer=initial)

        self.bias_x = add("bias_x", 0.0)
        self.bias_y = add("bias_y", 0.0)
        self.neg_slope = add("neg_slope", 0.25)
        self.pos_slope = add("pos_slope", 1.0)
        super().build(input_shape)

    def call(self, inputs):
        shifted = inputs - self.bias_x
        return tf.where(shifted >= 0, self.pos_slope, self.neg_slope) * shifted - self.bias_y


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class HardSigmoid(tf.keras.layers.Layer):
    """``min(max(x + 3, 0), 6) / 6``, a sigmoid of three pieces.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.layers.HardSigmoid()(tf.constant([-4.0, 0.0, 1.5, 9.0])).numpy().tolist()
        [0.0, 0.5, 0.75, 1.0]

    Reference:
        Howard et al., "Searching for MobileNetV3", arXiv 1905.02244, section 5.2.
    """

    def call(self, inputs):
        return tf.nn.relu6(inputs + 3) / 6


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class LeakyClip(tf.keras.layers.Layer):
    """The identity in [-1, 1], with a slope of 0.1 outside.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> [round(float(y), 3) for y in bnext_keras.layers.LeakyClip()(tf.constant([-3.0, -0.5, 2.0]))]
        [-1.2, -0.5, 1.1]

    Reference:
        The first block of Bi-Real Net's code for 50 layers (liuzechun/Bi-Real-net).
    """

    def call(self, inputs):
        return 0.9 * tf.clip_by_value(inputs, -1.0, 1.0) + 0.1 * inputs
