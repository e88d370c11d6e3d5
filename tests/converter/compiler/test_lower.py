"""Every form of a binary convolution: exact in LCE, or refused by name."""

from itertools import product

from bnext_keras.layers import BinaryConv2D

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from larq_compute_engine import convert_keras_model
from larq_compute_engine.tflite.python.interpreter import Interpreter
from rewrites import KERNELS, conv

from converter import convert
from converter.compiler.lower import bounds
from converter.graph import BinaryCall


def assert_exact(model, lce_convs=1):
    images = np.random.default_rng(1).normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    result = convert(model)
    assert result.operators["LceBconv2d"] == lce_convs
    assert "CONV_2D" not in result.operators
    assert "LceDequantize" not in result.operators
    for name, options in KERNELS.items():
        answers = Interpreter(result.content, **options).predict(images)
        np.testing.assert_allclose(answers, model(images), rtol=1e-6, atol=1e-5, err_msg=name)
    return result


@pytest.mark.parametrize(("side", "stride", "padding"), list(product([1, 2, 3, 4, 7], [1, 2], [0.0, 1.0, -1.0])))
def test_3x3_convolutions_of_small_maps_are_exact(conv_model, side, stride, padding):
    assert_exact(
        conv_model((side, side, 32), filters=32, kernel_size=3, strides=stride, padding="same", pad_values=padding)
    )


@pytest.mark.parametrize(
    ("input_shape", "options"),
    [
        ((2, 4, 32), {"kernel_size": 3, "padding": "same"}),
        ((4, 2, 32), {"kernel_size": 3, "padding": "same"}),
        ((4, 4, 32), {"kernel_size": 5, "padding": "same"}),
        ((4, 4, 32), {"kernel_size": 3, "padding": "same", "dilation_rate": 2}),
        ((8, 8, 32), {"kernel_size": 3, "padding": "same", "dilation_rate": 2}),
        ((2, 2, 20), {"kernel_size": 3, "padding": "same"}),
        ((5, 5, 32), {"kernel_size": (3, 1), "padding": "same", "strides": (2, 1)}),
        ((5, 5, 32), {"kernel_size": 3, "padding": "valid"}),
        ((1, 1, 32), {"kernel_size": 1, "padding": "same", "pad_values": -1.0}),
        ((8, 8, 32), {"kernel_size": 3, "padding": "same", "activation": "relu"}),
        ((2, 2, 32), {"kernel_size": 3, "padding": "same", "use_bias": True, "bias_initializer": "ones"}),
        ((8, 8, 32), {"kernel_size": 3, "padding": "same", "kernel_quantizer": "magnitude_aware_sign"}),
    ],
)
def test_other_forms_are_exact(conv_model, input_shape, options):
    assert_exact(conv_model(input_shape, filters=32, **options))


@pytest.mark.parametrize(("groups", "channels", "side"), [(2, 64, 8), (2, 32, 8), (4, 64, 2)])
def test_groups_become_one_convolution_each(conv_model, groups, channels, side):
    model = conv_model((side, side, channels), filters=64, kernel_size=3, padding="same", groups=groups)
    assert_exact(model, lce_convs=groups)


def test_plain_lce_is_wrong_where_this_is_exact(conv_model):
    """The bug that the rewriting is for: when LCE has mended it, this fails and `lower` can shrink."""
    model = conv_model((2, 2, 32), filters=32, kernel_size=3, padding="same")
    images = np.random.default_rng(1).normal(size=(3, 2, 2, 32)).astype(np.float32)
    plain = convert_keras_model(model)
    assert np.abs(Interpreter(plain).predict(images) - model(images)).max() > 1
    assert_exact(model)


def test_a_layer_that_is_called_twice_is_converted_twice():
    image = tf.keras.Input((8, 8, 32))
    shared = BinaryConv2D(32, 3, name="shared")
    result = assert_exact(tf.keras.Model(image, shared(shared(image) + 0.5)), lce_convs=2)
    assert result.binary_convs == ["shared", "shared"]


def test_convolutions_in_nested_models_are_converted():
    image = tf.keras.Input((8, 8, 32))
    inner = tf.keras.Model(image, BinaryConv2D(32, 3, name="conv")(image), name="inner")
    outer = tf.keras.Input((8, 8, 32))
    result = assert_exact(tf.keras.Model(outer, BinaryConv2D(32, 3, name="conv")(inner(outer))), lce_convs=2)
    assert result.binary_convs == ["conv", "conv"]


@given(
    threshold=st.one_of(
        st.floats(-1e6, 1e6), st.integers(-9, 9).map(float), st.sampled_from([1e30, -1e30, 1e-40, -1e-40])
    ),
    falling=st.booleans(),
    flipped=st.booleans(),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_rounded_thresholds_compare_like_exact_ones(threshold, falling, flipped):
    layer = conv()
    layer.build((None, 6, 6, 1))
    call = BinaryCall(layer, 0, np.array([threshold]), falling, np.array([-1.0 if flipped else 1.0]))
    bound = bounds(call, np.float32)[0]
    near = np.float32(threshold)
    values = [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf)), np.float32(0)]
    for x in values:
        if 0 < abs(x) < np.finfo(np.float32).tiny:
            continue
        exact = float(x) - threshold
        if falling:
            exact = -exact
        expected = exact > 0 if flipped else exact >= 0
        difference = bound - x if falling else x + -bound
        assert (difference >= 0) == expected
