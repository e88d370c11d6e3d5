"""A network as a user would write it: plain Keras and Larq layers, none of which states a role."""

from bnext_keras.layers import BinaryConv2D

import tensorflow as tf

Layers = tf.keras.layers


def stranger(names="abcdefghi"):
    """Two stem convolutions, a gate of 1x1 convolutions, a float shortcut, a dense layer and a softmax.

    Args:
        names: Names of the layers: the stem's two, the first binary one, the gate's two, the shortcut, the second
            binary one, the dense layer and the head.
    """
    a, b, c, d, e, f, g, h, i = names
    image = x = tf.keras.Input((16, 16, 3))
    x = Layers.Conv2D(16, 3, padding="same", name=a)(x)
    x = Layers.Conv2D(32, 3, strides=2, padding="same", name=b)(x)
    y = BinaryConv2D(64, 3, name=c)(x)
    gate = Layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = Layers.Conv2D(8, 1, activation="relu", name=d)(gate)
    gate = Layers.Conv2D(64, 1, activation="sigmoid", name=e)(gate)
    x = Layers.Add()([Layers.Multiply()([y, gate]), Layers.Conv2D(64, 1, name=f)(x)])
    x = BinaryConv2D(64, 3, name=g)(x)
    x = Layers.Dense(20, activation="relu", name=h)(Layers.GlobalAveragePooling2D()(x))
    return tf.keras.Model(image, Layers.Softmax()(Layers.Dense(10, name=i)(x)))
