"""Constants of a residual stream vanish."""

import bnext_keras
from bnext_keras.layers import BinaryConv2D, LearnableBias

import pytest
import tensorflow as tf
from rewrites import assert_exact, images, maps, randomize

from converter.passes import CANONICAL
from converter.passes.carry_offsets import carry_offsets

Layers = tf.keras.layers


def stream(biases, *, read=None):
    """Residual blocks whose batch normalizations and biases leave a constant in the stream."""
    x = image = images()
    for bias in biases:
        y = Layers.PReLU(shared_axes=[1, 2])(BinaryConv2D(8, 3)(LearnableBias()(x) if bias else x))
        x = LearnableBias()(y) + x
    x = Layers.PReLU(shared_axes=[1, 2])(x) if read else x
    return randomize(tf.keras.Model(image, x))


def test_constants_of_a_stream_vanish_in_the_biases_of_its_signs():
    """One addition of a constant for each sign and one for the PReLU at the end, beside the stream's own three."""
    model = stream([True] * 3, read=True)
    assert maps(assert_exact(model, CANONICAL))["AddV2"] == 9
    assert maps(assert_exact(model, (*CANONICAL, carry_offsets)))["AddV2"] == 7


def test_signs_without_a_bias_gain_none():
    model = stream([False] * 3)
    assert maps(assert_exact(model, CANONICAL))["AddV2"] == 6
    assert maps(assert_exact(model, (*CANONICAL, carry_offsets)))["AddV2"] == 6


def test_what_would_have_to_be_added_in_two_places_stays_in_one():
    image = images()
    x = LearnableBias()(image)
    branches = [Layers.ReLU()(x + Layers.Activation(name)(image)) for name in ("softsign", "sigmoid", "tanh")]
    model = randomize(tf.keras.Model(image, Layers.Concatenate()(branches)))
    assert maps(assert_exact(model, (*CANONICAL, carry_offsets)))["AddV2"] == 4


@pytest.mark.parametrize(
    "layers",
    [
        [Layers.Conv2D(4, 1)],
        [Layers.Conv2D(4, 3, padding="valid", strides=2)],
        [Layers.DepthwiseConv2D(3, depth_multiplier=2)],
        [Layers.MaxPooling2D(2, padding="same"), Layers.Conv2D(4, 2)],
        [Layers.AveragePooling2D(2), Layers.Conv2D(4, 1)],
        [Layers.GlobalAveragePooling2D(), Layers.Dense(4)],
        [bnext_keras.layers.ShuffleChannels(4), Layers.Conv2D(4, 1)],
    ],
    ids=["pointwise", "valid", "depthwise", "max", "average", "mean", "shuffle"],
)
def test_a_constant_ends_in_the_bias_of_the_next_layer(layers):
    x = image = images(side=5)
    for layer in [LearnableBias(), *(type(layer).from_config(layer.get_config()) for layer in layers)]:
        x = layer(x)
    model = randomize(tf.keras.Model(image, x))
    assert "AddV2" not in maps(assert_exact(model, (*CANONICAL, carry_offsets)))


def test_a_padded_convolution_reads_the_true_value():
    image = images()
    x = Layers.Conv2D(4, 3, padding="same")(LearnableBias()(image))
    model = randomize(tf.keras.Model(image, x))
    assert maps(assert_exact(model, (*CANONICAL, carry_offsets)))["AddV2"] == 1
