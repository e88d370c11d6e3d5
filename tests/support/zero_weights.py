"""Networks whose weights are nothing but zeros."""

import tensorflow as tf


def fill_with_zeros(monkeypatch):
    """Makes Keras' random initializers return zeros: random numbers take half of the time to build BNext-L."""
    for initializer in (tf.keras.initializers.RandomNormal, tf.keras.initializers.VarianceScaling):
        monkeypatch.setattr(initializer, "__call__", lambda self, shape, dtype=None, **kwargs: tf.zeros(shape, dtype))
