"""Trains on two replicas and on one, and checks that they agree; a program, run by a test."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bnext_keras.callbacks import (
    AttentionMatching,
    Distillation,
    DiversifiedConsecutiveDistillation,
    LatentWeightClipping,
)

import larq as lq
import numpy as np
import tensorflow as tf
import tiny_students as tiny

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def student():
    """Without what depends on how a batch is split, batch normalization and dropout."""
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input(tiny.SHAPE)
    x = lq.layers.QuantConv2D(4, 3, padding="same", kernel_quantizer="ste_sign", name="conv")(image)
    x = tf.keras.layers.Flatten()(tf.keras.layers.Activation("tanh")(x))
    model = tf.keras.Model(image, tf.keras.layers.Dense(tiny.CLASSES, kernel_regularizer="l2")(x), name="student")
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return model


def convnet():
    image = tf.keras.Input(tiny.SHAPE)
    x = tf.keras.layers.Conv2D(5, 3, padding="same", name="conv")(image)
    return tf.keras.Model(image, tf.keras.layers.GlobalAveragePooling2D()(x), name="convnet")


def train(strategy, callbacks):
    images, labels = tiny.data()
    weight = np.linspace(0.5, 2, len(labels)).astype(np.float32)
    data = tf.data.Dataset.from_tensor_slices((images, labels, weight)).batch(8)
    with strategy.scope():
        model = student()
    teachers = [tiny.linear(name, seed) for seed, name in enumerate(("b0", "b2", "b4"))]
    history = model.fit(data, epochs=2, callbacks=callbacks(teachers), verbose=0).history
    return model.get_weights(), history


def check(callbacks):
    one = train(tf.distribute.OneDeviceStrategy("CPU:0"), callbacks)
    two = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), callbacks)
    for left, right in zip(one[0], two[0], strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)
    assert one[1].keys() == two[1].keys()
    for name, values in one[1].items():
        np.testing.assert_allclose(values, two[1][name], rtol=1e-5, err_msg=name)
    return np.abs(two[0][0]).max()


check(lambda teachers: [DiversifiedConsecutiveDistillation(teachers[:2], teachers[2])])
largest_weight = check(
    lambda teachers: [
        Distillation(teachers, [0.5, lambda epoch: 1.0 + epoch, 0.0], label_weight=0.3),
        AttentionMatching(convnet(), {"conv": "conv"}),
        LatentWeightClipping(0.15),
    ]
)
np.testing.assert_allclose(largest_weight, 0.15)
print("2 replicas agree")
