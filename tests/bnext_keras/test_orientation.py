"""The one layer that says which way up a model wants its images."""

from bnext_keras.orientation import add_rotation, is_rotating, remove_rotation

import numpy as np
import pytest
import tensorflow as tf


def test_a_rotation_comes_and_goes_and_nothing_else_changes(small_bnext):
    names = [layer.name for layer in small_bnext.layers]
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    upright = add_rotation(small_bnext)
    assert [layer.name for layer in upright.layers] == [names[0], "rotate180", *names[1:]]
    np.testing.assert_array_equal(upright(images), small_bnext(images[:, ::-1, ::-1]))
    plain = remove_rotation(upright)
    assert [layer.name for layer in plain.layers] == names
    np.testing.assert_array_equal(plain(images), small_bnext(images))
    assert (is_rotating(small_bnext), is_rotating(upright), is_rotating(plain)) == (False, True, False)


def test_an_input_that_several_layers_read(small_bnext):
    image = tf.keras.Input((4, 4, 1))
    model = tf.keras.Model(image, tf.keras.layers.Subtract()([tf.keras.layers.ReLU()(image), image]))
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 1)).astype(np.float32)
    np.testing.assert_array_equal(add_rotation(model)(images), model(images[:, ::-1, ::-1]))


def test_no_rotation_twice_and_none_taken_from_nothing(small_bnext):
    with pytest.raises(ValueError, match="turns its images already"):
        add_rotation(add_rotation(small_bnext))
    with pytest.raises(ValueError, match="does not turn its images"):
        remove_rotation(small_bnext)


def test_several_inputs_are_refused():
    inputs = [tf.keras.Input((4, 4, 1)), tf.keras.Input((4, 4, 1))]
    with pytest.raises(ValueError, match="one input"):
        add_rotation(tf.keras.Model(inputs, tf.keras.layers.Add()(inputs)))
