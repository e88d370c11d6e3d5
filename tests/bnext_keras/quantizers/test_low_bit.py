"""Kernels of few bits, and their gradient, against the formula."""

from bnext_keras.quantizers import fake_quantized

import numpy as np
import pytest
import tensorflow as tf


def test_each_output_channel_has_a_step_of_its_own():
    kernel = tf.constant([[0.7, -30.0, 0.0], [-0.24, 13.0, 0.0], [0.36, 2.0, 0.0]])
    # Seven steps of 0.1 and of 30 / 7: -2.4 and 3.6 steps, 3.03 and 0.47 steps; the third channel has none.
    expected = [[0.7, -30, 0], [-0.2, 3 * 30 / 7, 0], [0.4, 0, 0]]
    np.testing.assert_allclose(fake_quantized(kernel, 4), expected, rtol=1e-6)


@pytest.mark.parametrize("bits", range(2, 9))
def test_values_are_at_most_half_a_step_away(bits):
    kernel = np.random.default_rng(bits).normal(size=(3, 3, 5, 4)).astype(np.float32)
    largest = 2 ** (bits - 1) - 1
    steps = np.abs(kernel).max(axis=(0, 1, 2)) / largest
    quantized = fake_quantized(tf.constant(kernel), bits).numpy()
    levels = quantized / steps
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
    assert np.abs(np.rint(levels)).max(axis=(0, 1, 2)).tolist() == [largest] * 4
    assert (np.abs(quantized - kernel) <= 0.5001 * steps).all()


def test_the_gradient_goes_straight_through():
    kernel = tf.constant([[0.7, -30.0, 0.0], [-0.24, 13.0, 0.0]])
    upstream = tf.constant([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        result = fake_quantized(kernel, 4)
    np.testing.assert_array_equal(tape.gradient(result, kernel, upstream), upstream)


def test_weights_too_small_for_a_step_are_zeros():
    assert fake_quantized(tf.constant([[1e-38, 1.0]]), 8).numpy().tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("bits", [1, 9, 4.0, "8"])
def test_bits_that_there_are_none_of(bits):
    with pytest.raises(ValueError, match="bits must be from 2 to 8, got"):
        fake_quantized(tf.ones((2, 2)), bits)
