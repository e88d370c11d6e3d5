"""A compiled engine and converted networks, made once for all of these tests."""

import bnext_keras

import numpy as np
import pytest
import tensorflow as tf
from rewrites import randomize

from android_demo.runner import compile_plan
from converter import convert
from converter.tflite.interpreter import Interpreter as LceInterpreter


class Sample:
    """A converted network, an image, and what LCE makes of it."""

    def __init__(self, model):
        self.content = convert(randomize(model, seed=1)).content
        lce = LceInterpreter(self.content)
        self.image = np.random.default_rng(2).normal(size=lce.input_shapes[0]).astype(np.float32)
        self.expected = lce.run([self.image])[0]


@pytest.fixture(scope="session")
def bnext():
    return Sample(bnext_keras.models.BNext([32, 64, 64, 128], input_shape=(48, 48, 3), num_classes=10))


@pytest.fixture(scope="session")
def wide():
    return Sample(bnext_keras.models.BNext([128, 256], input_shape=(32, 32, 3), num_classes=10))


@pytest.fixture(scope="session")
def melius():
    return Sample(bnext_keras.models.MeliusNet([2, 2], [128], groups=1, input_shape=(64, 64, 3), num_classes=10))


@pytest.fixture(scope="session")
def plan(bnext):
    return compile_plan(bnext.content)


@pytest.fixture(scope="session")
def mixed():
    """What other networks have: depthwise convolutions, max pooling, groups, softmax, a transition."""
    layers = tf.keras.layers
    image = tf.keras.Input((17, 15, 3))
    x = layers.Conv2D(20, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Conv2D(32, 1)(x)
    x = x + bnext_keras.layers.BinaryConv2D(32, 3)(x)
    x = layers.MaxPooling2D(2, strides=1)(x)
    y = bnext_keras.layers.BinaryConv2D(40, 3)(x)
    x = layers.Concatenate()([layers.ReLU(6.0)(x), y])
    x = layers.AveragePooling2D(3, padding="same")(layers.PReLU(shared_axes=[1, 2])(x))
    x = layers.Flatten()(layers.ZeroPadding2D(1)(x))
    return Sample(tf.keras.Model(image, layers.Softmax()(layers.Dense(7)(x))))
