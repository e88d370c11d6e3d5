"""Layers that become binary convolutions though they are called otherwise: exact, in LCE and in the engine."""

from bnext_keras.quantizers import KernelMeanSign

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from rewrites import randomize

from android_demo.runner import Interpreter as Engine
from converter import convert
from converter.advice import advise
from converter.compiler.emit import run
from converter.compiler.trace import trace
from converter.source.binary_layers import binary_convs, signs_moved_into_convolutions
from converter.tflite.interpreter import Interpreter

Layers = tf.keras.layers
SIGN = {"input_quantizer": "ste_sign", "use_bias": False}
BINARY = {**SIGN, "kernel_quantizer": "ste_sign"}
HALVES = {**SIGN, "depthwise_quantizer": "ste_sign", "pointwise_quantizer": "ste_sign"}


def dense(units=8, **options):
    return lq.layers.QuantDense(units, **{**BINARY, **options})


def conv1d(filters=8, size=3, **options):
    return lq.layers.QuantConv1D(filters, size, **{**BINARY, **options})


def transposed(filters=8, size=4, strides=2, **options):
    return lq.layers.QuantConv2DTranspose(filters, size, strides, **{**BINARY, **options})


def chained(shape, *layers):
    image = x = tf.keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return randomize(tf.keras.Model(image, x))


CASES = {
    "dense": lambda: chained((33,), dense()),
    "dense with bias and activation": lambda: chained((33,), dense(use_bias=True, activation="relu")),
    "dense with scales": lambda: chained((33,), dense(kernel_quantizer="magnitude_aware_sign")),
    "dense on a map": lambda: chained((3, 4, 5), dense()),
    "conv1d": lambda: chained((9, 5), conv1d()),
    "conv1d padded": lambda: chained((9, 5), conv1d(padding="same", strides=2)),
    "conv1d padded with ones": lambda: chained((9, 5), conv1d(padding="same", pad_values=1.0, dilation_rate=2)),
    "conv1d causal": lambda: chained((9, 5), conv1d(padding="causal", dilation_rate=2)),
    "conv1d causal with strides": lambda: chained((9, 5), conv1d(padding="causal", strides=2)),
    "conv1d shorter than its kernel": lambda: chained((2, 5), conv1d(size=5, padding="same")),
    "separable": lambda: chained((6, 7, 5), lq.layers.QuantSeparableConv2D(8, 3, padding="same", **HALVES)),
    "separable with strides": lambda: chained((6, 7, 5), lq.layers.QuantSeparableConv2D(8, 3, strides=2, **HALVES)),
    "separable over time": lambda: chained((9, 5), lq.layers.QuantSeparableConv1D(8, 3, padding="causal", **HALVES)),
    "transposed": lambda: chained((4, 5, 6), transposed()),
    "transposed and cropped": lambda: chained((4, 5, 6), transposed(padding="same")),
    "transposed without overlap": lambda: chained((4, 5, 6), transposed(size=2, padding="same", use_bias=True)),
    "transposed, wide": lambda: chained((2, 1, 6), transposed(size=(6, 3), strides=3, padding="same")),
    "transposed without strides": lambda: chained((4, 5, 6), transposed(size=3, strides=1, padding="same")),
    # Larq's scales are those of its input channels, which have no binary form.
    "transposed with a scale": lambda: chained((4, 5, 6), transposed(kernel_quantizer=KernelMeanSign())),
}


@pytest.mark.parametrize("case", CASES)
def test_a_form_computes_what_its_layer_computes(case):
    model = CASES[case]()
    graph = trace(model)
    assert [node.op for node in graph.nodes()].count("BinaryConv2D") == 1
    images = np.random.default_rng(1).normal(size=(2, *model.input_shape[1:])).astype(np.float32)
    np.testing.assert_allclose(run(graph, images), model(images), rtol=1e-6, atol=1e-6)


def assert_verified(model, convs):
    result = convert(model, engines={"the engine": Engine})
    assert len(result.binary_convs) == convs
    assert result.operators["LceBconv2d"] == convs
    assert not {"CONV_2D", "FULLY_CONNECTED", "LceDequantize"} & set(result.operators)
    images = np.random.default_rng(2).normal(size=(2, *model.input_shape[1:])).astype(np.float32)
    answers = Interpreter(result.content).run_each(images)[0]
    np.testing.assert_allclose(answers, model(images), rtol=1e-4, atol=1e-3)
    return result


def test_dense_layers_and_convolutions_over_time_are_verified():
    model = chained(
        (12, 32),
        conv1d(32, padding="same"),
        Layers.BatchNormalization(),
        conv1d(32, padding="causal", strides=2),
        Layers.BatchNormalization(),
        lq.layers.QuantSeparableConv1D(32, 3, **HALVES),
        Layers.Flatten(),
        Layers.BatchNormalization(),
        dense(32),
        Layers.BatchNormalization(),
        dense(4, use_bias=True),
    )
    assert_verified(model, convs=5)


def test_separable_and_transposed_convolutions_are_verified():
    model = chained(
        (6, 6, 32),
        lq.layers.QuantSeparableConv2D(32, 3, padding="same", **HALVES),
        Layers.BatchNormalization(),
        transposed(32, padding="same"),
        Layers.BatchNormalization(),
        transposed(4, size=2),
    )
    assert_verified(model, convs=3)


def test_a_sign_before_such_a_layer_is_its_own():
    model = chained((33,), lq.quantizers.SteSign(), dense(input_quantizer=None))
    assert binary_convs(model) == []
    with signs_moved_into_convolutions(model):
        assert binary_convs(model) == [model.layers[-1]]


def test_a_class_of_a_users_does_more_around_it():
    class Doubled(lq.layers.QuantDense):
        def call(self, inputs):
            return 2.0 * super().call(inputs)

    model = chained((33,), Doubled(8, **BINARY))
    images = np.random.default_rng(1).normal(size=(2, 33)).astype(np.float32)
    np.testing.assert_allclose(run(trace(model), images), model(images), rtol=1e-6)


def test_a_binary_dense_layer_gets_no_advice():
    assert [str(advice) for advice in advise(chained((32,), dense(32), Layers.BatchNormalization(), dense(4)))] == []
