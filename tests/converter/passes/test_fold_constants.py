"""What does not depend on the image is computed once."""

import tensorflow as tf
from rewrites import assert_exact, images

from converter.passes import count_operators
from converter.passes.fold_constants import fold_constants


def test_arithmetic_of_constants_becomes_a_constant():
    slopes = tf.constant([0.5, 2.0, -1.0])
    model = tf.keras.Model(image := images(3), image * tf.sqrt(tf.square(1 - slopes) / 4) + tf.reshape(-slopes, (3,)))
    graph = assert_exact(model, (fold_constants,))
    assert count_operators(graph) == {"Mul": 1, "AddV2": 1}


def test_neutral_constants_and_identities_vanish():
    model = tf.keras.Model(image := images(3), tf.nn.relu(tf.identity(1.0 * tf.stop_gradient(image + 0.0))))
    assert count_operators(assert_exact(model, (fold_constants,))) == {"Relu": 1}
