"""What Larq does not document and the packages use: see docs/private-api.md."""

import larq as lq
import numpy as np
import tensorflow as tf


def test_larq_lists_the_layers_that_multiply():
    from larq.models import mac_containing_layers

    kinds = tf.keras.layers.Conv2D, tf.keras.layers.DepthwiseConv2D, tf.keras.layers.Dense
    assert set(kinds) | {lq.layers.QuantConv2D, lq.layers.QuantDense} <= set(mac_containing_layers)


def test_a_layer_asks_for_its_quantizer_in_every_call():
    layer = lq.layers.QuantConv2D(1, 1, input_quantizer="ste_sign", kernel_initializer="ones")
    image = tf.constant([[[[0.5]]]])
    assert layer(image).numpy().item() == 1
    assert layer.input_quantizer.precision == 1
    own = layer.input_quantizer
    vars(layer)["input_quantizer"] = lambda values: -own(values)
    assert layer(image).numpy().item() == -1
    assert np.array_equal(layer.get_weights()[0].ravel(), [1])


def test_one_variable_is_quantized_in_two_ways():
    from larq.quantized_variable import QuantizedVariable

    variable = tf.Variable([0.5, -2.0])
    both = [QuantizedVariable.from_variable(variable, quantizer) for quantizer in (tf.sign, lambda x: 3 * x)]
    with lq.context.quantized_scope(True):
        assert [tf.convert_to_tensor(one).numpy().tolist() for one in both] == [[1, -1], [1.5, -6]]
    variable.assign([1.0, 1.0])
    assert both[1].numpy().tolist() == [1, 1]


def test_a_latent_weight_is_cast_after_it_is_quantized():
    from larq.quantized_variable import QuantizedVariable
    from tf_keras.src.mixed_precision.autocast_variable import AutoCastVariable

    seen = []

    class Noting(lq.quantizers.SteSign):
        def call(self, inputs):
            seen.append(inputs.dtype)
            return super().call(inputs)

    options = {"kernel_quantizer": Noting(), "kernel_constraint": "weight_clip", "dtype": "mixed_float16"}
    layer = lq.layers.QuantDense(1, **options)
    assert layer(tf.ones((1, 2))).dtype == tf.float16
    assert seen == [tf.float32]
    assert isinstance(layer.kernel, AutoCastVariable)
    assert isinstance(layer.kernel._variable, QuantizedVariable)
