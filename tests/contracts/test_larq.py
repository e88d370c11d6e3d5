"""What Larq does not document and the packages use: see docs/private-api.md."""

import larq as lq
import numpy as np
import tensorflow as tf


def test_larq_lists_the_layers_that_multiply():
    from larq.models import mac_containing_layers

    kinds = tf.keras.layers.Conv2D, tf.keras.layers.DepthwiseConv2D, tf.keras.layers.Dense
    assert set(kinds) | {lq.layers.QuantConv2D, lq.layers.QuantDense} <= set(mac_containing_layers)


def test_larq_counts_the_pixels_of_an_output():
    from larq.models import LayerProfile

    model = tf.keras.Sequential([lq.layers.QuantConv2D(2, 3, strides=2, padding="same", input_shape=(8, 6, 3))])
    assert LayerProfile(model.layers[0]).output_pixels == 4 * 3


def test_a_layer_asks_for_its_quantizer_in_every_call():
    layer = lq.layers.QuantConv2D(1, 1, input_quantizer="ste_sign", kernel_initializer="ones")
    image = tf.constant([[[[0.5]]]])
    assert layer(image).numpy().item() == 1
    assert layer.input_quantizer.precision == 1
    own = layer.input_quantizer
    vars(layer)["input_quantizer"] = lambda values: -own(values)
    assert layer(image).numpy().item() == -1
    assert np.array_equal(layer.get_weights()[0].ravel(), [1])
