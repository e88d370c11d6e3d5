"""A batch normalization before a sign is a comparison, whatever its gamma and whatever is padded."""

from itertools import product

from bnext_keras.layers import BinaryConv2D, LearnableBias

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from larq_compute_engine.tflite.python.interpreter import Interpreter
from rewrites import assert_exact, randomize, sequential

from converter import convert
from converter.compiler.emit import run
from converter.compiler.lower import bounds
from converter.compiler.trace import trace
from converter.graph import SignConv
from converter.passes import PASSES, operators

KERNELS = {"default": {}, "indirect": {"use_indirect_bgemm": True}, "reference": {"use_reference_bconv": True}}
GAMMAS = {"positive": (0.5, 2), "negative": (-2, -0.5), "mixed": (-2, 2), "zero": (0, 0)}


def conv(filters=8, kernel_size=3, **options):
    options = {"padding": "same", "kernel_initializer": "glorot_normal", "name": "conv", **options}
    return BinaryConv2D(filters, kernel_size, **options)


def normed(input_shape=(6, 6, 32), *, gammas, **options):
    model = sequential(input_shape, tf.keras.layers.BatchNormalization(name="bn"), conv(**options))
    randomize(model, gammas=gammas)
    if gammas == GAMMAS["mixed"]:
        gamma = model.get_layer("bn").gamma
        gamma.assign(np.where(np.arange(gamma.shape[0]) % 5 == 0, 0, gamma))
    return model


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
    assert operators(graph) == {"BinaryConv2D": 1, **EXPECTED[gammas, pad_value]}


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
    call = SignConv(layer, 0, np.array([threshold]), falling, np.array([-1.0 if flipped else 1.0]))
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


def test_a_plain_sign_needs_no_operator():
    graph = assert_exact(sequential((6, 6, 32), conv()), PASSES)
    assert operators(graph) == {"BinaryConv2D": 1}


def test_a_positive_factor_alone_vanishes():
    norm = tf.keras.layers.BatchNormalization(center=False, moving_mean_initializer="zeros")
    graph = assert_exact(sequential((6, 6, 32), norm, conv()), PASSES)
    assert operators(graph) == {"BinaryConv2D": 1}


def test_a_normalized_map_that_others_read_needs_no_comparison():
    image = tf.keras.Input((6, 6, 8))
    x = tf.keras.layers.BatchNormalization()(image)
    model = randomize(tf.keras.Model(image, conv()(x) + tf.keras.layers.PReLU(shared_axes=[1, 2])(x)))
    graph = assert_exact(model, PASSES)
    # One addition is the last one, of both branches.
    assert operators(graph) == {"BinaryConv2D": 1, "PRelu": 1, "Mul": 1, "AddV2": 2}


@pytest.mark.parametrize("pool", [tf.keras.layers.GlobalAveragePooling2D, tf.keras.layers.AveragePooling2D])
def test_a_gate_that_reads_the_normalized_map_makes_do_with_its_mean(pool):
    """Real-to-Binary's block: sign and gate read the same batch normalization."""
    image = tf.keras.Input((6, 6, 8))
    x = tf.keras.layers.BatchNormalization()(image)
    squeezed = tf.keras.layers.Reshape((8,))(pool(**({} if "Global" in pool.__name__ else {"pool_size": 6}))(x))
    gate = tf.keras.layers.Dense(8, activation="sigmoid")(squeezed)
    model = randomize(tf.keras.Model(image, conv()(x) * gate), gammas=(-1, 1))
    graph = assert_exact(model, PASSES)
    # The comparison, and the gate.
    assert {op: operators(graph, maps_only=True)[op] for op in ("Mul", "AddV2")} == {"Mul": 1, "AddV2": 1}


@pytest.mark.parametrize("pad_value", [0.0, 1.0, -1.0])
def test_what_is_part_of_the_convolution_before_stays_there(pad_value):
    """LCE fuses a batch normalization between two binary convolutions; with a padding of -1 it is negated."""
    model = sequential(
        (6, 6, 32),
        conv(32, name="first", pad_values=1.0),
        tf.keras.layers.BatchNormalization(),
        conv(name="conv", pad_values=pad_value),
    )
    graph = assert_exact(randomize(model, gammas=(-1, 1)), PASSES)
    assert operators(graph) == {"BinaryConv2D": 2}
    result = convert(model)
    assert result.operators == {"LceQuantize": 1, "LceBconv2d": 2}


def test_groups_flip_their_own_channels(conv_model):
    layer = conv(32, groups=4, kernel_quantizer="ste_sign", input_quantizer="ste_sign")
    model = sequential((6, 6, 32), tf.keras.layers.BatchNormalization(), layer)
    assert_exact(randomize(model, gammas=(-1, 1)), PASSES)
    assert convert(model).verification.passed


def test_a_shared_layer_may_be_flipped_differently_in_each_call():
    image = tf.keras.Input((6, 6, 32))
    shared, first, second = conv(32, name="shared"), *(tf.keras.layers.BatchNormalization() for _ in range(2))
    model = tf.keras.Model(image, shared(second(tf.keras.layers.ReLU()(shared(first(image))))))
    randomize(model, gammas=(-1, 1))
    assert_exact(model, PASSES)
    result = convert(model)
    assert result.verification.errors == []
    assert result.binary_convs == ["shared", "shared"]


def test_a_quantizer_that_is_no_sign_is_left_alone():
    layer = conv(input_quantizer=lq.quantizers.SteHeaviside(), name="conv")
    graph = assert_exact(randomize(sequential((6, 6, 8), LearnableBias(), layer)), PASSES)
    assert operators(graph) == {"BinaryConv2D": 1, "AddV2": 1}


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**16),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    channels=st.integers(1, 5),
    kernel_size=st.integers(1, 3),
    strides=st.integers(1, 2),
    pad_value=st.sampled_from([0.0, 1.0, -1.0]),
    gammas=st.sampled_from([*GAMMAS.values()]),
)
def test_any_shape_stride_padding_and_gamma(seed, height, width, channels, kernel_size, strides, pad_value, gammas):
    options = {"strides": strides, "pad_values": pad_value}
    model = sequential(
        (height, width, channels),
        tf.keras.layers.BatchNormalization(),
        LearnableBias(),
        conv(4, kernel_size, name="first", **options),
        tf.keras.layers.ReLU(),
        tf.keras.layers.BatchNormalization(),
        conv(4, kernel_size, name="second", **options),
    )
    randomize(model, seed=seed, gammas=gammas)
    images = np.random.default_rng(seed).normal(size=(1, height, width, channels))
    expected, graph = run(trace(model), images), trace(model)
    for rewrite in PASSES:
        rewrite(graph)
        np.testing.assert_allclose(run(graph, images), expected, rtol=0, atol=1e-9)
