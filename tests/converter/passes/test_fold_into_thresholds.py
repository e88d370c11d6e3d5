"""A batch normalization before a sign is a comparison, whatever its gamma and whatever is padded."""

from itertools import product

from bnext_keras.layers import LearnableBias

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from larq_compute_engine.tflite.python.interpreter import Interpreter
from rewrites import GAMMAS, KERNELS, assert_exact, conv, normed, randomize, sequential

from converter import convert
from converter.passes import PASSES, count_operators

Layers = tf.keras.layers


#: What is left before the sign: a negated comparison is a subtraction; where +-1 is padded and signs are mixed, the
#: multiplication stays.
EXPECTED = {
    ("positive", 0): {"AddV2": 1},
    ("negative", 0): {"AddV2": 1},
    ("mixed", 0): {"AddV2": 1},
    ("zero", 0): {"AddV2": 1},
    ("positive", 1): {"AddV2": 1},
    ("negative", 1): {"Sub": 1},
    ("mixed", 1): {"Mul": 1, "AddV2": 1},
    ("zero", 1): {"AddV2": 1},
    ("positive", -1): {"Sub": 1},
    ("negative", -1): {"AddV2": 1},
    ("mixed", -1): {"Mul": 1, "Sub": 1},
    ("zero", -1): {"Sub": 1},
}


@pytest.mark.parametrize(("gammas", "pad_value"), EXPECTED)
def test_one_operator_before_the_sign(gammas, pad_value):
    graph = assert_exact(normed(gammas=GAMMAS[gammas], pad_values=float(pad_value)), PASSES)
    assert count_operators(graph) == {"BinaryConv2D": 1, **EXPECTED[gammas, pad_value]}


@pytest.mark.parametrize(("gammas", "pad_value"), EXPECTED)
def test_all_kernels_of_lce_agree_with_keras(gammas, pad_value):
    model = normed(gammas=GAMMAS[gammas], pad_values=float(pad_value))
    images = np.random.default_rng(2).normal(size=(2, 6, 6, 32)).astype(np.float32)
    result = convert(model, verify_data=images)
    assert result.verification.errors == []
    before_sign = {{"AddV2": "ADD"}.get(op, op.upper()): count for op, count in EXPECTED[gammas, pad_value].items()}
    assert result.operators == {"LceQuantize": 1, "LceBconv2d": 1, **before_sign}
    for options in KERNELS.values():
        np.testing.assert_allclose(Interpreter(result.content, **options).predict(images), model(images), atol=1e-5)


@pytest.mark.parametrize(("side", "gammas"), list(product([1, 2], GAMMAS)))
def test_flipped_channels_on_maps_smaller_than_the_kernel(side, gammas):
    """Zero padding is had from one-padding there, whose correction must see the flipped kernel."""
    model = normed((side, side, 32), gammas=GAMMAS[gammas])
    assert_exact(model, PASSES)
    images = np.random.default_rng(2).normal(size=(2, side, side, 32)).astype(np.float32)
    result = convert(model)
    for options in KERNELS.values():
        np.testing.assert_allclose(Interpreter(result.content, **options).predict(images), model(images), atol=1e-5)


@pytest.mark.parametrize("pad_value", [0.0, 1.0, -1.0])
@pytest.mark.parametrize("gamma", [1.0, -1.0])
def test_a_value_on_the_threshold_counts_as_plus_one(gamma, pad_value):
    """Larq's sign of zero is +1 on either side; integers, as binary convolutions return them, meet it often."""
    model = normed(gammas=(gamma, gamma), pad_values=pad_value)
    bn = model.get_layer("bn")
    # Epsilon makes the normalized values inexact, but not where they are zero.
    bn.set_weights([np.full(32, gamma), np.zeros(32), np.arange(32) % 3, np.ones(32)])
    images = np.random.default_rng(0).integers(-2, 3, (4, 6, 6, 32)).astype(np.float32)
    on_threshold = (images == np.arange(32) % 3).mean()
    assert on_threshold > 0.1
    result = convert(model, verify_data=images)
    assert result.verification.flips == 0
    for options in KERNELS.values():
        np.testing.assert_array_equal(Interpreter(result.content, **options).predict(images), model(images))


def test_a_plain_sign_needs_no_operator():
    graph = assert_exact(sequential((6, 6, 32), conv()), PASSES)
    assert count_operators(graph) == {"BinaryConv2D": 1}


def test_a_positive_factor_alone_vanishes():
    norm = Layers.BatchNormalization(center=False, moving_mean_initializer="zeros")
    graph = assert_exact(sequential((6, 6, 32), norm, conv()), PASSES)
    assert count_operators(graph) == {"BinaryConv2D": 1}


def test_a_normalized_map_that_others_read_needs_no_comparison():
    image = tf.keras.Input((6, 6, 8))
    x = Layers.BatchNormalization()(image)
    model = randomize(tf.keras.Model(image, conv()(x) + Layers.PReLU(shared_axes=[1, 2])(x)))
    graph = assert_exact(model, PASSES)
    # One addition is the last one, of both branches.
    assert count_operators(graph) == {"BinaryConv2D": 1, "PRelu": 1, "Mul": 1, "AddV2": 2}


@pytest.mark.parametrize("pool", [Layers.GlobalAveragePooling2D, Layers.AveragePooling2D])
def test_a_gate_that_reads_the_normalized_map_makes_do_with_its_mean(pool):
    """Real-to-Binary's block: sign and gate read the same batch normalization."""
    image = tf.keras.Input((6, 6, 8))
    x = Layers.BatchNormalization()(image)
    squeezed = Layers.Reshape((8,))(pool(**({} if "Global" in pool.__name__ else {"pool_size": 6}))(x))
    gate = Layers.Dense(8, activation="sigmoid")(squeezed)
    model = randomize(tf.keras.Model(image, conv()(x) * gate), gammas=(-1, 1))
    graph = assert_exact(model, PASSES)
    # The comparison, and the gate.
    assert {op: count_operators(graph, maps_only=True)[op] for op in ("Mul", "AddV2")} == {"Mul": 1, "AddV2": 1}


def test_groups_flip_their_own_channels(conv_model):
    layer = conv(32, groups=4, kernel_quantizer="ste_sign", input_quantizer="ste_sign")
    model = sequential((6, 6, 32), Layers.BatchNormalization(), layer)
    assert_exact(randomize(model, gammas=(-1, 1)), PASSES)
    assert convert(model).verification.passed


def test_a_shared_layer_may_be_flipped_differently_in_each_call():
    image = tf.keras.Input((6, 6, 32))
    shared, first, second = conv(32, name="shared"), *(Layers.BatchNormalization() for _ in range(2))
    model = tf.keras.Model(image, shared(second(Layers.ReLU()(shared(first(image))))))
    randomize(model, gammas=(-1, 1))
    assert_exact(model, PASSES)
    result = convert(model)
    assert result.verification.errors == []
    assert result.binary_convs == ["shared", "shared"]


def test_a_quantizer_that_is_no_sign_is_left_alone():
    layer = conv(input_quantizer=lq.quantizers.SteHeaviside(), name="conv")
    graph = assert_exact(randomize(sequential((6, 6, 8), LearnableBias(), layer)), PASSES)
    assert count_operators(graph) == {"BinaryConv2D": 1, "AddV2": 1}
