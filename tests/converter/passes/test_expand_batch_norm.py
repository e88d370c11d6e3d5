"""A batch normalization is a multiplication and an addition."""

import numpy as np
import pytest
import tensorflow as tf
from rewrites import assert_exact, randomize, sequential

from converter.passes import CANONICAL, count_operators
from converter.passes.expand_batch_norm import expand_batch_norm
from converter.passes.fold_constants import fold_constants

Layers = tf.keras.layers


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"epsilon": 0.1}])
def test_a_batch_normalization_is_a_multiplication_and_an_addition(options):
    model = randomize(sequential((4, 4, 3), Layers.BatchNormalization(**options)), gammas=(-1, 1))
    assert count_operators(assert_exact(model, (fold_constants, expand_batch_norm))) == {"Mul": 1, "AddV2": 1}


def test_a_division_by_zero_variance_does_not_occur():
    """Epsilon keeps a batch normalization finite whatever its variance."""
    model = sequential((4, 4, 3), Layers.BatchNormalization(moving_variance_initializer="zeros"))
    graph = assert_exact(randomize(model), CANONICAL)
    assert all(np.isfinite(node.value).all() for node in graph.nodes() if node.op == "Const")
