"""Binarized Neural Networks: the first networks of binary weights *and* activations, without any shortcut.

Every kernel is a sign, that of the first layer too, which reads a float image; every layer is a convolution, a max pool
where there is one, a batch normalization, and the sign that the next layer takes. Dense layers are written as 1x1
convolutions of maps of one pixel: Larq Compute Engine knows these as binary. A binary last layer does not state whose
classes it tells, so these networks take ``classes`` and make nothing of it.

References:
    Courbariaux et al., "Binarized Neural Networks", arXiv 1602.02830, and Hubara et al. (NIPS 2016); their Theano code.
    Larq's tutorial network for CIFAR-10, and Larq Zoo's `BinaryAlexNet`, whose order of weights this one shares.
"""

from typing import TYPE_CHECKING

from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.zoo._blocks import Binary, Norm, check_is_large, ste

import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers

BINARY = Binary(ste(1.0), ste(1.0))


@constructor(name="binarynet", input_shape=(32, 32, 3), classes=10)
def BinaryNet(**options: "Unpack[Options]") -> tf.keras.Model:
    """The paper's network for CIFAR-10: error 11.40% in the authors' code.

    Six 3x3 convolutions 'same', a max pool behind every second one, three dense layers. Images of 32x32
    pixels and 10 classes are the default.
    """
    return _binarynet(Norm(0.9, 1e-4), "same", Ends(BinaryNet, options))


@constructor(name="larq_binarynet", input_shape=(32, 32, 3), classes=10)
def LarqBinaryNet(**options: "Unpack[Options]") -> tf.keras.Model:
    """The dialect of `BinaryNet` in Larq's tutorial: the first convolution is not padded, normalizations have no gamma.

    Images of 32x32 pixels and 10 classes are the default.
    """
    return _binarynet(Norm(0.999, 1e-3, scale=False), "valid", Ends(LarqBinaryNet, options))


@constructor(name="binary_alexnet", classes="imagenet")
def BinaryAlexNet(**options: "Unpack[Options]") -> tf.keras.Model:
    """Larq Zoo's binary AlexNet, 36.3% top-1 on ImageNet.
    The network of Hubara et al. differs: other widths, four of them tripled, biases, and a first layer padded by 2.

    Raises:
        ValueError: if the images are small.
    """
    return _alexnet(Ends(BinaryAlexNet, options))


def _binarynet(norm, padding, ends):
    x = _layer(ends.image(), 128, 3, norm, "conv0", first=True, padding=padding)
    x = _layer(x, 128, 3, norm, "conv1", pool=2)
    x = _layer(x, 256, 3, norm, "conv2")
    x = _layer(x, 256, 3, norm, "conv3", pool=2)
    x = _layer(x, 512, 3, norm, "conv4")
    x = _layer(x, 512, 3, norm, "conv5", pool=2)
    return ends.model(x, lambda x: _top(x, 1024, ends.num_classes, norm))


def _alexnet(ends):
    check_is_large(ends)
    norm = Norm(0.9, 1e-3, scale=False)
    x = _layer(ends.image(), 64, 11, norm, "conv0", first=True, strides=4, pool=3)
    x = _layer(x, 192, 5, norm, "conv1", pool=3)
    x = _layer(x, 384, 3, norm, "conv2")
    x = _layer(x, 384, 3, norm, "conv3")
    x = _layer(x, 256, 3, norm, "conv4", pool=3)
    return ends.model(x, lambda x: _top(x, 4096, ends.num_classes, norm))


def _layer(x, filters, kernel_size, norm, name, *, first=False, pool=0, **options):
    binary = Binary(lambda: None, ste(1.0)) if first else BINARY
    x = binary(x, filters, kernel_size, name, **options)
    if pool:
        x = Layers.MaxPooling2D(pool, strides=2, name=f"{name}_pool")(x)
    return norm(x, f"{name}_bn")


def _top(x, units, num_classes, norm):
    x = Layers.Reshape((1, 1, -1), name="flatten")(x)
    for i, filters in enumerate((units, units, num_classes)):
        x = _layer(x, filters, 1, norm, f"dense{i}")
    return Layers.Flatten(name="logits")(x)
