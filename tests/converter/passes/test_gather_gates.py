"""A map is multiplied with a gate once."""

import tensorflow as tf
from rewrites import assert_exact, gated, images, maps, randomize

from converter.passes import CANONICAL
from converter.passes.gather_gates import gather_gates

Layers = tf.keras.layers


def test_a_batch_normalization_moves_into_the_gate():
    image = images()
    model = randomize(tf.keras.Model(image, Layers.BatchNormalization()(gated(image, image))), gammas=(-1, 1))
    before = maps(assert_exact(model, CANONICAL))
    after = maps(assert_exact(model, (*CANONICAL, gather_gates)))
    assert (before["Mul"], after["Mul"]) == (4, 3)


def test_a_product_of_maps_and_a_gate_is_scaled_once():
    image = images()
    attended = gated(image, image) * Layers.PReLU(shared_axes=[1, 2])(image)
    model = randomize(tf.keras.Model(image, Layers.BatchNormalization()(attended)), gammas=(-1, 1))
    assert maps(assert_exact(model, CANONICAL))["Mul"] == 5
    assert maps(assert_exact(model, (*CANONICAL, gather_gates)))["Mul"] == 4
