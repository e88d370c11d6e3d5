"""Positive factors end in the next kernel."""

from bnext_keras.layers import ShuffleChannels, SplitChannels

import pytest
import tensorflow as tf
from rewrites import assert_exact, randomize, sequential

from converter.passes import CANONICAL, PASSES, count_operators
from converter.passes.move_scales import move_scales

Layers = tf.keras.layers


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
    model = randomize(sequential((6, 6, 8), Layers.BatchNormalization(), *layers))
    assert "Mul" not in count_operators(assert_exact(model, PASSES))


@pytest.mark.parametrize("gammas", [(-1.0, 1.0), (0.0, 0.0)])
def test_a_negative_or_zero_gamma_keeps_its_multiplication(gammas):
    layers = [Layers.MaxPooling2D(2), Layers.ReLU(), Layers.Conv2D(4, 1)]
    model = randomize(sequential((6, 6, 8), Layers.BatchNormalization(), *layers), gammas=gammas)
    assert count_operators(assert_exact(model, (*CANONICAL, move_scales), samples=4))["Mul"] == 1


def test_a_factor_goes_through_a_shuffle_and_a_split():
    image = tf.keras.Input((4, 4, 8))
    x = ShuffleChannels(4)(Layers.ReLU()(Layers.MaxPooling2D(2)(Layers.BatchNormalization()(image))))
    x = Layers.Concatenate()([Layers.Conv2D(2, 1)(part) for part in SplitChannels(2)(x)])
    graph = assert_exact(randomize(tf.keras.Model(image, x)), (*CANONICAL, move_scales))
    assert "Mul" not in count_operators(graph)
