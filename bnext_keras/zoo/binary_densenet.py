"""BinaryDenseNet and BinaryResNetE: what of DenseNet and ResNet to keep when they become binary.

A dense block appends 64 channels from one 3x3 binary convolution behind a batch normalization. Transitions are float
1x1 convolutions. The dilated network keeps the resolution of its last two sections and widens the reach of their
kernels instead. ResNetE is a residual network with a shortcut around every convolution.

Reference:
    Bethge et al., "Back to Simplicity: How to Train Accurate BNNs from Scratch?", arXiv 1906.08637; Larq Zoo's
    networks, whose order of weights these share.
"""

from typing import Any

from bnext_keras.models._common import check_input_shape, imagenet_if_1000, is_small
from bnext_keras.roles import STEM
from bnext_keras.zoo._blocks import Binary, Norm, Residual, conv, head, relu, resnet_stem, stages, ste

import tensorflow as tf

Layers = tf.keras.layers

#: Blocks of each section, by how much each transition divides the channels, and dilation rates.
SECTIONS = {
    "BinaryDenseNet28": ((6, 6, 6, 5), (2.7, 2.7, 2.2), (1, 1, 1, 1)),
    "BinaryDenseNet37": ((6, 8, 12, 6), (3.3, 3.3, 4.0), (1, 1, 1, 1)),
    "BinaryDenseNet37Dilated": ((6, 8, 12, 6), (3.3, 3.3, 4.0), (1, 1, 2, 4)),
    "BinaryDenseNet45": ((6, 12, 14, 8), (2.7, 3.3, 4.0), (1, 1, 1, 1)),
}
#: Channels that each block appends.
GROWTH = 64

NORM = Norm(0.9, 1e-5)
BINARY = Binary(ste(1.3), ste(1.3), clip=1.3)
RESNET_E = Residual(Binary(ste(1.25), ste(1.25), clip=1.25), NORM)


def BinaryDenseNet28(**kwargs: Any) -> tf.keras.Model:
    """BinaryDenseNet-28, 60.9% top-1 on ImageNet.

    Takes the keyword arguments of every network, see `bnext_keras.zoo`.
    """
    options = imagenet_if_1000({"name": "binary_densenet28", **kwargs})
    return _densenet(*SECTIONS["BinaryDenseNet28"], **options)


def BinaryDenseNet37(**kwargs: Any) -> tf.keras.Model:
    """BinaryDenseNet-37, 62.9% top-1 on ImageNet.

    Takes the keyword arguments of every network, see `bnext_keras.zoo`.
    """
    options = imagenet_if_1000({"name": "binary_densenet37", **kwargs})
    return _densenet(*SECTIONS["BinaryDenseNet37"], **options)


def BinaryDenseNet37Dilated(**kwargs: Any) -> tf.keras.Model:
    """BinaryDenseNet-37 whose last two sections keep the resolution, 64.3% top-1 on ImageNet.

    Takes the keyword arguments of every network, see `bnext_keras.zoo`.
    """
    options = imagenet_if_1000({"name": "binary_densenet37_dilated", **kwargs})
    return _densenet(*SECTIONS["BinaryDenseNet37Dilated"], **options)


def BinaryDenseNet45(**kwargs: Any) -> tf.keras.Model:
    """BinaryDenseNet-45, 64.6% top-1 on ImageNet.

    Takes the keyword arguments of every network, see `bnext_keras.zoo`.
    """
    options = imagenet_if_1000({"name": "binary_densenet45", **kwargs})
    return _densenet(*SECTIONS["BinaryDenseNet45"], **options)


def BinaryResNetE18(**kwargs: Any) -> tf.keras.Model:
    """BinaryResNetE-18, 58.3% top-1 on ImageNet.

    Takes the keyword arguments of every network, see `bnext_keras.zoo`.
    """
    return _resnet_e((4, 4, 4, 4), **imagenet_if_1000({"name": "binary_resnet_e18", **kwargs}))


def _densenet(
    blocks,
    reductions,
    rates,
    *,
    input_shape=(224, 224, 3),
    num_classes=1000,
    classes=None,
    name,
):
    halvings = sum(rate == 1 for rate in rates[1:])
    check_input_shape(input_shape, (1 if is_small(input_shape) else 4) * 2**halvings)
    image = tf.keras.Input(input_shape, name="image")
    x = _small_stem(image) if is_small(input_shape) else resnet_stem(image, NORM, relu)
    for section, (number, rate) in enumerate(zip(blocks, rates, strict=True)):
        if section > 0:
            # Floor division by a float, then Python's rounding to even: so the published widths come about.
            filters = round(x.shape[-1] // reductions[section - 1] / 32) * 32
            x = _transition(x, filters, rate == 1, f"transition{section}")
        for i in range(number):
            x = _block(x, rate, f"section{section}_block{i}")
    x = NORM(x, "head_bn")
    return tf.keras.Model(image, head(x, num_classes, classes, relu), name=name)


def _small_stem(x):
    """Neither normalized nor activated: the first block does that."""
    return conv(x, 64, 3, "stem_conv", role=STEM)


def _block(x, rate, name):
    y = NORM(x, f"{name}_bn")
    y = BINARY(y, GROWTH, 3, f"{name}_conv", dilation_rate=rate)
    return Layers.Concatenate(name=f"{name}_concat")([x, y])


def _transition(x, filters, halve, name):
    x = NORM(x, f"{name}_bn")
    if halve:
        x = Layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    x = relu(x, f"{name}_relu")
    return conv(x, filters, 1, f"{name}_conv")


def _resnet_e(blocks, *, input_shape=(224, 224, 3), num_classes=1000, classes=None, name):
    check_input_shape(input_shape, 8 if is_small(input_shape) else 32)
    image = tf.keras.Input(input_shape, name="image")
    x = resnet_stem(image, NORM, relu)
    if not is_small(input_shape):
        x = NORM(x, "stem_pool_bn")
    x = stages(x, blocks, RESNET_E)
    return tf.keras.Model(image, head(x, num_classes, classes, relu), name=name)
