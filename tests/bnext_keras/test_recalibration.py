"""Statistics of batch normalizations, measured anew."""

from bnext_keras import models
from bnext_keras.quantizers import temperatures
from bnext_keras.recalibration import recalibrate

import numpy as np
import pytest
import tensorflow as tf

Layers = tf.keras.layers
RNG = np.random.default_rng(0)


def normed(*layers):
    norm = Layers.BatchNormalization(name="norm")
    return tf.keras.Sequential([tf.keras.Input((4,)), *layers, norm]), norm


def test_statistics_become_the_averages_of_the_batches():
    model, norm = normed()
    batches = [RNG.normal(3, 2, (16, 4)).astype(np.float32) for _ in range(3)]
    assert recalibrate(model, tf.data.Dataset.from_tensor_slices((np.stack(batches), [0, 1, 2]))) is model
    np.testing.assert_allclose(norm.moving_mean, np.mean([batch.mean(0) for batch in batches], 0), rtol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, np.mean([batch.var(0) for batch in batches], 0), rtol=1e-5)
    assert norm.momentum == 0.99
    assert "call" not in vars(norm)


def test_a_frozen_layer_is_measured_and_stays_frozen():
    model, norm = normed(Layers.Dropout(0.5))
    norm.trainable = False
    recalibrate(model, [np.full((8, 4), 2, np.float32)])
    assert not norm.trainable
    # Nothing is dropped.
    np.testing.assert_allclose(norm.moving_mean, 2)


def test_soft_kernels_are_measured_as_binary_ones():
    model = models.BNext([8, 16], input_shape=(16, 16, 3), num_classes=2)
    images = RNG.standard_normal((8, 16, 16, 3)).astype(np.float32)
    recalibrate(model, [images])
    expected = model.get_layer("block1_3x3_bn1").moving_variance.numpy()
    for variable in temperatures(model).values():
        variable.assign(0.5)
    recalibrate(model, [images])
    np.testing.assert_array_equal(model.get_layer("block1_3x3_bn1").moving_variance, expected)


@pytest.mark.parametrize(
    ("batches", "message"),
    [([], "there is no batch"), ([np.full((8, 4), np.nan, np.float32)], "a statistic is not a finite number")],
)
def test_what_cannot_be_measured_changes_nothing(batches, message):
    model, norm = normed()
    with pytest.raises(ValueError, match=message):
        recalibrate(model, batches)
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(4))
    np.testing.assert_array_equal(norm.moving_variance, np.ones(4))
