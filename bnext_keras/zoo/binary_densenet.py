"""BinaryDenseNet and BinaryResNetE: what of DenseNet and ResNet to keep when they become binary.

A dense block appends 64 channels from one 3x3 binary convolution behind a batch normalization. Transitions are float
1x1 convolutions. The dilated network keeps the resolution of its last two sections and widens the reach of their
kernels instead. ResNetE is a residual network with a shortcut around every convolution.

Reference:
    Bethge et al., "Back to Simplicity: How to Train Accurate BNNs from Scratch?", arXiv 1906.08637; Larq Zoo's
    networks, whose order of weights these share.
"""

from typing import TYPE_CHECKING

from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.roles import STEM
from bnext_keras.zoo._blocks import Binary, Norm, Residual, conv, relu, resnet_stem, stages, ste

import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

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


@constructor(name="binary_densenet28", classes="imagenet")
def BinaryDenseNet28(**options: "Unpack[Options]") -> tf.keras.Model:
    """BinaryDenseNet-28, 60.9% top-1 on ImageNet."""
    return _densenet(*SECTIONS["BinaryDenseNet28"], Ends(BinaryDenseNet28, options))


@constructor(name="binary_densenet37", classes="imagenet")
def BinaryDenseNet37(**options: "Unpack[Options]") -> tf.keras.Model:
    """BinaryDenseNet-37, 62.9% top-1 on ImageNet."""
    return _densenet(*SECTIONS["BinaryDenseNet37"], Ends(BinaryDenseNet37, options))


@constructor(name="binary_densenet37_dilated", classes="imagenet")
def BinaryDenseNet37Dilated(**options: "Unpack[Options]") -> tf.keras.Model:
    """BinaryDenseNet-37 whose last two sections keep the resolution, 64.3% top-1 on ImageNet."""
    return _densenet(*SECTIONS["BinaryDenseNet37Dilated"], Ends(BinaryDenseNet37Dilated, options))


@constructor(name="binary_densenet45", classes="imagenet")
def BinaryDenseNet45(**options: "Unpack[Options]") -> tf.keras.Model:
    """BinaryDenseNet-45, 64.6% top-1 on ImageNet."""
    return _densenet(*SECTIONS["BinaryDenseNet45"], Ends(BinaryDenseNet45, options))


@constructor(name="binary_resnet_e18", classes="imagenet")
def BinaryResNetE18(**options: "Unpack[Options]") -> tf.keras.Model:
    """BinaryResNetE-18, 58.3% top-1 on ImageNet."""
    return _resnet_e((4, 4, 4, 4), Ends(BinaryResNetE18, options))


def _densenet(
    blocks,
    reductions,
    rates,
    ends,
):
    halvings = sum(rate == 1 for rate in rates[1:])
    image = ends.image((1 if ends.is_small else 4) * 2**halvings)
    x = _small_stem(image) if ends.is_small else resnet_stem(image, NORM, relu)
    for section, (number, rate) in enumerate(zip(blocks, rates, strict=True)):
        if section > 0:
            # Floor division by a float, then Python's rounding to even: so the published widths come about.
            filters = round(x.shape[-1] // reductions[section - 1] / 32) * 32
            x = _transition(x, filters, rate == 1, f"transition{section}")
        for i in range(number):
            x = _block(x, rate, f"section{section}_block{i}")
    x = NORM(x, "head_bn")
    return ends.model(relu(x, "head_act"))


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


def _resnet_e(blocks, ends):
    image = ends.image(8 if ends.is_small else 32)
    x = resnet_stem(image, NORM, relu)
    if not ends.is_small:
        x = NORM(x, "stem_pool_bn")
    x = stages(x, blocks, RESNET_E)
    return ends.model(relu(x, "head_act"))
