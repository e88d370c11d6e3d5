"""Trains, saves, and trains both the model and the loaded one further: ``continued_training.py model.h5``.

A program, since only a process whose TensorFlow has not started can be made repeatable to the last bit.
"""

import sys

from bnext_keras import models
from bnext_keras.training.strategy import make_repeatable

import numpy as np
import tensorflow as tf

IMAGES = np.random.default_rng(0).normal(size=(8, 32, 32, 3)).astype(np.float32)


def train(model):
    model.fit(IMAGES, np.arange(8), verbose=0, shuffle=False)


def main(path):
    make_repeatable()
    model = models.BNext([32, 64, 128], input_shape=(32, 32, 3), num_classes=10)
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    train(model)
    model.save(path)
    copy = tf.keras.models.load_model(path)
    train(model)
    train(copy)
    for weight, other in zip(
        [*model.weights, *model.optimizer.variables], copy.weights + copy.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(weight.numpy(), other.numpy(), err_msg=weight.name)


if __name__ == "__main__":
    main(sys.argv[1])
