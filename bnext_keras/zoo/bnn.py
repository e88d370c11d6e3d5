"""Binarized Neural Networks: the first networks of binary weights *and* activations, without any shortcut.

Every kernel is a sign, that of the first layer too, which reads a float image; every layer is a convolution, a max pool
where there is one, a batch normalization, and the sign that the next layer takes. Dense layers are written as 1x1
convolutions of maps of one pixel: Larq Compute Engine knows these as binary. A binary last layer does not state whose
classes it tells, so these networks take ``classes`` and make nothing of it.

References:
    Courbariaux et al., "Binarized Neural Networks", arXiv 1602.02830, and Hubara et al. (NIPS 2016); their Theano code.
    Larq's tutorial network for CIFAR-10, and Larq Zoo's `BinaryAlexNet`, whose order of weights this one shares.
"""

from typing import Any

from bnext_keras.models._common import imagenet_if_1000
from bnext_keras.zoo._blocks import Binary, Norm, check_is_large, ste

import tensorflow as tf

Layers = tf.keras.layers

BINARY = Binary(ste(1.0), ste(1.0))


def BinaryNet(**kwargs: Any) -> tf.keras.Model:
    """The paper's network for CIFAR-10: error 11.40% in the authors' code.

    Six 3x3 convolutions 'same', a max pool behind every second one, three dense layers. Takes the keyword arguments of
    every network, see `bnext_keras.zoo`; images of 32x32 pixels and 10 classes are the default.
    """
    return _binarynet(Norm(0.9, 1e-4), "same", **{"name": "binarynet", **kwargs})


def LarqBinaryNet(**kwargs: Any) -> tf.keras.Model:
    """The dialect of `BinaryNet` in Larq's tutorial: the first convolution is not padded, normalizations have no gamma.

    Takes the keyword arguments of every network, see `bnext_keras.zoo`; images of 32x32 pixels and 10 classes are the
    default.
    """
    return _binarynet(Norm(0.999, 1e-3, scale=False), "valid", **{"name": "larq_binarynet", **kwargs})


def BinaryAlexNet(**kwargs: Any) -> tf.keras.Model:
    """Larq Zoo's binary AlexNet, 36.3% top-1 on ImageNet.

    Takes the keyword arguments of every network, see `bnext_keras.zoo`.

    The network of Hubara et al. differs: other widths, four of them tripled, biases, and a first layer padded by 2.

    Raises:
        ValueError: if the images are small.
    """
    return _alexnet(**imagenet_if_1000({"name": "binary_alexnet", **kwargs}))


def _binarynet(norm, padding, *, input_shape=(32, 32, 3), num_classes=10, classes=None, name):
    image = tf.keras.Input(input_shape, name="image")
    x = _layer(image, 128, 3, norm, "conv0", first=True, padding=padding)
    x = _layer(x, 128, 3, norm, "conv1", pool=2)
    x = _layer(x, 256, 3, norm, "conv2")
    x = _layer(x, 256, 3, norm, "conv3", pool=2)
    x = _layer(x, 512, 3, norm, "conv4")
    x = _layer(x, 512, 3, norm, "conv5", pool=2)
    x = _flat(x)
    x = _layer(x, 1024, 1, norm, "dense0")
    x = _layer(x, 1024, 1, norm, "dense1")
    return tf.keras.Model(image, _answer(x, num_classes, norm, "dense2"), name=name)


def _alexnet(*, input_shape=(224, 224, 3), num_classes=1000, classes=None, name):
    check_is_large(input_shape, name)
    norm = Norm(0.9, 1e-3, scale=False)
    image = tf.keras.Input(input_shape, name="image")
    x = _layer(image, 64, 11, norm, "conv0", first=True, strides=4, pool=3)
    x = _layer(x, 192, 5, norm, "conv1", pool=3)
    x = _layer(x, 384, 3, norm, "conv2")
    x = _layer(x, 384, 3, norm, "conv3")
    x = _layer(x, 256, 3, norm, "conv4", pool=3)
    x = _flat(x)
    x = _layer(x, 4096, 1, norm, "dense0")
    x = _layer(x, 4096, 1, norm, "dense1")
    return tf.keras.Model(image, _answer(x, num_classes, norm, "dense2"), name=name)


def _layer(x, filters, kernel_size, norm, name, *, first=False, pool=0, **options):
    binary = Binary(lambda: None, ste(1.0)) if first else BINARY
    x = binary(x, filters, kernel_size, name, **options)
    if pool:
        x = Layers.MaxPooling2D(pool, strides=2, name=f"{name}_pool")(x)
    return norm(x, f"{name}_bn")


def _flat(x):
    return Layers.Reshape((1, 1, -1), name="flatten")(x)


def _answer(x, num_classes, norm, name):
    x = _layer(x, num_classes, 1, norm, name)
    return Layers.Flatten(name="logits")(x)
