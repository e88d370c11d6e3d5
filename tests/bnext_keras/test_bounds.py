"""Bounds of layers of 8 and 4 bits, measured."""

from bnext_keras.bounds import measure_bounds
from bnext_keras.layers import LowBitConv2D, LowBitDense

import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture
def model():
    return tf.keras.Sequential(
        [
            LowBitConv2D(2, 1, use_bias=False, kernel_initializer="ones", input_shape=(2, 2, 1), name="conv"),
            tf.keras.layers.GlobalAveragePooling2D(),
            LowBitDense(1, bits=4, name="dense"),
        ]
    )


def test_a_bound_is_the_mean_of_the_batches_largest(model):
    batches = [(np.full((3, 2, 2, 1), 2.0, np.float32), None), (np.full((1, 2, 2, 1), -1.0, np.float32), None)]
    batches[0][0][1, 0, 1, 0] = -7.0
    assert measure_bounds(model, batches) == ["conv", "dense"]
    np.testing.assert_allclose(model.get_layer("conv").bounds, [4.0])
    # Nothing is rounded meanwhile: the kernel of ones passes means of 2, -1/4 and -1 on.
    np.testing.assert_allclose(model.get_layer("dense").bounds, [1.5, 1.5], rtol=1e-6)
    # From now on it is: 127 steps to 4.
    quantized = model.get_layer("conv").quantized_inputs(tf.constant([[[[0.02]]]]))
    np.testing.assert_allclose(quantized, [[[[4 / 127]]]], rtol=1e-6)


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "no batch to measure on"),
        ([np.full((1, 2, 2, 1), np.nan, np.float32)], "the inputs of layer 'conv' are not finite numbers"),
    ],
)
def test_what_cannot_be_measured_stays_as_it_was(model, batches, message):
    model.get_layer("dense").bounds.assign([5.0, 6.0])
    with pytest.raises(ValueError, match=message):
        measure_bounds(model, batches)
    assert model.get_layer("conv").bounds.numpy().tolist() == [-1.0]
    assert model.get_layer("dense").bounds.numpy().tolist() == [5.0, 6.0]


def test_a_network_without_such_layers_is_named(small_bnext):
    with pytest.raises(ValueError, match="small_bnext has no layers of 8 or 4 bits"):
        measure_bounds(small_bnext, [])
