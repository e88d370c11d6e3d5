"""TensorFlow's registry of gradients keeps no network that nobody has any more."""

import gc
import weakref

import bnext_keras

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.ops import gradient_registry

from converter import convert

IMAGES = np.ones((1, 8, 8, 32), np.float32)


def network():
    image = tf.keras.Input(IMAGES.shape[1:])
    return tf.keras.Model(image, bnext_keras.layers.BinaryConv2D(32, 3, name="conv")(image))


def trace_training(model):
    step = tf.function(lambda images: model(images, training=True))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(step(IMAGES))
    return tape.gradient(loss, model.trainable_weights)


def predict(model):
    return model.predict(IMAGES, verbose=0)


@pytest.mark.parametrize("use", [predict, convert, trace_training])
def test_a_network_is_gone_after_use(use):
    before = set(gradient_registry.list())
    model = network()
    use(model)
    # Variables go in any case; it is their handles, which graphs have, that their memory hangs on.
    weights = weakref.ref(model.get_layer("conv").kernel.latent_variable.handle)
    del model
    tf.keras.backend.clear_session()
    gc.collect()
    assert weights() is None
    assert set(gradient_registry.list()) <= before


def test_a_gradient_lives_as_long_as_its_graph():
    model = network()
    forward = tf.function(lambda images: model(images, training=True)).get_concrete_function(IMAGES)
    gc.collect()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(forward(IMAGES))
    assert tf.reduce_any(tape.gradient(loss, model.get_layer("conv").kernel.latent_variable) != 0)
