"""The float twin of a network: the same layers without signs."""

import bnext_keras
from bnext_keras.recipes import read
from bnext_keras.training.student import build_model
from bnext_keras.twin import float_kernels, float_twin
from bnext_keras.zoo import quicknet

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


def test_float_kernels_are_a_first_step_whose_weights_the_binary_network_takes(tmp_path, monkeypatch):
    monkeypatch.setitem(quicknet.SECTIONS, "QuickNetSmall", ((32, 32), (1, 1)))
    options = {"input_shape": (32, 32, 3), "num_classes": 10}
    first = float_kernels(bnext_keras.zoo.QuickNetSmall(**options))
    conv = first.get_layer("section0_block0_conv")
    assert (conv.kernel_quantizer, conv.kernel_constraint, conv.input_quantizer.clip_value) == (None, None, 1.25)
    first.save(tmp_path / "first.h5")
    second = bnext_keras.zoo.QuickNetSmall(**options, weights=tmp_path / "first.h5")
    assert second.get_layer("section0_block0_conv").kernel_quantizer.precision == 1
    for weight, expected in zip(second.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    images = np.random.default_rng(0).standard_normal((1, 8, 8, 32)).astype(np.float32)
    np.testing.assert_allclose(
        conv(images),
        tf.nn.conv2d(
            lq.math.sign(np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=1)), conv.kernel, 1, "VALID"
        ),
        rtol=1e-4,
        atol=1e-4,
    )


def test_a_tangent_stands_in_the_signs_place_and_survives_a_file(tmp_path, small_bnext):
    model = float_kernels(small_bnext, tanh=True, keep_weights=True)
    conv = model.get_layer("block1_3x3_conv")
    np.testing.assert_array_equal(conv.kernel, small_bnext.get_layer("block1_3x3_conv").kernel)
    inputs = tf.constant([[[[-0.5] * 32, [2.0] * 32]]])
    model.save(tmp_path / "model.h5")
    for each in (conv, bnext_keras.model_files.load_model(tmp_path / "model.h5").get_layer("block1_3x3_conv")):
        np.testing.assert_allclose(each(inputs), tf.nn.conv2d(tf.tanh(inputs), conv.kernel, 1, "SAME"), atol=1e-7)


def test_a_recipe_trains_the_twin():
    recipe = read("digits")[1].with_settings(["float_twin=true", "widths=8,16"])
    model = build_model(recipe, class_names=list("0123456789"))
    assert bnext_keras.quantizers.temperatures(model) == {}
    assert model.output_shape == (None, 10)
    assert bnext_keras.classes.stated(model).class_names == tuple("0123456789")
