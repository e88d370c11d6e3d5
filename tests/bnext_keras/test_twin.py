"""The float twin of a network: the same layers without signs."""

import bnext_keras
from bnext_keras.recipes import read
from bnext_keras.training.student import build_model
from bnext_keras.twin import float_twin

import larq as lq
import numpy as np
import tensorflow as tf


def test_no_layer_of_the_twin_quantizes(small_bnext):
    twin = float_twin(small_bnext)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in small_bnext.layers]
    convs = [layer for layer in twin.layers if isinstance(layer, lq.layers.QuantConv2D)]
    assert len(convs) == 6
    for conv in convs:
        assert (conv.input_quantizer, conv.kernel_quantizer, conv.kernel_constraint) == (None, None, None)
        assert np.abs(conv.kernel.numpy()).max() > 0.01  # latent weights begin at 0.001
    # A float network follows its input, where signs do not.
    images = np.random.default_rng(0).standard_normal((1, 32, 32, 3)).astype(np.float32)
    conv = twin.get_layer(convs[0].name)
    inner = tf.keras.Model(twin.input, [conv.input, conv.output])
    inputs, outputs = inner(images)
    np.testing.assert_allclose(conv(2 * inputs), 2 * outputs, rtol=1e-4, atol=1e-5)


def test_a_recipe_trains_the_twin():
    recipe = read("digits")[1].with_settings(["float_twin=true", "widths=8,16"])
    model = build_model(recipe, class_names=list("0123456789"))
    assert bnext_keras.quantizers.temperatures(model) == {}
    assert model.output_shape == (None, 10)
    assert bnext_keras.classes.stated(model).class_names == tuple("0123456789")
