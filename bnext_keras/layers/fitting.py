"""PokeBNN's shortcuts: a map becomes one of other channels without a single weight."""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class FitChannels(tf.keras.layers.Layer):
    """Gives a map another number of channels.

    Of more channels than wanted, each result is the mean of n consecutive ones, n = in // out, and what is left over is
    dropped. Of fewer, zeros are appended, or the channels repeat until there are enough.

    Args:
        filters: The wanted number.
        repeat: Whether channels repeat; if not, zeros are appended.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> x = tf.constant([[[[1.0, 3.0]]]])
        >>> [bnext_keras.layers.FitChannels(n)(x).numpy().ravel().tolist() for n in (1, 4)]
        [[2.0], [1.0, 3.0, 0.0, 0.0]]
        >>> bnext_keras.layers.FitChannels(4, repeat=True)(x).numpy().ravel().tolist()
        [1.0, 3.0, 1.0, 3.0]

    Reference:
        Zhang et al., "PokeBNN", arXiv 2112.00133, section 3.2, and its released code.
    """

    def __init__(self, filters, repeat=False, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.repeat = repeat

    def call(self, inputs):
        channels = inputs.shape[-1]
        if channels > self.filters:
            number = channels // self.filters
            kept = inputs[..., : self.filters * number]
            # Slices, for interpreters know no more than four dimensions of everything else.
            parts = [kept[..., i::number] for i in range(number)]
            return tf.add_n(parts) / number
        if channels < self.filters and self.repeat:
            return tf.concat([inputs] * -(-self.filters // channels), axis=-1)[..., : self.filters]
        if channels < self.filters:
            return tf.pad(inputs, [(0, 0)] * (inputs.shape.rank - 1) + [(0, self.filters - channels)])
        return inputs

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "repeat": self.repeat}
