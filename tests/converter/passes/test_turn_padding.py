"""Padding with -1 becomes padding with +1."""

import pytest
import tensorflow as tf
from rewrites import GAMMAS, assert_exact, conv, normed, randomize, sequential

from converter import convert
from converter.passes import CANONICAL, PASSES, count_operators
from converter.passes.fold_into_thresholds import fold_into_thresholds
from converter.passes.turn_padding import turn_padding

Layers = tf.keras.layers


@pytest.mark.parametrize("pad_value", [0.0, 1.0, -1.0])
def test_what_is_part_of_the_convolution_before_stays_there(pad_value):
    """LCE fuses a batch normalization between two binary convolutions; with a padding of -1 it is negated."""
    model = sequential(
        (6, 6, 32),
        conv(32, name="first", pad_values=1.0),
        Layers.BatchNormalization(),
        conv(name="conv", pad_values=pad_value),
    )
    graph = assert_exact(randomize(model, gammas=(-1, 1)), PASSES)
    assert count_operators(graph) == {"BinaryConv2D": 2}
    result = convert(model)
    assert result.operators == {"LceQuantize": 1, "LceBconv2d": 2}


def test_what_is_turned_already_stays_as_it_is():
    """In another order, too: a turned sign is not the layer's own any more, and no comparison may take its place."""
    model = normed(gammas=GAMMAS["positive"], pad_values=-1.0)
    graph = assert_exact(model, (*CANONICAL, turn_padding, fold_into_thresholds))
    assert count_operators(graph) == {"BinaryConv2D": 1, "Mul": 1, "AddV2": 1, "Sub": 1}
