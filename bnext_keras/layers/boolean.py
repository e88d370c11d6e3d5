"""BoolNet's layers: several signs of one map at different thresholds, and borders that repeat the edge."""

import larq as lq
import numpy as np
import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class GhostSign(tf.keras.layers.Layer):
    r"""Signs of a map at ``slices`` thresholds, side by side: slice by slice, each with all channels.

    $$y_j = \mathrm{sign}(x + t_j), \qquad \frac{\partial y_j}{\partial x} = \mathbb{1}_{|x + t_j| \leq 1}, \qquad
    t = \frac{\{-k/2, \ldots, -1, 1, \ldots, k/2\}}{k/2 + 1}, \quad t = 0 \text{ for } k = 1.$$

    Args:
        slices: Their number k, 1 or even.

    Raises:
        ValueError: if the number is odd and not 1.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.layers.GhostSign(4)(tf.constant([[[[0.5]]]])).numpy().ravel().tolist()
        [-1.0, 1.0, 1.0, 1.0]

    Reference:
        Guo et al., "BoolNet: Minimizing The Energy Consumption of Binary Neural Networks", arXiv 2106.06991.
    """

    def __init__(self, slices, **kwargs):
        if slices != 1 and (slices < 2 or slices % 2):
            raise ValueError(f"slices must be 1 or even, got {slices}")
        super().__init__(**kwargs)
        self.slices = slices

    @property
    def thresholds(self):
        """What is added before each sign."""
        if self.slices == 1:
            return [0.0]
        half = self.slices // 2
        return [i / (half + 1) for i in range(-half, half + 1) if i]

    def call(self, inputs):
        signs = [lq.quantizers.ste_sign(inputs + threshold) for threshold in self.thresholds]
        return signs[0] if self.slices == 1 else tf.concat(signs, axis=-1)

    def get_config(self):
        return {**super().get_config(), "slices": self.slices}


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class RepeatEdges(tf.keras.layers.Layer):
    """Pads a map by repeating its outermost rows and columns.

    Args:
        padding: ``((top, bottom), (left, right))``, as in `tf.keras.layers.ZeroPadding2D`.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> row = tf.reshape([1.0, 2.0], (1, 1, 2, 1))
        >>> bnext_keras.layers.RepeatEdges(((0, 0), (2, 1)))(row).numpy().ravel().tolist()
        [1.0, 1.0, 1.0, 2.0, 2.0]
    """

    def __init__(self, padding, **kwargs):
        super().__init__(**kwargs)
        self.padding = tuple(tuple(pair) for pair in padding)

    def call(self, inputs):
        left = np.array(self.padding)
        # A mirror that repeats the edge, one pixel at a time: TFLite has an operator for it.
        while left.any():
            step = np.minimum(left, 1)
            inputs = tf.pad(inputs, [(0, 0), *step, (0, 0)], mode="SYMMETRIC")
            left = left - step
        return inputs

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class TakeChannels(tf.keras.layers.Layer):
    """The channels of a map with these numbers, in this order.

    Args:
        channels: Their numbers, from 0.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.layers.TakeChannels([2, 0])(tf.constant([[5.0, 6.0, 7.0]])).numpy().tolist()
        [[7.0, 5.0]]
    """

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = [int(channel) for channel in channels]

    def call(self, inputs):
        return tf.gather(inputs, np.array(self.channels, np.int32), axis=-1)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}
