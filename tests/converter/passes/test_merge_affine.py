"""Constants that follow each other become one."""

from bnext_keras.layers import LearnableBias

import tensorflow as tf
from rewrites import assert_exact, randomize, sequential

from converter.passes import CANONICAL, count_operators

Layers = tf.keras.layers


def test_chains_of_constants_become_one():
    model = randomize(
        sequential(
            (4, 4, 3), Layers.BatchNormalization(), LearnableBias(), Layers.BatchNormalization(), LearnableBias()
        ),
        gammas=(-1, 1),
    )
    assert count_operators(assert_exact(model, CANONICAL)) == {"Mul": 1, "AddV2": 1}


def test_a_value_that_others_read_is_not_merged_away():
    image = tf.keras.Input((4, 4, 3))
    x = Layers.BatchNormalization()(image)
    model = randomize(tf.keras.Model(image, Layers.BatchNormalization()(x) * x))
    assert count_operators(assert_exact(model, CANONICAL)) == {"Mul": 3, "AddV2": 2}
