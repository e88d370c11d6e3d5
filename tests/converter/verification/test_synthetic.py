"""The inputs that are made on the spot bring channels to both of their values, whatever range the model wants."""

from bnext_keras.layers import BinaryConv2D

import numpy as np
import pytest
import tensorflow as tf

from converter import convert
from converter.report.words import verification_in_words
from converter.tflite.flatbuffer import Flatbuffer
from converter.verification.synthetic import choose, draw, sign_sides

Layers = tf.keras.layers


def model_of(*first):
    image = x = tf.keras.Input((8, 8, 3))
    for layer in (*first, Layers.Conv2D(32, 3), BinaryConv2D(32, 3, name="conv"), Layers.GlobalAveragePooling2D()):
        x = layer(x)
    return tf.keras.Model(image, x)


def test_images_are_the_same_each_time_and_have_edges_and_areas():
    first, again = draw(8, (16, 16, 3)), draw(8, (16, 16, 3))
    np.testing.assert_array_equal(first, again)
    steps = np.abs(np.diff(first, axis=1))
    assert first.min() >= 0
    assert first.max() <= 1
    assert (steps.max(axis=(1, 2, 3)) > 0.2).all()
    assert np.median(steps) < 0.1


def test_inputs_of_any_rank_are_made():
    assert draw(2, (5,)).shape == (2, 5)


def test_pixels_of_0_to_255_are_found_to_be_wanted():
    """Around 127.5 the rescaled values are near zero: normalized images would lie near -1, all alike."""
    flatbuffer = Flatbuffer(convert(model_of(Layers.Rescaling(1 / 127.5, -1))).content)
    (images,) = choose(flatbuffer, 4, None)
    assert images.shape == (4, 8, 8, 3)
    assert images.max() > 200


def test_a_stated_normalization_is_used():
    flatbuffer = Flatbuffer(convert(model_of()).content)
    (images,) = choose(flatbuffer, 4, ((0.0, 0.5, 0.0), (1.0, 0.5, 0.1)))
    assert images[..., 0].max() <= 1
    assert images[..., 1].min() < 0
    assert images[..., 2].max() > 2


def test_channels_that_never_change_are_counted():
    """A bias of 100 before every other sign: those channels are +1 whatever the image."""
    image, norm = tf.keras.Input((8, 8, 32)), Layers.BatchNormalization()
    model = tf.keras.Model(image, BinaryConv2D(32, 3, name="conv")(norm(image)))
    norm.beta.assign(np.where(np.arange(32) % 2, 100.0, 0.0))
    result = convert(model)
    assert (result.verification.sign_channels, result.verification.sign_channels_covered) == (32, 16)
    assert "Of 32 channels that signs are taken of, 16 had both" in " ".join(verification_in_words(result))
    assert result.on_random_inputs_only


def test_bits_beyond_the_last_channel_are_never_minus():
    minus, plus = sign_sides(np.array([[[1]], [[-2]]], np.int32))
    assert minus.all()
    assert plus.tolist() == [True] * 32


def test_a_dead_slope_is_tried_from_both_sides():
    """A PReLU whose negative slopes only edges reach: one wrong slope is found out without images of the user's."""
    image = tf.keras.Input((16, 16, 3))
    x = Layers.PReLU(shared_axes=[1, 2], alpha_initializer="ones", name="prelu")(Layers.Conv2D(8, 3)(image))
    x = Layers.GlobalAveragePooling2D()(BinaryConv2D(8, 3)(Layers.LayerNormalization()(x)))
    result = convert(tf.keras.Model(image, x))
    assert result.verification.sign_channels_covered == 8


@pytest.mark.parametrize("verify_data", [None, np.zeros((3, 8, 8, 3), np.float32)])
def test_reports_say_whose_inputs_they_were(verify_data):
    result = convert(model_of(), verify_data=verify_data)
    (sentence, *_) = verification_in_words(result)
    assert ("synthetic ones only" in sentence) == (verify_data is None)
    assert ("3 of yours" in sentence) == (verify_data is not None)
    assert result.to_dict()["users_inputs"] == (0 if verify_data is None else 3)
