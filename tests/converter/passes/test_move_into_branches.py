"""What follows a grouped convolution becomes part of its branches."""

from bnext_keras.layers import SplitChannels

import tensorflow as tf
from rewrites import assert_exact, randomize

from converter.passes import CANONICAL, count_operators
from converter.passes.move_into_branches import move_into_branches

Layers = tf.keras.layers


def grouped(activation, groups=4):
    image = tf.keras.Input((6, 6, 8))
    parts = [Layers.Conv2D(2, 3, padding="same")(part) for part in SplitChannels(groups)(image)]
    x = Layers.BatchNormalization()(Layers.Concatenate()(parts))
    return randomize(tf.keras.Model(image, activation(x)), gammas=(-1, 1))


def test_what_follows_a_grouped_convolution_becomes_part_of_it():
    graph = assert_exact(grouped(Layers.ReLU()), (*CANONICAL, move_into_branches))
    assert count_operators(graph) == {"Split": 1, "Conv2D": 4, "Relu": 4, "ConcatV2": 1}
    assert graph.output.op == "ConcatV2"


def test_branches_that_others_read_are_left_alone():
    image = tf.keras.Input((6, 6, 8))
    x = Layers.Concatenate()([y := Layers.Conv2D(2, 3)(image), Layers.Conv2D(2, 3)(image), y])
    model = randomize(tf.keras.Model(image, Layers.BatchNormalization()(x)))
    graph = assert_exact(model, (*CANONICAL, move_into_branches))
    assert count_operators(graph) == {"Conv2D": 2, "ConcatV2": 1, "Mul": 1, "AddV2": 1}
