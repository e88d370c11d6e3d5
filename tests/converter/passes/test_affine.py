"""Canonical forms, and what moves into convolutions."""

from bnext_keras.layers import BinaryConv2D, LearnableBias, ShuffleChannels, SplitChannels

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from rewrites import assert_exact, randomize, sequential

from converter.passes import PASSES, operators
from converter.passes.expand_batch_norm import expand_batch_norm
from converter.passes.fold_constants import fold_constants
from converter.passes.merge_affine import merge_affine
from converter.passes.move_into_branches import move_into_branches
from converter.passes.move_scales import move_scales
from converter.passes.recognize_prelu import recognize_prelu

Layers = tf.keras.layers
CANONICAL = (fold_constants, expand_batch_norm, recognize_prelu, merge_affine)


def norm(**options):
    return Layers.BatchNormalization(**options)


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"epsilon": 0.1}])
def test_a_batch_normalization_is_a_multiplication_and_an_addition(options):
    model = randomize(sequential((4, 4, 3), norm(**options)), gammas=(-1, 1))
    assert operators(assert_exact(model, (fold_constants, expand_batch_norm))) == {"Mul": 1, "AddV2": 1}


def test_a_parametric_relu_is_one_operator():
    model = randomize(sequential((4, 4, 3), Layers.PReLU(shared_axes=[1, 2])))
    assert operators(assert_exact(model, CANONICAL)) == {"PRelu": 1}


def test_slopes_that_differ_between_pixels_are_left_alone():
    model = randomize(sequential((4, 4, 3), Layers.PReLU()))
    assert "PRelu" not in operators(assert_exact(model, CANONICAL))


def test_chains_of_constants_become_one():
    model = randomize(sequential((4, 4, 3), norm(), LearnableBias(), norm(), LearnableBias()), gammas=(-1, 1))
    assert operators(assert_exact(model, CANONICAL)) == {"Mul": 1, "AddV2": 1}


def test_a_value_that_others_read_is_not_merged_away():
    image = tf.keras.Input((4, 4, 3))
    x = norm()(image)
    model = randomize(tf.keras.Model(image, norm()(x) * x))
    assert operators(assert_exact(model, CANONICAL)) == {"Mul": 3, "AddV2": 2}


def grouped(activation, groups=4):
    image = tf.keras.Input((6, 6, 8))
    parts = [Layers.Conv2D(2, 3, padding="same")(part) for part in SplitChannels(groups)(image)]
    x = norm()(Layers.Concatenate()(parts))
    return randomize(tf.keras.Model(image, activation(x)), gammas=(-1, 1))


def test_what_follows_a_grouped_convolution_becomes_part_of_it():
    graph = assert_exact(grouped(Layers.ReLU()), (*CANONICAL, move_into_branches))
    assert operators(graph) == {"Split": 1, "Conv2D": 4, "Relu": 4, "ConcatV2": 1}
    assert graph.output.op == "ConcatV2"


def test_branches_that_others_read_are_left_alone():
    image = tf.keras.Input((6, 6, 8))
    x = Layers.Concatenate()([y := Layers.Conv2D(2, 3)(image), Layers.Conv2D(2, 3)(image), y])
    model = randomize(tf.keras.Model(image, norm()(x)))
    graph = assert_exact(model, (*CANONICAL, move_into_branches))
    assert operators(graph) == {"Conv2D": 2, "ConcatV2": 1, "Mul": 1, "AddV2": 1}


TRANSITIONS = {
    "meliusnet": [Layers.MaxPooling2D(2), Layers.ReLU(), Layers.Conv2D(4, 1, use_bias=False)],
    "padded": [Layers.ReLU(), Layers.MaxPooling2D(3, 2, padding="same"), Layers.Conv2D(4, 3, padding="same")],
    "head": [Layers.ReLU(), Layers.GlobalAveragePooling2D(), Layers.Dense(4)],
    "depthwise": [Layers.PReLU(shared_axes=[1, 2]), Layers.DepthwiseConv2D(3, depth_multiplier=2)],
    "averaged": [Layers.AveragePooling2D(2), Layers.Conv2D(4, 1)],
}


@pytest.mark.parametrize("name", TRANSITIONS)
def test_a_positive_factor_ends_in_the_next_kernel(name):
    layers = [type(layer).from_config(layer.get_config()) for layer in TRANSITIONS[name]]
    model = randomize(sequential((6, 6, 8), norm(), *layers))
    assert "Mul" not in operators(assert_exact(model, PASSES))


@pytest.mark.parametrize("gammas", [(-1.0, 1.0), (0.0, 0.0)])
def test_a_negative_or_zero_gamma_keeps_its_multiplication(gammas):
    layers = [Layers.MaxPooling2D(2), Layers.ReLU(), Layers.Conv2D(4, 1)]
    model = randomize(sequential((6, 6, 8), norm(), *layers), gammas=gammas)
    assert operators(assert_exact(model, (*CANONICAL, move_scales), samples=4))["Mul"] == 1


def test_a_factor_goes_through_a_shuffle_and_a_split():
    image = tf.keras.Input((4, 4, 8))
    x = ShuffleChannels(4)(Layers.ReLU()(Layers.MaxPooling2D(2)(norm()(image))))
    x = Layers.Concatenate()([Layers.Conv2D(2, 1)(part) for part in SplitChannels(2)(x)])
    graph = assert_exact(randomize(tf.keras.Model(image, x)), (*CANONICAL, move_scales))
    assert "Mul" not in operators(graph)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**16),
    side=st.integers(3, 7),
    channels=st.integers(1, 5),
    size=st.integers(1, 3),
    stride=st.integers(1, 2),
    padding=st.sampled_from(["same", "valid"]),
    gammas=st.sampled_from([(0.1, 2), (-2, 2), (-2, -0.1), (0, 0)]),
)
def test_every_pass_is_exact_around_pooling_and_convolutions(seed, side, channels, size, stride, padding, gammas):
    options = {"strides": stride, "padding": padding}
    model = sequential(
        (side, side, channels),
        norm(),
        Layers.MaxPooling2D(size, **options),
        norm(),
        Layers.AveragePooling2D(2, padding="same"),
        LearnableBias(),
        Layers.PReLU(shared_axes=[1, 2]),
        norm(),
        Layers.Conv2D(3, 1, **options),
        norm(),
        BinaryConv2D(4, 1),
        norm(),
    )
    assert_exact(randomize(model, seed=seed, gammas=gammas), PASSES, samples=1)


def test_a_division_by_zero_variance_does_not_occur():
    """Epsilon keeps a batch normalization finite whatever its variance."""
    model = sequential((4, 4, 3), norm(moving_variance_initializer="zeros"))
    graph = assert_exact(randomize(model), CANONICAL)
    assert all(np.isfinite(node.value).all() for node in graph.nodes() if node.op == "Const")
