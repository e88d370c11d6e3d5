"""A parametric ReLU is one operator, where TFLite has one for it."""

import tensorflow as tf
from rewrites import assert_exact, randomize, sequential

from converter.passes import CANONICAL, count_operators

Layers = tf.keras.layers


def test_a_parametric_relu_is_one_operator():
    model = randomize(sequential((4, 4, 3), Layers.PReLU(shared_axes=[1, 2])))
    assert count_operators(assert_exact(model, CANONICAL)) == {"PRelu": 1}


def test_slopes_that_differ_between_pixels_are_left_alone():
    model = randomize(sequential((4, 4, 3), Layers.PReLU()))
    assert "PRelu" not in count_operators(assert_exact(model, CANONICAL))
