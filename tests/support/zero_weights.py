"""Networks whose weights are nothing but zeros."""

from contextlib import contextmanager

import pytest
import tensorflow as tf


def fill_with_zeros(monkeypatch):
    """Makes Keras' random initializers return zeros: random numbers take half of the time to build BNext-L."""
    for initializer in (tf.keras.initializers.RandomNormal, tf.keras.initializers.VarianceScaling):
        monkeypatch.setattr(initializer, "__call__", lambda self, shape, dtype=None, **kwargs: tf.zeros(shape, dtype))


@contextmanager
def zero_weights():
    """Has networks built within it start from zeros: for those that get their weights from elsewhere."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        fill_with_zeros(monkeypatch)
        yield
