"""Averages of weights: what is evaluated and saved, and what trains on."""

import bnext_keras
from bnext_keras import layers
from bnext_keras.recalibration import recalibrate
from bnext_keras.training.averages import Averages

import numpy as np
import pytest
import tensorflow as tf

DECAY = 0.75
IMAGES = np.random.default_rng(0).normal(size=(12, 4, 4, 8)).astype(np.float32)
BATCHES = [IMAGES[:4], IMAGES[4:]]


def compiled():
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input((4, 4, 8))
    x = tf.keras.layers.BatchNormalization(momentum=0.5)(layers.BinaryConv2D(8, 3)(image))
    x = layers.LearnableMix()([image, x])
    model = tf.keras.Model(image, layers.Dense(4)(tf.keras.layers.GlobalAveragePooling2D()(x)))
    optimizer = bnext_keras.training.TwoGroupAdamW(0.5, use_ema=True, ema_momentum=DECAY)
    model.compile(optimizer, tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


class Noting(tf.keras.callbacks.Callback):
    """Averages in NumPy of what the optimizer makes; and the loss of a copy that has them at the end of an epoch."""

    def on_train_begin(self, logs=None):
        self.averages = [variable.numpy() for variable in self.model.trainable_variables]
        self.expected, self.trained = [], []

    def on_train_batch_end(self, batch, logs=None):
        # Nothing here reaches its bound: what the optimizer averages is what is to be seen afterwards.
        self.averages = [
            DECAY * average + (1 - DECAY) * variable.numpy()
            for average, variable in zip(self.averages, self.model.trainable_variables, strict=True)
        ]

    def on_epoch_end(self, epoch, logs=None):
        self.trained.append(self.model.get_weights())


def test_validation_sees_averages_with_statistics_of_their_own_and_training_goes_on_without():
    model, noting = compiled(), Noting()
    model.optimizer.learning_rate = 1e-3
    averages = Averages(model, lambda: BATCHES)
    options = {"batch_size": 4, "shuffle": False, "verbose": 0}
    labels = np.arange(12) % 4
    history = model.fit(
        IMAGES, labels, validation_data=(IMAGES, labels), callbacks=[averages, noting], epochs=2, **options
    ).history

    alone = compiled()
    alone.optimizer.learning_rate = 1e-3
    alone.fit(IMAGES, labels, epochs=2, callbacks=[other := Noting()], **options)
    for found, expected in zip(noting.trained[-1], other.trained[-1], strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)

    copy = compiled()
    for variable, average in zip(copy.trainable_variables, noting.averages, strict=True):
        variable.assign(average)
    recalibrate(copy, BATCHES)
    assert history["val_loss"][-1] == pytest.approx(copy.evaluate(IMAGES, labels, batch_size=4, verbose=0), rel=1e-4)
    with averages.in_place():
        for found, expected in zip(model.get_weights(), copy.get_weights(), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_averages_keep_to_the_bounds_of_weights():
    """Steps of one half throw mixing scales far out of [0, 1]; the optimizer's averages see them there."""
    model = compiled()
    averages = Averages(model, lambda: BATCHES)
    for _ in range(3):
        model.train_on_batch(IMAGES, np.arange(12) % 4)
    with averages.in_place():
        scales = [weight.numpy() for weight in model.weights if weight.name.endswith("/scale:0")]
        assert all(((scale >= 0) & (scale <= 1)).all() for scale in scales)
        assert any((scale != 0.5).any() for scale in scales)
