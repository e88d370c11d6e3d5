"""Means of sums come from means that are known."""

from bnext_keras.layers import LearnableBias

import pytest
import tensorflow as tf
from rewrites import assert_exact, gated, images, maps, pooled, randomize

from converter.passes import CANONICAL, count_operators
from converter.passes.distribute_means import distribute_means
from converter.passes.gather_gates import gather_gates

Layers = tf.keras.layers


def test_the_mean_of_a_mix_needs_no_mix():
    image = images()
    y = Layers.PReLU(shared_axes=[1, 2])(image)
    model = randomize(tf.keras.Model(image, gated(image, y)))
    assert maps(assert_exact(model, CANONICAL)) == {"PRelu": 1, "Mul": 3, "AddV2": 1}
    graph = assert_exact(model, (*CANONICAL, distribute_means))
    assert maps(graph) == {"PRelu": 1, "Mul": 1}
    assert count_operators(graph)["Mean"] == 2


def test_a_mean_that_is_known_is_not_taken_again():
    """out = g y + x: its mean follows from those of x and y, which its own gate has needed."""
    x = image = images()
    for _ in range(3):
        y = Layers.PReLU(shared_axes=[1, 2])(x)
        x = Layers.BatchNormalization()(gated(x, y)) + x
    model = randomize(tf.keras.Model(image, x), gammas=(-1, 1))
    assert count_operators(assert_exact(model, (*CANONICAL, gather_gates)))["Mean"] == 3
    assert (
        count_operators(assert_exact(model, (*CANONICAL, gather_gates, distribute_means)))["Mean"] == 4
    )  # of the input and of each y


@pytest.mark.parametrize(
    ("side", "padding", "expected"), [(6, "valid", 0), (6, "same", 0), (5, "valid", 1), (5, "same", 1)]
)
def test_the_mean_of_an_average_pool_is_the_mean_just_on_even_maps(side, padding, expected):
    image = images(side=side)
    model = tf.keras.Model(image, pooled(Layers.AveragePooling2D(2, padding=padding)(image)))
    assert count_operators(assert_exact(model, (*CANONICAL, distribute_means)))["AvgPool"] == expected


def test_the_mean_of_a_concatenation_is_the_concatenation_of_means():
    image = images()
    parts = [LearnableBias()(image), Layers.PReLU(shared_axes=[1, 2])(image)]
    x = Layers.Concatenate()(parts)
    model = randomize(tf.keras.Model(image, pooled(x)))
    assert maps(assert_exact(model, (*CANONICAL, distribute_means))) == {"PRelu": 1}


def test_a_sum_of_maps_that_are_needed_anyway_is_averaged_itself():
    image = images()
    x = tf.nn.relu(image) + tf.nn.softsign(image)
    model = tf.keras.Model(image, pooled(x) * x)
    assert count_operators(assert_exact(model, (*CANONICAL, distribute_means)))["Mean"] == 1
