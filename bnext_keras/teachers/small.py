"""A teacher for small images that is trained in seconds."""

from bnext_keras.precision import full_precision

import tensorflow as tf


def convnet(channels: int, input_shape: tuple[int, int, int], num_classes: int) -> tf.keras.Model:
    """An ordinary float network of three 3x3 convolutions, each with batch normalization, ReLU and pooling.

    Args:
        channels: Channels of the first convolution; the others have two and four times as many.
        input_shape: ``(height, width, channels)`` of one image; at least 8 pixels a side.
        num_classes: Number of logits.

    Returns:
        A model from ``(batch, height, width, channels)`` to logits ``(batch, num_classes)``.

    Example:
        >>> import bnext_keras
        >>> bnext_keras.teachers.convnet(8, (32, 32, 3), 10).count_params()
        6530
    """
    layers = tf.keras.layers
    image = x = tf.keras.Input(input_shape, name="image")
    for i in range(3):
        x = layers.Conv2D(channels * 2**i, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return tf.keras.Model(image, layers.Dense(num_classes, dtype=full_precision())(x), name=f"convnet{channels}")
