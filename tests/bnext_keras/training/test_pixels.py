"""Images that reach the step as pixels are normalized there, for the network and for its teachers."""

from bnext_keras.callbacks.installation import LossTerm
from bnext_keras.preprocessing import Normalization
from bnext_keras.training.pixels import takes_pixels

import numpy as np
import pytest
import tensorflow as tf

WHITE = np.full((4, 2, 2, 3), 255, np.uint8)
NORMALIZATION = Normalization((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


class Brightness(LossTerm):
    """Adds the images' mean to the loss, as a teacher would look at them."""

    def loss(self, step):
        return tf.reduce_mean(step.images)


@pytest.fixture
def model():
    """Its output is the mean of the images, its loss too."""
    model = tf.keras.Sequential([tf.keras.layers.GlobalAveragePooling2D(input_shape=(2, 2, 3))])
    model.compile(loss=lambda labels, outputs: tf.reduce_mean(outputs))
    return model


def test_network_and_callbacks_see_normalized_images(model):
    with takes_pixels(model, NORMALIZATION):
        history = model.fit(
            WHITE, np.zeros(4), callbacks=[Brightness()], validation_data=(WHITE, np.zeros(4)), verbose=0
        )
    assert history.history["label_loss"] == [2.0]
    assert history.history["distillation_loss"] == [2.0]
    assert history.history["val_loss"] == [2.0]


def test_images_of_other_types_are_taken_as_they_are(model):
    with takes_pixels(model, NORMALIZATION):
        assert model.evaluate(WHITE.astype(np.float32), np.zeros(4), verbose=0) == 255.0


def test_nothing_of_it_stays(model):
    assert model.evaluate(WHITE, np.zeros(4), verbose=0) == 255.0
    with takes_pixels(model, NORMALIZATION):
        assert model.evaluate(WHITE, np.zeros(4), verbose=0) == 2.0
    assert model.evaluate(WHITE, np.zeros(4), verbose=0) == 255.0
    assert model.fit(WHITE, np.zeros(4), verbose=0).history["loss"] == [255.0]
